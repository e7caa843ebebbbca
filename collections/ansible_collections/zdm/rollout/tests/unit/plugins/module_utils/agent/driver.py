# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A contract fake: a router in memory that keeps the driver's contract, says what it was asked, and can be broken.

It splits by one weight per member out of 1000, among the members that are not down. Its own tests are in
test_driver_fake.py. It stands in no figure about traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.agent.apply import Order
from ansible_collections.zdm.rollout.plugins.module_utils.agent.gate import Gate
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import Acquire, Event
from ansible_collections.zdm.rollout.plugins.module_utils.agent.probe import Answer
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Record
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import (
    DOWN,
    UP,
    Change,
    Counters,
    Health,
    Member,
    MemberState,
    NotInForce,
    Refused,
    Scale,
    Service,
    Times,
    Traffic,
    Unsupported,
    Wanted,
)

TOP = 1000
SERVICE = Service(
    name="web",
    environment="test",
    pools={
        pool: tuple(Member("%s-%d" % (pool, number), "127.0.0.1", 9) for number in (1, 2)) for pool in ("blue", "green")
    },
)


class FakeDriver:
    """``calls`` are the methods in the order in which they were called; those in ``broken`` raise Refused.

    ``deaf``: it takes an order and does not carry it out. ``during`` is called within each method, with its name.
    ``tries`` is what it has counted.
    """

    def __init__(self, service: Service = SERVICE, health: str = UP) -> None:
        self.service = service
        self.members = {
            member.name: MemberState(member.name, pool, health, TOP if pool == "blue" else 0)
            for pool, members in service.pools.items()
            for member in members
        }
        self.tries = {name: Counters(requests=10, failures=1, kinds={"http_5xx": 1}) for name in self.members}
        self.calls: list[str] = []
        self.broken: set[str] = set()
        self.deaf = False
        self.resting: frozenset[str] = frozenset()
        self.during: Callable[[str], None] = lambda name: None

    @property
    def wrote(self) -> list[str]:
        """The calls that would have changed the router."""
        return [call for call in self.calls if call in ("write", "revert")]

    def ail(self, pool: str, health: str = DOWN) -> None:
        """All members of a pool get this health."""
        for name, member in self.members.items():
            if member.pool == pool:
                self.members[name] = replace(member, health=health)

    def weigh(self, pool: str, weight: int) -> None:
        """Somebody else sets the weight of each member of a pool."""
        for name, member in self.members.items():
            if member.pool == pool:
                self.members[name] = replace(member, weight=weight)

    def occupy(self, pool: str, sessions: int | None) -> None:
        """So many sessions are under way at the pool's first member, and none at the others."""
        for name in [name for name, member in self.members.items() if member.pool == pool]:
            self.members[name] = replace(self.members[name], sessions=sessions)
            sessions = 0 if sessions is not None else None

    def try_(self, pool: str, requests: int, failures: int = 0) -> None:
        """So many more tries at the pool's first member."""
        name = next(name for name, member in self.members.items() if member.pool == pool)
        before = self.tries[name]
        self.tries[name] = Counters(before.requests + requests, before.failures + failures, before.kinds)

    def share(self, pool: str = "green") -> float:
        """What the pool gets now, in percent."""
        weights = {member.name: member.weight for member in self.members.values() if member.health != DOWN}
        part = sum(weight for name, weight in weights.items() if self.members[name].pool == pool)
        return 100.0 * part / (sum(weights.values()) or 1)

    def read(self, service: Service) -> Traffic:
        self._called("read", service)
        members = tuple(self.members.values())
        held = any(member.weight for member in members if member.health != DOWN)
        return Traffic(members, {pool: self.share(pool) for pool in service.pools}, Scale("server", TOP), held)

    def changes(self, service: Service, wanted: Wanted) -> list[Change]:
        self._called("changes", service, wanted.split, wanted.stable)
        after = self._weights(wanted.split)
        return [
            Change(name, str(member.weight), str(after[name]))
            for name, member in self.members.items()
            if member.weight != after[name]
        ]

    def write(self, service: Service, wanted: Wanted) -> None:
        self._called("write", service, wanted.split, wanted.stable)
        self._bring(wanted.split)

    def verify(self, service: Service, wanted: Wanted) -> Traffic:
        self._called("verify", service, wanted.split, wanted.stable)
        if any(member.weight != self._weights(wanted.split)[name] for name, member in self.members.items()):
            raise NotInForce("web: the weights are not those of %s" % dict(wanted.split))
        calls = list(self.calls)
        traffic = self.read(service)
        self.calls = calls
        return traffic

    def counters(self, service: Service) -> dict[str, Counters]:
        self._called("counters", service)
        return dict(self.tries)

    def times(self, service: Service) -> Times:
        self._called("times", service)
        return Times({"blue": [(0.0, 0.1, 7), (0.1, None, 1)], "green": []}, 1.0)

    def observe(self, service: Service) -> tuple[Traffic, dict[str, Counters]]:
        return self.read(service), self.counters(service)

    def revert(self, service: Service, stable: str) -> None:
        split = {pool: 100.0 if pool == stable else 0.0 for pool in service.pools}
        self._called("revert", service, split, stable)
        self._bring(split)

    def leave_out(self, service: Service, members: AbstractSet[str]) -> None:
        self._called("leave_out", service)
        self.resting = frozenset(members)

    def close(self, service: Service, pool: str) -> None:
        self._called("close", service)
        self.occupy(pool, 0)

    def _called(
        self, name: str, service: Service, split: Mapping[str, float] | None = None, stable: str | None = None
    ) -> None:
        if service != self.service:
            raise Unsupported("no service %r here: expected %r" % (service.name, self.service.name))
        if split is not None and (set(split) != set(service.pools) or abs(sum(split.values()) - 100) > 1e-6):
            raise Unsupported("split %r: expected a share for each of %s, 100 in sum" % (split, list(service.pools)))
        if stable is not None and stable not in service.pools:
            raise Unsupported("stable %r: expected one of %s" % (stable, list(service.pools)))
        self.calls.append(name)
        self.during(name)
        if name in self.broken:
            raise Refused("%s: the proxy says no" % name)

    def _weights(self, split: Mapping[str, float]) -> dict[str, int]:
        """A pool's share in equal parts to its live members; one that is down gets the same as the live ones."""
        live = [member.pool for member in self.members.values() if member.health != DOWN]
        return {
            name: round(TOP * split[member.pool] / 100 / (live.count(member.pool) or 1))
            for name, member in self.members.items()
        }

    def _bring(self, split: Mapping[str, float]) -> None:
        if not self.deaf:
            for name, weight in self._weights(split).items():
                self.members[name] = replace(self.members[name], weight=weight)


def well(requests: list[tuple[Member, Health]]) -> dict[str, Answer]:
    """A prober to which every member is well."""
    return {member.name: Answer(200, "", "", 0.0) for member, dummy in requests}


class Blind(Gate):
    """The control of the gate: every pool may get traffic."""

    def sickness(self, service: Service, traffic: Traffic, pool: str) -> str:
        return ""


def acquire(run: str = "r1", **other: Any) -> Acquire:
    """A run that takes release v2 from blue to green."""
    who = {"owner": "ann", "release": "v2", "stable": "blue", "canary": "green", "at": "noon", "t": 0.0}
    return Acquire(**{"run": run, **who, **other})


def order(event: Event, even_if_sick: bool = False, remembered: Record | None = None) -> Order:
    """An order as a guard gives it, which remembers the loan: who acquires brings the definitions."""
    brings = isinstance(event, Acquire)
    return Order(
        environment="test",
        name="web",
        event=event,
        at="later",
        service=SERVICE if brings else None,
        router={"type": "fake"} if brings else None,
        even_if_sick=even_if_sick,
        remembered=remembered,
    )
