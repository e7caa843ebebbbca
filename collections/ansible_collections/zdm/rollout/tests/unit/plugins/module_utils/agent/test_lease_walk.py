# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease, walked through every state that it can reach; and a walk that finds each lease that is broken."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import lease as room
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import (
    ARMED,
    IDLE,
    LEASED,
    REVERTED,
    Acquire,
    Arm,
    Closed,
    Disarm,
    Event,
    Lease,
    LeaseError,
    Order,
    Place,
    Return,
    Revert,
    Write,
    handle,
)

AT_5, AT_25, ALL = {"blue": 95.0, "green": 5.0}, {"blue": 75.0, "green": 25.0}, {"blue": 0.0, "green": 100.0}
#: Two runs that want the opposite, so that a return to the wrong stable shows.
TO_GREEN = Acquire(run="run-1", owner="amy", release="2.0", stable="blue", canary="green", at="noon")
TO_BLUE = Acquire(run="run-2", owner="bob", release="3.0", stable="green", canary="blue", at="noon")
#: So many times the lease is acquired on a walk: a third run makes the first one's epoch the oldest of three.
MOST_EPOCHS = 3
Handle = Callable[[Lease, Event], tuple[Lease, Order]]


@dataclass(frozen=True)
class Ghost:
    """What the walk itself remembers, from the events allowed and the orders given alone."""

    minted: int = 0
    lives: bool = False
    latched: bool = False
    lent: bool = False
    stable: str = ""

    def then(self, event: Event, order: Order) -> Ghost:
        if isinstance(event, Acquire):
            return Ghost(self.minted + 1, lives=True, stable=event.stable)
        if isinstance(event, Arm):
            return replace(self, lent=True)
        if isinstance(event, (Revert, Closed)):
            return replace(self, lives=False, latched=True)
        return replace(self, lives=False) if isinstance(event, Disarm) else self


def events(minted: int) -> Iterator[Event]:
    for run in (TO_GREEN, TO_BLUE):
        for alive in (False, True):
            yield replace(run, holder_alive=alive)
    for epoch in range(minted + 2):  # every old one, the one in force, and one that is to come
        for split in (AT_5, AT_25, ALL):
            yield Arm(epoch, split)
        yield Revert(epoch, "bad")
        yield Disarm(epoch)
        yield Closed(epoch, "gone")
    yield Revert(None, "by hand")
    for split in (AT_5, AT_25, ALL):
        yield Place(split, "eve")


def refused_breaches(ghost: Ghost, event: Event, code: str) -> Iterator[str]:
    foreign = getattr(event, "epoch", None) not in (None, ghost.minted)
    if foreign != (code == "fenced"):
        yield "fence"
    if code not in ("busy", "fenced", "reverted", "idle"):
        yield "code"
    if isinstance(event, Revert) and event.epoch is None and ghost.lives:
        yield "a person is heard"


def allowed_breaches(ghost: Ghost, before: Lease, event: Event, lease: Lease, order: Order) -> Iterator[str]:
    epoch = getattr(event, "epoch", None)
    if epoch not in (None, ghost.minted):
        yield "fence"
    if epoch is not None and ghost.latched:
        yield "latch"
    if ghost.latched and isinstance(event, Revert) and lease.state != REVERTED:
        yield "latch"
    if isinstance(event, Acquire) and lease.epoch <= ghost.minted:
        yield "epoch"
    if not isinstance(event, Acquire) and lease.epoch != ghost.minted:
        yield "epoch"
    if isinstance(event, Acquire) and event.holder_alive:
        yield "owner"
    ends = isinstance(event, (Revert, Closed, Acquire)) and ghost.lives and ghost.lent
    if ends and order != Return(ghost.stable):
        yield "owed"
    if isinstance(order, Write) and not (isinstance(event, (Arm, Place)) and order.split == event.split):
        yield "asked"
    if isinstance(event, Place) and ghost.lives and (order is not None or lease != before):
        yield "fight"


def walk(handler: Handle, visited: list[tuple[str, str, str]] | None = None) -> Iterator[str]:
    """Every lease that the events lead to; gives the name of each invariant that does not hold on the way.

    ``visited`` is told each transition: state, event, new state or the refusal's code.
    """
    start = Lease(), Ghost()
    known, waiting = {repr(start)}, deque([start])
    while waiting:
        lease, ghost = waiting.popleft()
        for event in events(ghost.minted):
            said = repr(lease), repr(event)
            try:
                following, order = handler(lease, event)
            except LeaseError as refusal:
                outcome = "refused: " + refusal.code
                yield from refused_breaches(ghost, event, refusal.code)
            else:
                outcome = following.state
                yield from allowed_breaches(ghost, lease, event, following, order)
                node = following, ghost.then(event, order)
                if node[1].minted <= MOST_EPOCHS and repr(node) not in known:
                    known.add(repr(node))
                    waiting.append(node)
            if visited is not None:
                visited.append((lease.state, type(event).__name__, outcome))
            if (repr(lease), repr(event)) != said:
                yield "unchanged"
                return  # what was known before is no longer true


def test_no_walk_breaks_the_lease() -> None:
    visited: list[tuple[str, str, str]] = []
    assert list(walk(handle, visited)) == []
    # The walk went everywhere: each state met each kind of event, and each refusal was seen.
    kinds = ("Acquire", "Arm", "Revert", "Disarm", "Closed", "Place")
    states = (IDLE, LEASED, ARMED, REVERTED)
    assert {(state, kind) for state, kind, dummy in visited} == {(state, kind) for state in states for kind in kinds}
    codes = ("busy", "fenced", "reverted", "idle")
    assert {outcome for dummy, dummy, outcome in visited} == {*states, *("refused: " + code for code in codes)}


# --- the walk finds what it is there for


def no_latch(lease: Lease, epoch: int) -> None:
    if epoch != lease.epoch:
        raise LeaseError("fenced", "")
    if lease.state == IDLE:
        raise LeaseError("idle", "")


def no_fence(lease: Lease, epoch: int) -> None:
    if not lease.lives:
        raise LeaseError("reverted" if lease.state == REVERTED else "idle", "")


def forgets(lease: Lease, reason: str) -> tuple[Lease, Order]:
    return replace(lease, state=REVERTED, reason=reason), None


@pytest.mark.parametrize(
    ("name", "broken", "found"),
    [("_require", no_latch, "latch"), ("_require", no_fence, "fence"), ("_ended", forgets, "owed")],
)
def test_control_a_part_that_is_broken_is_found(
    name: str, broken: Any, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, name, broken)
    assert found in walk(handle)


def mints_again(lease: Lease, event: Event) -> tuple[Lease, Order]:
    following, order = handle(lease, event)
    return replace(following, epoch=1), order


def hands_over(lease: Lease, event: Event) -> tuple[Lease, Order]:
    return handle(lease, replace(event, holder_alive=False) if isinstance(event, Acquire) else event)


def takes_over_in_silence(lease: Lease, event: Event) -> tuple[Lease, Order]:
    following, order = handle(lease, event)
    return following, None if isinstance(event, Acquire) else order


def returns_to_the_new_owner(lease: Lease, event: Event) -> tuple[Lease, Order]:
    following, order = handle(lease, event)
    return following, Return(following.stable) if isinstance(order, Return) else order


def writes_more(lease: Lease, event: Event) -> tuple[Lease, Order]:
    following, order = handle(lease, event)
    return following, replace(order, split=ALL) if isinstance(order, Write) else order


def places_always(lease: Lease, event: Event) -> tuple[Lease, Order]:
    return handle(replace(lease, state=IDLE) if isinstance(event, Place) else lease, event)


def is_deaf(lease: Lease, event: Event) -> tuple[Lease, Order]:
    if isinstance(event, Revert) and event.epoch is None:
        raise LeaseError("busy", "")
    return handle(lease, event)


def arms_before_it_refuses(lease: Lease, event: Event) -> tuple[Lease, Order]:
    try:
        return handle(lease, event)
    except LeaseError:
        if lease.split is not None:
            object.__setattr__(lease, "split", dict(ALL))
        raise


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (mints_again, "epoch"),
        (hands_over, "owner"),
        (takes_over_in_silence, "owed"),
        (returns_to_the_new_owner, "owed"),
        (writes_more, "asked"),
        (places_always, "fight"),
        (is_deaf, "a person is heard"),
        (arms_before_it_refuses, "unchanged"),
    ],
)
def test_control_a_lease_that_is_broken_is_found(broken: Handle, found: str) -> None:
    assert found in walk(broken)
