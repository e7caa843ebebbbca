# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways to the routers' agents, as the play's tasks hand them over: one for each, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._channel import Command
from ._line import Line

NOBODY = "no task reached it (--limit, or the play left it out)"


class Ways:
    """To the routers of a fleet, by name with their definitions."""

    def __init__(self, routers: Mapping[str, Mapping[str, Any]]) -> None:
        self._routers = routers
        self._failures: dict[str, str] = {}
        self.lines: dict[str, Line] = {}

    async def take(self, request: Mapping[str, Any]) -> bool:
        """A way from the action ``connect``, or its ``failure``. To be ``open`` it has to lead to an agent now."""
        name = request["router"]
        if request.get("failure"):
            self._failures[name] = request["failure"]
            return False
        line = Line(Command.of(request, self._routers[name]))
        if request.get("open") and not await line.opens():
            return False
        self.lines[name] = line
        return True

    def missing(self) -> dict[str, str]:
        """Why there is no way, by router."""
        return {name: self._failures.get(name, NOBODY) for name in self._routers if name not in self.lines}
