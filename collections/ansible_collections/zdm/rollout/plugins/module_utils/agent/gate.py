# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate of invariant 2: is a pool healthy *now*, so that traffic may be sent to it?

What the proxy checks, the proxy knows. Members that it does not check are asked by the agent itself: by the
service's health request or, where the user gave none, by a TCP connection. One unchecked member that does not
answer makes its pool sick, because the proxy would go on sending to it; of checked members one healthy is enough, and
so it is where the proxy leaves out by itself whom it tried in vain.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Dict, List, Tuple

from ..routers.api import DOWN, TRIED, UNCHECKED, UP, Health, Member, Service, Traffic
from .probe import Answer, probe_all

#: What a router says of a member that it does not check.
UNKNOWN = (UNCHECKED, TRIED)
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
        well = any(member.health == UP for member in members)
        tried = [] if well else [member.name for member in members if member.health == TRIED]
        if not unchecked and not tried:
            if well:
                return ""
            down = ", ".join(member.name for member in members if member.health == DOWN)
            return "none of its members is healthy (down: %s)" % down if down else "it has no members at the router"
        answers = self.answers(service, [pool], unchecked + tried)
        failures = {name: answer.failure for name, answer in sorted(answers.items()) if answer.failure}
        if len(failures) < len(answers) and not set(failures) & set(unchecked):
            return ""
        told = "; ".join("%s: %s" % failure for failure in failures.items())
        return "the router does not check its members and the agent found %s" % told

    def asked(self, service: Service, traffic: Traffic) -> Traffic:
        """The same, with what the agent itself finds of the members that the router does not check. Where weights are
        those of servers it stays as it is: who is down would be left out of a split that the router has him in."""
        unchecked = [member.name for member in traffic.members if member.health in UNKNOWN]
        if not unchecked or traffic.scale.per != "pool":
            return traffic
        answers = self.answers(service, list(service.pools), unchecked)
        found = {name: DOWN if answer.failure else UP for name, answer in answers.items()}
        members = tuple(replace(each, health=found.get(each.name, each.health)) for each in traffic.members)
        return replace(traffic, members=members)

    def answers(self, service: Service, pools: List[str], names: List[str]) -> Dict[str, Answer]:
        """What these members answer, of these pools."""
        known = {member.name: member for pool in pools for member in service.pools.get(pool, ())}
        health = service.health or Health(path="")
        return self._prober([(known[name], health) for name in names if name in known])
