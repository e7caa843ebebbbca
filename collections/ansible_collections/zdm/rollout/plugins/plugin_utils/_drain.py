# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before canary's members get the release: what is under way there, from their last one, has a while to end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..module_utils.agent.draining import AGAIN_SECONDS, over
from ..module_utils.routers.api import Traffic
from . import _duration, _rollout
from ._channel import ChannelLost, Refusal
from ._routers import Routers

if TYPE_CHECKING:
    # The watch asks for this.
    from ._watch import Watch


async def drain(watch: Watch) -> dict[str, Any]:
    """Wait for it, unless the rollout ends meanwhile; ``left`` is what is still under way, by router."""
    pool, patience, begun = watch.made().canary, watch.spec.drain_timeout, time.monotonic()
    said = False
    while True:
        left = await _left(watch.routers, pool)
        rollout = watch.planned()
        gone = rollout.ended or rollout.state == _rollout.REVERTING
        if gone or over(sum(left.values()), time.monotonic() - begun, patience):
            break
        if not said:
            watch.desk.say(f"waiting at most {_duration.text(patience)} for {told(left)} at {pool}")
            said = True
        await asyncio.sleep(AGAIN_SECONDS)
    if left and not gone:
        watch.remark(f"{told(left)} at {pool} after {_duration.text(patience)}: it is cut if the deploy stops a member")
    return {"left": left}


async def _left(routers: Routers, pool: str) -> dict[str, int]:
    """How much is under way at each router that tells, where anything is."""
    replies = await asyncio.gather(*(routers.read(name) for name in routers.names), return_exceptions=True)
    found = {}
    for name, reply in zip(routers.names, replies, strict=True):
        if isinstance(reply, (ChannelLost, Refusal)):
            continue  # its keeper says what it is
        if isinstance(reply, BaseException):
            raise reply
        found[name] = Traffic.from_json(reply["traffic"]).sessions(pool) or 0
    return {name: number for name, number in found.items() if number}


def told(left: Mapping[str, int]) -> str:
    """For people."""
    return ", ".join(f"{number} under way through {name}" for name, number in left.items())
