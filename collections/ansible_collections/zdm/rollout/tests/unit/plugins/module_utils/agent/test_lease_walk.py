# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease, walked through all that can become of it (walk.py); and each lease that is broken, found by the walk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import lease as room
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import (
    ARMED,
    HELD,
    IDLE,
    LEASED,
    REVERTED,
    STUCK,
    Acquire,
    Lease,
    LeaseError,
    Order,
    Place,
    Return,
    Revert,
    Tick,
    Write,
    handle,
)
from ansible_collections.zdm.rollout.plugins.module_utils.agent.loan import Loan, LoanError

from .walk import AT_75, DONE, MOST_EPOCHS, NOT_DONE, PARKED, SICK, TTL, UNSURE, Handle, breaches, walk

STATES = {IDLE, LEASED, ARMED, REVERTED, HELD, STUCK}
KINDS = {
    *("Acquire", "Arm", "Renew", "Park", "Revert", "Disarm", "Closed", "End", "Stuck", "Tick", "Place"),
    *("Pass", "Restart"),
}


def test_no_walk_breaks_the_lease() -> None:
    nodes, taken, last = 0, 0, None
    met, seen, times = set(), set(), set()
    for step in walk(handle):
        assert list(breaches(step)) == [], step
        taken += 1
        nodes, last = nodes + (step.before is not last), step.before
        lease, ghost = step.before
        met.add((lease.state, type(step.event).__name__))
        seen.add((step.order and type(step.order).__name__, step.outcome))
        if lease.loan is not None:
            times.add((lease.state, lease.loan.expires, ghost.minted))
    print("%d states, %d transitions" % (nodes, taken))
    # The walk went everywhere: each state met each kind of event, at each time that is left to it, ...
    assert met == {(state, kind) for state in STATES for kind in KINDS}
    left = {LEASED: {0.0, 1.0, TTL}, ARMED: {0.0, 1.0, TTL, PARKED}, STUCK: {0.0, 1.0, TTL, PARKED}}
    assert times == {(state, t, n + 1) for state, ts in left.items() for t in ts for n in range(MOST_EPOCHS)}
    # ... and each order every outcome, and each refusal was seen.
    outcomes = {(order, outcome) for order in ("Write", "Return") for outcome in (DONE, SICK, NOT_DONE, UNSURE)}
    refusals = {(None, code) for code in ("busy", "fenced", "reverted", "idle", "bad_request")}
    assert seen == {*outcomes, *refusals, (None, DONE)}
    assert nodes > 7_000
    assert taken > 400_000


# --- the walk finds what it is there for


def found(handler: Handle, name: str) -> bool:
    return any(name in breaches(step) for step in walk(handler))


def no_fence(lease: Lease, epoch: int) -> None:
    pass


def no_latch(lease: Lease, epoch: int) -> Loan:
    if epoch != lease.epoch:
        raise LeaseError("fenced", "")
    return lease.loan or Loan.given(TTL, 0.0)


def prolongs(lease: Lease, epoch: int, t: float) -> Loan:
    return room._lives(lease, epoch)


def forgets(lease: Lease, reason: str, by: str) -> tuple[Lease, Order]:
    return replace(lease, state=REVERTED, reason=reason, loan=None), None


def left_though_parked(loan: Loan, t: float) -> Loan:
    return loan if t + 1.0 >= loan.expires else replace(loan, expires=t + 1.0)


def renewed_though_parked(loan: Loan, ttl: float, echo: float, t: float) -> Loan:
    if echo > t:
        raise LoanError("")
    return loan if echo + ttl <= loan.expires else replace(loan, expires=echo + ttl)


def taken_by_anybody(lease: Lease, event: Acquire) -> tuple[Lease, Order]:
    given = Loan.given(event.ttl, event.t)
    return replace(lease, epoch=lease.epoch + 1, run=event.run, loan=given, parked=""), None


def taken_by_nobody(lease: Lease, event: Acquire) -> tuple[Lease, Order]:
    raise LeaseError("busy", "")


PARTS: dict[str, tuple[Any, str, Any, str]] = {
    "old epochs are let in": (room, "_fence", no_fence, "a stale epoch changes nothing"),
    "an end is none": (room, "_lives", no_latch, "an end is latched"),
    "what is over is prolonged": (room, "_alive", prolongs, "what is over is not prolonged"),
    "a revert moves nothing": (room, "_reverted", forgets, "after its time there is no canary share"),
    "a person's revert moves nothing": (room, "_reverted", forgets, "a revert moves what was lent"),
    "a renewal counts from its arrival": (
        Loan,
        "renewed",
        lambda loan, ttl, echo, t: replace(loan, expires=t + ttl),
        "never armed without a living loan",
    ),
    "an old renewal shortens": (
        Loan,
        "renewed",
        lambda loan, ttl, echo, t: replace(loan, expires=echo + ttl),
        "nothing ends before its time",
    ),
    "a renewal is worth nothing": (Loan, "renewed", lambda loan, *ignored: loan, "nothing ends before its time"),
    "a connection's end is not heard": (Loan, "left", lambda loan, t: loan, "never armed without a living loan"),
    "a connection's end takes what is parked": (
        Loan,
        "left",
        left_though_parked,
        "a parked share is kept while its time lasts",
    ),
    "what is parked is renewed": (
        Loan,
        "renewed",
        renewed_though_parked,
        "a parked share is kept while its time lasts",
    ),
    "what is parked is anybody's": (room, "_taken_up", taken_by_anybody, "only its own run is taken up"),
    "what is parked is nobody's": (room, "_taken_up", taken_by_nobody, "its own run can take it up"),
    "a connection's end prolongs": (
        Loan,
        "left",
        lambda loan, t: replace(loan, expires=t + 1.0),
        "never armed without a living loan",
    ),
    "a connection's end is the lease's": (
        Loan,
        "left",
        lambda loan, t: replace(loan, expires=t),
        "nothing ends before its time",
    ),
    "nothing is meant for so long": (
        Loan,
        "until",
        lambda loan, max_hold, t: loan,
        "never armed without a living loan",
    ),
    "the guard's own end is forgotten": (
        Loan,
        "ended",
        lambda loan, reason: loan,
        "never armed without a living loan",
    ),
    "a dead guard's loan goes on": (
        Loan,
        "left_behind",
        classmethod(lambda kind, t: kind.given(TTL, t)),
        "never armed without a living loan",
    ),
}


@pytest.mark.parametrize(("where", "name", "broken", "breach"), PARTS.values(), ids=PARTS)
def test_control_a_part_that_is_broken_is_found(
    where: Any, name: str, broken: Any, breach: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, name, broken)
    assert found(handle, breach)


def mints_again(lease: Lease, event: Any) -> tuple[Lease, Order]:
    following, order = handle(lease, event)
    return replace(following, epoch=1), order


def hands_over(lease: Lease, event: Any) -> tuple[Lease, Order]:
    return handle(replace(lease, loan=None) if isinstance(event, Acquire) else lease, event)


def keeps_out(lease: Lease, event: Any) -> tuple[Lease, Order]:
    if isinstance(event, Acquire) and lease.state == HELD:
        raise LeaseError("busy", "")
    return handle(lease, event)


def takes_over_in_silence(lease: Lease, event: Any) -> tuple[Lease, Order]:
    following, order = handle(lease, event)
    return following, None if isinstance(event, Acquire) else order


def returns_to_the_new_owner(lease: Lease, event: Any) -> tuple[Lease, Order]:
    following, order = handle(lease, event)
    return following, Return(following.stable) if isinstance(order, Return) else order


def writes_more(lease: Lease, event: Any) -> tuple[Lease, Order]:
    following, order = handle(lease, event)
    return following, replace(order, split=AT_75) if isinstance(order, Write) else order


def places_always(lease: Lease, event: Any) -> tuple[Lease, Order]:
    return handle(replace(lease, state=IDLE) if isinstance(event, Place) else lease, event)


def is_deaf(lease: Lease, event: Any) -> tuple[Lease, Order]:
    if isinstance(event, Revert) and event.epoch is None and lease.state == STUCK:
        raise LeaseError("busy", "")
    return handle(lease, event)


def holds_what_it_decided(lease: Lease, event: Any) -> tuple[Lease, Order]:
    if isinstance(event, Tick) and lease.loan is not None and lease.loan.ending:
        lease = replace(lease, loan=replace(lease.loan, ending="", expires=0.0))
    return handle(lease, event)


def holds_always(lease: Lease, event: Any) -> tuple[Lease, Order]:
    return handle(replace(lease, on_expiry="hold") if isinstance(event, Tick) else lease, event)


def never_ticks(lease: Lease, event: Any) -> tuple[Lease, Order]:
    return (lease, None) if isinstance(event, Tick) else handle(lease, event)


def is_impatient(lease: Lease, event: Any) -> tuple[Lease, Order]:
    return handle(lease, replace(event, t=1.0) if isinstance(event, Tick) else event)


def gives_up(lease: Lease, event: Any) -> tuple[Lease, Order]:
    if isinstance(event, Tick) and lease.state == STUCK:
        return lease, None
    return handle(lease, event)


def changes_before_it_refuses(lease: Lease, event: Any) -> tuple[Lease, Order]:
    try:
        return handle(lease, event)
    except LeaseError:
        if lease.split is not None:
            object.__setattr__(lease, "split", dict(AT_75))
        raise


WHOLE: dict[str, tuple[Handle, str]] = {
    "an epoch comes twice": (mints_again, "an epoch is minted by an acquire"),
    "a living owner's lease is given away": (hands_over, "a living owner is not disturbed"),
    "what is held is nobody's to have": (keeps_out, "what is free can be had"),
    "a debt is taken over in silence": (takes_over_in_silence, "a dead owner's debt is paid to its own stable"),
    "a debt is paid to the wrong one": (returns_to_the_new_owner, "a dead owner's debt is paid to its own stable"),
    "more is written": (writes_more, "never above what was armed"),
    "a person's split within a rollout": (places_always, "a living owner is not disturbed"),
    "a person is not heard": (is_deaf, "a person is heard"),
    "its own decision is held": (holds_what_it_decided, "only what was abandoned is held"),
    "all is held": (holds_always, "only what was abandoned is held"),
    "nobody ticks": (never_ticks, "never armed without a living loan"),
    "a second too early": (is_impatient, "nothing ends before its time"),
    "it is tried once": (gives_up, "what is stuck goes back as soon as it can"),
    "a refusal changes something": (changes_before_it_refuses, "a refusal changes nothing"),
}


@pytest.mark.parametrize(("broken", "breach"), WHOLE.values(), ids=WHOLE)
def test_control_a_lease_that_is_broken_is_found(broken: Handle, breach: str) -> None:
    assert found(broken, breach)
