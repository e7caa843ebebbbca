# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The prober: measures ``http`` checks, from every router (or from here) to every member of canary."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

from ..module_utils.agent import probe
from ._channel import ChannelLost, Refusal
from ._checks import Check
from ._fleet import Fleet
from ._judging import Judging
from ._routers import Routers
from .signals import http

#: Who asks where no router does, for people.
CONTROLLER = "the controller"


class Prober:
    """Asks canary's members; what they answer goes to the judging."""

    def __init__(self, routers: Routers, fleet: Fleet, canary: str, judging: Judging, threads: Executor) -> None:
        self._routers = routers
        self._members = [
            {"name": known.member.name, "address": known.member.address, "port": known.member.port}
            for known in fleet.pools[canary]
        ]
        self._judging = judging
        self._threads = threads

    async def measure(self, check: Check) -> None:
        sources = [CONTROLLER] if check.asked_from == "controller" else self._routers.names
        pairs = [(source, member) for source in sources for member in self._members]
        replies = await asyncio.gather(*(self._ask(check, *pair) for pair in pairs))
        by_pair = {(source, str(member["name"])): reply for (source, member), reply in zip(pairs, replies, strict=True)}
        self._judging.measured(check.name, http.measure(str(check.path), check.expect, by_pair))

    async def _ask(self, check: Check, source: str, member: Mapping[str, Any]) -> dict[str, Any]:
        request = {"member": dict(member), "path": check.path, "port": check.port, "timeout": check.timeout}
        try:
            if source == CONTROLLER:
                return await asyncio.get_running_loop().run_in_executor(self._threads, probe.reply, request)
            return await self._routers.probe(source, request)
        except (ChannelLost, Refusal) as error:
            return {"error": str(error)}
