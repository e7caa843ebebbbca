# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timekeeper: asks every router how long tries took, for the checks of latency."""

from __future__ import annotations

import asyncio
import time

from ..module_utils.judge import Histogram
from ._channel import ChannelLost, Refusal
from ._checks import Check
from ._judging import Judging
from ._routers import Routers


class Timekeeper:
    """What all routers say goes to the judging; where one does not, the check is an error, and what is known stays."""

    def __init__(self, routers: Routers, judging: Judging) -> None:
        self._routers = routers
        self._judging = judging

    async def measure(self, check: Check) -> None:
        names = self._routers.names
        replies = await asyncio.gather(*(self._routers.latency(name) for name in names), return_exceptions=True)
        totals: dict[str, dict[str, Histogram]] = {}
        lost, lag = [], 0.0
        for name, reply in zip(names, replies, strict=True):
            if isinstance(reply, (ChannelLost, Refusal)):
                lost.append(f"{name}: {reply}")
            elif isinstance(reply, BaseException):
                raise reply
            else:
                lag = max(lag, float(reply.get("lag", 0.0)))
                for pool, bins in reply["times"].items():
                    totals.setdefault(pool, {})[name] = Histogram.from_json(bins)
        if lost:
            self._judging.unread(check.name, "; ".join(lost))
        else:
            self._judging.timed(check.name, totals, time.monotonic(), lag)
