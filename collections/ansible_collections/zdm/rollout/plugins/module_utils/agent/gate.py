# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate of invariant 2: is a pool healthy *now*, so that traffic may be sent to it?

What the proxy checks, the proxy knows. Members that it does not check are asked by the agent itself: by the
service's health request or, where the user gave none, by a TCP connection. One unchecked member that does not
answer makes its pool sick, because the proxy would go on sending to it; of checked members one healthy is enough.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Tuple

from ..routers.api import DOWN, UNCHECKED, UP, Health, Member, Service, Traffic
from .probe import Answer, probe_all

#: Asks many members at once; the default does it over the network, tests give their own.
Prober = Callable[[List[Tuple[Member, Health]]], Dict[str, Answer]]


class Gate:
    """Knows whether a pool can take traffic."""

    def __init__(self, prober: Prober = probe_all) -> None:
        self._prober = prober

    def sickness(self, service: Service, traffic: Traffic, pool: str) -> str:
        """Why ``pool`` must not get traffic now, for people; empty when it may."""
        members = [member for member in traffic.members if member.pool == pool]
        unchecked = [member.name for member in members if member.health == UNCHECKED]
        if not unchecked:
            if any(member.health == UP for member in members):
                return ""
            down = ", ".join(member.name for member in members if member.health == DOWN)
            return "none of its members is healthy (down: %s)" % down if down else "it has no members at the router"
        health = service.health
        known = {member.name: member for member in service.pools.get(pool, ())}
        answers = self._prober([(known[name], health or Health(path="")) for name in unchecked if name in known])
        failures = ["%s: %s" % (name, answer.failure) for name, answer in sorted(answers.items()) if answer.failure]
        if failures:
            return "the router does not check its members and the agent found %s" % "; ".join(failures)
        return ""
