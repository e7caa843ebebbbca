# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease: who may change a service's split on this router, and what happens when it ends.

Rules of this room: pure. No I/O, no clock (``t`` is the guard's own time in seconds, in the events), nothing of a proxy
or of files. An illegal event raises LeaseError and changes nothing.

Theory of operation. A run *acquires* the lease and gets an epoch, one higher than any before on this router. With it
the run *arms* splits, one after the other: canary's share is on *loan* (loan.py), and has to be renewed. The lease ends
in one of four ways: *disarmed*, the split stays and nobody owes anything; *reverted*, all traffic back to stable;
*held*, it ran out and the user wanted the split to stay; *stuck*, a revert is owed and stable cannot take the traffic.
A tick brings the end about once the loan is over, so forgetting is safe. Every end is latched: until the next acquire
each order of the old run but its revert is refused, and an order with an older epoch is refused for ever. A person's
revert or disarm needs no epoch. *Placing* a split is what people do outside of a rollout.

    state    | acquire arm    renew  park   revert   disarm closed end    stuck tick     place
    ---------+-----------------------------------------------------------------------------------
    idle     | leased  .      .      .      .        .      .      .      .     .        idle
    leased   | busy    armed  leased .      reverted idle   leased leased stuck over     .
    armed    | busy    armed  armed  armed  reverted idle   armed  armed  stuck over     same split
    reverted | leased  .      .      .      person   .      .      .      .     .        idle
    held     | leased  .      .      .      reverted person .      .      .     .        idle
    stuck    | leased  .      .      .      reverted person .      .      stuck reverted idle

    busy        leased once the loan is over (a dead owner's; what it owes is paid first), refused before; armed where
                the run that is *parked* here is taken up: its share is as on loan, for longer, and nobody renews it
    over        reverted or held once the loan is over, unchanged before
    person      only by a person: reverted again, or idle
    same split  a person's, and nothing is done; any other is refused
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, Type

from .lease_events import (
    ON_EXPIRY_HOLD,
    ON_EXPIRY_REVERT,
    TTL_SECONDS,
    Acquire,
    Arm,
    Closed,
    Disarm,
    End,
    Event,
    Order,
    Park,
    Place,
    Renew,
    Return,
    Revert,
    Stuck,
    Tick,
    Write,
)
from .loan import Loan, LoanError

#: The whole machine under one name, for those who drive it.
__all__ = [
    "ARMED",
    "BY_GUARD",
    "BY_PERSON",
    "BY_RUN",
    "HELD",
    "IDLE",
    "LEASED",
    "ON_EXPIRY_HOLD",
    "ON_EXPIRY_REVERT",
    "REVERTED",
    "STUCK",
    "Acquire",
    "Arm",
    "Closed",
    "Disarm",
    "End",
    "Event",
    "Lease",
    "LeaseError",
    "Order",
    "Park",
    "Place",
    "Renew",
    "Return",
    "Revert",
    "Stuck",
    "Tick",
    "Write",
    "handle",
]

IDLE, LEASED, ARMED, REVERTED, HELD, STUCK = "idle", "leased", "armed", "reverted", "held", "stuck"

#: Who ended a lease.
BY_RUN, BY_PERSON, BY_GUARD = "run", "person", "guard"

#: What the first records did not have.
LATER_KEYS = ("ended_by", "ttl", "on_expiry", "parked", "parked_for")


class LeaseError(Exception):
    """An order that the lease does not allow. ``code`` is one of the protocol's: busy, fenced, reverted, idle."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True)
class Lease:
    """What the router remembers of a service's rollout. ``split`` is the last one intended, in percent.

    ``ttl`` in seconds. ``loan`` is in the memory of the guard that minds the lease, never in the record: a lease that
    lives without one was left behind by a guard that died. ``parked``: since when, on the wall clock and for people, it
    is ``parked_for`` so many seconds; empty while a run has it.
    """

    state: str = IDLE
    epoch: int = 0
    run: str = ""
    owner: str = ""
    release: str = ""
    since: str = ""
    stable: str = ""
    canary: str = ""
    split: Optional[Mapping[str, float]] = None
    reason: str = ""
    ended_by: str = ""
    ttl: float = TTL_SECONDS
    on_expiry: str = ON_EXPIRY_REVERT
    parked: str = ""
    parked_for: float = 0.0
    loan: Optional[Loan] = None

    @property
    def lives(self) -> bool:
        return self.state in (LEASED, ARMED)

    @property
    def minded(self) -> bool:
        """Whether a guard has something to do for it."""
        return self.lives or self.state == STUCK

    def to_json(self) -> Dict[str, Any]:
        return {key: getattr(self, key) for key in KEYS}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Lease:
        """From a record; KeyError for a key that every record has."""
        return cls(**{key: data[key] for key in KEYS if key not in LATER_KEYS or key in data})


#: What a record has of a lease; the loan is the guard's alone.
KEYS = tuple(field.name for field in fields(Lease) if field.name != "loan")


Next = Tuple[Lease, Order]


def handle(lease: Lease, event: Event) -> Next:
    """The lease after ``event``, and what has to be done at the router; LeaseError when it is not allowed.

    For a Write the new lease is recorded before the order is carried out (the intention); for a Return after it,
    so that a revert which was cut short is still owed.
    """
    return _HANDLERS[type(event)](lease, event)


def _acquire(lease: Lease, event: Acquire) -> Next:
    lent = lease.lives and lease.loan is not None and not lease.loan.over(event.t)
    if lent and lease.parked:
        return _taken_up(lease, event)
    if lent:
        raise LeaseError(
            "busy",
            "run %s of %s holds the lease since %s (release %s): wait for it, or end it with"
            " 'zdm-agent revert' on this router" % (lease.run, lease.owner, lease.since, lease.release),
        )
    if event.takes:
        why = ": %s" % lease.reason if lease.reason else ""
        raise LeaseError("idle", "run %s is not parked here (state %s)%s" % (event.takes, lease.state, why))
    moved = lease.split is not None and lease.state in (ARMED, HELD, STUCK)
    return (
        Lease(
            state=LEASED,
            epoch=lease.epoch + 1,
            run=event.run,
            owner=event.owner,
            release=event.release,
            since=event.at,
            stable=event.stable,
            canary=event.canary,
            ttl=event.ttl,
            on_expiry=event.on_expiry,
            loan=Loan.given(event.ttl, event.t),
        ),
        Return(lease.stable) if moved else None,
    )


def _taken_up(lease: Lease, event: Acquire) -> Next:
    """A parked share goes to the run that goes on with it, as it is; to nobody else."""
    who = (event.takes, event.release, event.stable, event.canary)
    if who != (lease.run, lease.release, lease.stable, lease.canary):
        raise LeaseError("busy", "%s; until then no other rollout begins" % parked_told(lease))
    loan = Loan.given(event.ttl, event.t)
    taken = replace(lease, epoch=lease.epoch + 1, run=event.run, owner=event.owner, since=event.at, loan=loan)
    return replace(taken, parked="", parked_for=0.0, ttl=event.ttl, on_expiry=event.on_expiry), None


def parked_told(lease: Lease) -> str:
    """Who parked, since when, and what ends it; for people."""
    return (
        "run %s of %s is parked here since %s: a rollout of its release, %s, takes it up; the playbook abort, or"
        " 'zdm-agent revert' on this router, ends it" % (lease.run, lease.owner, lease.parked, lease.release)
    )


def _park(lease: Lease, event: Park) -> Next:
    loan = _alive(lease, event.epoch, event.t)
    if lease.state != ARMED:
        raise LeaseError("idle", "nothing is armed, so there is nothing to park")
    if lease.parked:
        return lease, None  # the order came twice
    parked = replace(lease, parked=event.at, parked_for=event.seconds)
    return replace(parked, loan=loan.parked(event.seconds, event.t)), None


def _arm(lease: Lease, event: Arm) -> Next:
    loan = _alive(lease, event.epoch, event.t)
    if lease.parked and dict(event.split) != dict(lease.split or {}):
        raise LeaseError("busy", parked_told(lease))
    armed = replace(lease, state=ARMED, split=dict(event.split), loan=loan.until(event.max_hold, event.t))
    return armed, Write(dict(event.split), lease.stable)


def _renew(lease: Lease, event: Renew) -> Next:
    loan = _alive(lease, event.epoch, event.t)
    try:
        return replace(lease, loan=loan.renewed(lease.ttl, event.echo, event.t)), None
    except LoanError as error:
        raise LeaseError("bad_request", str(error)) from None


def _revert(lease: Lease, event: Revert) -> Next:
    if event.epoch is not None:
        _fence(lease, event.epoch)
        if lease.state == REVERTED:
            raise LeaseError("reverted", "the lease ended in a revert: %s" % lease.reason)
    if lease.state == IDLE:
        raise LeaseError("idle", "no rollout holds this service: nothing to revert; 'undo' goes back a release")
    return _reverted(lease, event.reason, BY_PERSON if event.epoch is None else BY_RUN)


def _disarm(lease: Lease, event: Disarm) -> Next:
    if event.epoch is not None:
        _lives(lease, event.epoch)
        return _over(lease, IDLE, "", BY_RUN), None
    if not lease.minded and lease.state != HELD:
        raise LeaseError("idle", "no rollout holds this service: there is nothing to disarm")
    return _over(lease, IDLE, event.reason, BY_PERSON), None


def _closed(lease: Lease, event: Closed) -> Next:
    loan = _lives(lease, event.epoch)
    return replace(lease, loan=loan.left(event.t)), None


def _ending(lease: Lease, event: End) -> Next:
    if not lease.lives or lease.loan is None:
        raise LeaseError("idle", "nothing is on loan: the lease is %s" % lease.state)
    return replace(lease, loan=lease.loan.ended(event.reason)), None


def _stuck(lease: Lease, event: Stuck) -> Next:
    if not lease.minded:
        raise LeaseError("idle", "nothing is owed: the lease is %s" % lease.state)
    return replace(_over(lease, STUCK, event.reason, BY_GUARD), loan=lease.loan), None


def _tick(lease: Lease, event: Tick) -> Next:
    if lease.state == STUCK:
        return _reverted(lease, (lease.loan.ending if lease.loan else "") or lease.reason, BY_GUARD)
    reason = lease.loan.over(event.t) if lease.lives and lease.loan is not None else ""
    if not reason:
        return lease, None
    if lease.on_expiry == ON_EXPIRY_HOLD and lease.loan is not None and not lease.loan.ending:
        return _over(lease, HELD, reason, BY_GUARD), None
    return _reverted(lease, reason, BY_GUARD)


def _reverted(lease: Lease, reason: str, by: str) -> Next:
    moved = lease.split is not None
    split = {lease.stable: 100.0, lease.canary: 0.0} if moved else None
    return replace(_over(lease, REVERTED, reason, by), split=split), Return(lease.stable) if moved else None


def _over(lease: Lease, state: str, reason: str, by: str) -> Lease:
    return replace(lease, state=state, reason=reason, ended_by=by, loan=None, parked="", parked_for=0.0)


def _place(lease: Lease, event: Place) -> Next:
    if lease.lives:
        if lease.split is not None and dict(event.split) == dict(lease.split):
            return lease, None
        raise LeaseError(
            "busy",
            "run %s of %s holds the lease since %s: this split would be fought over; end it with"
            " 'zdm-agent revert' on this router first" % (lease.run, lease.owner, lease.since),
        )
    favoured = max(event.split, key=lambda pool: event.split[pool])
    reason = "placed by %s" % event.by
    placed = replace(lease, state=IDLE, split=dict(event.split), reason=reason, ended_by=BY_PERSON, loan=None)
    return placed, Write(dict(event.split), favoured)


def _fence(lease: Lease, epoch: int) -> None:
    if epoch != lease.epoch:
        raise LeaseError("fenced", "epoch %d is over: %d is in force, held by %s" % (epoch, lease.epoch, lease.owner))


def _lives(lease: Lease, epoch: int) -> Loan:
    """The loan of a lease that lives, be it over by now or not."""
    _fence(lease, epoch)
    if lease.state in (REVERTED, HELD, STUCK):
        how = {
            REVERTED: "ended in a revert",
            HELD: "ran out, and the split is held",
            STUCK: "ended, and a revert is owed",
        }
        raise LeaseError("reverted", "the lease %s: %s" % (how[lease.state], lease.reason))
    if not lease.lives or lease.loan is None:
        raise LeaseError("idle", "there is no lease: acquire it first")
    return lease.loan


def _alive(lease: Lease, epoch: int, t: float) -> Loan:
    """The loan of a lease that lives and is not over."""
    loan = _lives(lease, epoch)
    if loan.over(t):
        raise LeaseError("reverted", "the lease is over: %s" % loan.over(t))
    return loan


_HANDLERS: Dict[Type[Any], Callable[[Lease, Any], Next]] = {
    Acquire: _acquire,
    Arm: _arm,
    Renew: _renew,
    Park: _park,
    Revert: _revert,
    Disarm: _disarm,
    Closed: _closed,
    End: _ending,
    Stuck: _stuck,
    Tick: _tick,
    Place: _place,
}
