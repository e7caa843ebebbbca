# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease: its table row by row, and a walk through everything that can happen to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

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

QUARTER, HALF = {"blue": 75.0, "green": 25.0}, {"blue": 50.0, "green": 50.0}
BACK = {"blue": 100.0, "green": 0.0}
OURS = Acquire("run-2", "ann@ops", "v2", "blue", "green", "noon")
THEIRS = replace(OURS, run="run-3", owner="bob@ops", holder_alive=True)
ORPHANED = replace(THEIRS, holder_alive=False)

HELD = Lease(LEASED, 7, "run-2", "ann@ops", "v2", "noon", "blue", "green")
TAKEN = replace(HELD, epoch=8, run="run-3", owner="bob@ops")
RAISED = replace(HELD, state=ARMED, split=QUARTER)
ENDED = replace(HELD, state=REVERTED, reason="bad")
UNDONE = replace(ENDED, split=BACK)
FREE = replace(HELD, state=IDLE)

#: state, event, and what comes of it: the lease and the order, or the code of the refusal.
TABLE: dict[str, tuple[Lease, Event, Lease | str, Order]] = {
    "idle acquire": (replace(FREE, epoch=6), OURS, HELD, None),
    "idle arm": (FREE, Arm(7, QUARTER), "idle", None),
    "idle revert": (FREE, Revert(7, "bad"), "idle", None),
    "idle revert by a person": (FREE, Revert(None, "bad"), "idle", None),
    "idle disarm": (FREE, Disarm(7), "idle", None),
    "idle closed": (FREE, Closed(7, "bad"), "idle", None),
    "idle place": (
        Lease(epoch=7),
        Place(HALF, "ann"),
        Lease(epoch=7, split=HALF, reason="placed by ann"),
        Write(HALF, "blue"),
    ),
    "leased acquire": (HELD, THEIRS, "busy", None),
    "leased acquire of a dead owner's": (HELD, ORPHANED, TAKEN, None),
    "leased arm": (HELD, Arm(7, QUARTER), RAISED, Write(QUARTER, "blue")),
    "leased revert": (HELD, Revert(7, "bad"), ENDED, None),
    "leased revert by a person": (HELD, Revert(None, "bad"), ENDED, None),
    "leased disarm": (HELD, Disarm(7), FREE, None),
    "leased closed": (HELD, Closed(7, "bad"), ENDED, None),
    "leased place": (HELD, Place(HALF, "ann"), "busy", None),
    "armed acquire": (RAISED, THEIRS, "busy", None),
    "armed acquire of a dead owner's": (RAISED, ORPHANED, TAKEN, Return("blue")),
    "armed arm": (RAISED, Arm(7, HALF), replace(RAISED, split=HALF), Write(HALF, "blue")),
    "armed revert": (RAISED, Revert(7, "bad"), UNDONE, Return("blue")),
    "armed revert by a person": (RAISED, Revert(None, "bad"), UNDONE, Return("blue")),
    "armed disarm": (RAISED, Disarm(7), replace(RAISED, state=IDLE), None),
    "armed closed": (RAISED, Closed(7, "bad"), UNDONE, Return("blue")),
    "armed place another": (RAISED, Place(HALF, "ann"), "busy", None),
    "armed place the same": (RAISED, Place(QUARTER, "ann"), RAISED, None),
    "reverted acquire": (UNDONE, replace(OURS, run="run-3", owner="bob@ops"), TAKEN, None),
    "reverted arm": (UNDONE, Arm(7, QUARTER), "reverted", None),
    "reverted revert": (UNDONE, Revert(7, "bad"), "reverted", None),
    "reverted revert by a person, again": (UNDONE, Revert(None, "bad"), UNDONE, Return("blue")),
    "reverted disarm": (UNDONE, Disarm(7), "reverted", None),
    "reverted closed": (UNDONE, Closed(7, "bad"), "reverted", None),
    "reverted place": (
        UNDONE,
        Place(HALF, "ann"),
        replace(UNDONE, state=IDLE, split=HALF, reason="placed by ann"),
        Write(HALF, "blue"),
    ),
}


@pytest.mark.parametrize("row", TABLE)
def test_table(row: str) -> None:
    before, event, after, order = TABLE[row]
    if isinstance(after, str):
        with pytest.raises(LeaseError) as refusal:
            handle(before, event)
        assert refusal.value.code == after
    else:
        assert handle(before, event) == (after, order)


@pytest.mark.parametrize("event", [Arm(6, QUARTER), Revert(6, "x"), Disarm(6), Closed(6, "x"), Arm(8, QUARTER)])
@pytest.mark.parametrize("state", [FREE, HELD, RAISED, UNDONE], ids=lambda lease: lease.state)
def test_another_epoch_is_refused_in_every_state(state: Lease, event: Event) -> None:
    with pytest.raises(LeaseError) as refusal:
        handle(state, event)
    assert refusal.value.code == "fenced"
    assert "ann@ops" in refusal.value.text


def test_a_refusal_names_the_owner_and_what_ends_it() -> None:
    with pytest.raises(LeaseError, match=r"run-2 of ann@ops.*since noon.*v2.*zdm-agent revert"):
        handle(RAISED, THEIRS)


# --- the walk


Handler = Callable[[Lease, Event], "tuple[Lease, Order]"]
DEEP = 6


def events(lease: Lease) -> Iterator[Event]:
    """Everything that can come, from those who know the epoch, who know an old one, and who guess one."""
    yield from (OURS, THEIRS, ORPHANED, Place(QUARTER, "ann"), Place(HALF, "ann"), Revert(None, "a person"))
    for epoch in {lease.epoch, lease.epoch - 1, lease.epoch + 1}:
        yield from (Arm(epoch, QUARTER), Arm(epoch, HALF), Revert(epoch, "x"), Disarm(epoch), Closed(epoch, "x"))


def violations(handler: Handler) -> set[str]:
    """What a handler breaks on some path of events from a router that has never seen a rollout."""
    found: set[str] = set()
    seen: set[str] = set()
    edge = [Lease()]
    for dummy in range(DEEP):
        following = []
        for lease in edge:
            for event in events(lease):
                before = repr(lease)
                try:
                    after, order = handler(lease, event)
                except LeaseError:
                    assert repr(lease) == before
                    continue
                found |= set(broken(lease, event, after, order))
                if repr(after) not in seen:
                    seen.add(repr(after))
                    following.append(after)
        edge = following
    assert len(seen) > 100, "the walk went nowhere"
    return found


def broken(lease: Lease, event: Event, after: Lease, order: Order) -> Iterator[str]:
    """The rules that one transition breaks."""
    stale = getattr(event, "epoch", None) not in (None, lease.epoch)
    if stale:
        yield "another epoch changed something"
    if after.epoch != lease.epoch + isinstance(event, Acquire):
        yield "an epoch is not minted once for each acquire"
    if isinstance(event, Acquire) and event.holder_alive and lease.lives:
        yield "a living owner's lease was taken"
    if lease.state == ARMED and not isinstance(event, Disarm) and not after.lives and order != Return(lease.stable):
        yield "an armed lease ended and nobody owes its return"
    if lease.state == ARMED and isinstance(event, Acquire) and order != Return(lease.stable):
        yield "a dead owner's split was left to its fate"
    if lease.state == REVERTED and after.lives and not isinstance(event, Acquire):
        yield "the latch of a revert gave way"
    if isinstance(order, Write) and order.split != getattr(event, "split", None):
        yield "a split was written that nobody asked for"
    if isinstance(event, Place) and lease.lives and order is not None:
        yield "somebody else's split was written into a living lease"


def test_no_path_breaks_a_rule() -> None:
    assert violations(handle) == set()


def careless(*forgotten: str) -> Handler:
    """The lease's handler with something forgotten."""

    def handler(lease: Lease, event: Event) -> tuple[Lease, Order]:
        if "fence" in forgotten and isinstance(event, (Arm, Disarm)):
            event = replace(event, epoch=lease.epoch)
        if "latch" in forgotten and lease.state == REVERTED and isinstance(event, Arm):
            lease = replace(lease, state=ARMED)
        if "owner" in forgotten and isinstance(event, Acquire):
            event = replace(event, holder_alive=False)
        after, order = handle(lease, event)
        if "debt" in forgotten and isinstance(order, Return):
            order = None
        return after, order

    return handler


@pytest.mark.parametrize(
    ("forgotten", "rule"),
    [
        ("fence", "another epoch changed something"),
        ("latch", "the latch of a revert gave way"),
        ("owner", "a living owner's lease was taken"),
        ("debt", "an armed lease ended and nobody owes its return"),
    ],
)
def test_the_walk_finds_what_is_forgotten__control(forgotten: str, rule: str) -> None:
    assert rule in violations(careless(forgotten))
