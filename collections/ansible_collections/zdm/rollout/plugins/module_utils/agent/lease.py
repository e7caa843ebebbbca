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

    state    | acquire arm    renew  revert   disarm closed end    stuck tick     place
    ---------+----------------------------------------------------------------------------
    idle     | leased  .      .      .        .      .      .      .     .        idle
    leased   | busy    armed  leased reverted idle   leased leased stuck over     .
    armed    | busy    armed  armed  reverted idle   armed  armed  stuck over     same split
    reverted | leased  .      .      person   .      .      .      .     .        idle
    held     | leased  .      .      reverted person .      .      .     .        idle
    stuck    | leased  .      .      reverted person .      .      stuck reverted idle

    busy        leased once the loan is over (a dead owner's; what it owes is paid first), refused before
    over        reverted or held once the loan is over, unchanged before
    person      only by a person: reverted again, or idle
    same split  a person's, and nothing is done; any other is refused
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, Type, Union

from .loan import Loan, LoanError

IDLE, LEASED, ARMED, REVERTED, HELD, STUCK = "idle", "leased", "armed", "reverted", "held", "stuck"

#: What is done with canary's share when the lease runs out.
ON_EXPIRY_REVERT, ON_EXPIRY_HOLD = "revert", "hold"

#: Who ended a lease.
BY_RUN, BY_PERSON, BY_GUARD = "run", "person", "guard"

TTL_SECONDS = 10.0

#: What the first records did not have.
LATER_KEYS = ("ended_by", "ttl", "on_expiry")


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
    lives without one was left behind by a guard that died.
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


@dataclass(frozen=True)
class Acquire:
    """A run wants the lease, for ``ttl`` seconds at a time."""

    run: str
    owner: str
    release: str
    stable: str
    canary: str
    at: str
    t: float
    ttl: float = TTL_SECONDS
    on_expiry: str = ON_EXPIRY_REVERT


@dataclass(frozen=True)
class Arm:
    """``max_hold``: seconds after which the lease ends though it is renewed; None: as long as it is renewed."""

    epoch: int
    split: Mapping[str, float]
    t: float
    max_hold: Optional[float] = None


@dataclass(frozen=True)
class Renew:
    """``echo`` is the newest of the guard's own times that the run has seen."""

    epoch: int
    echo: float
    t: float


@dataclass(frozen=True)
class Revert:
    """``epoch`` None is a person's order (force)."""

    epoch: Optional[int]
    reason: str


@dataclass(frozen=True)
class Disarm:
    """``epoch`` None is a person's order (force), and ``reason`` their words."""

    epoch: Optional[int]
    reason: str = ""


@dataclass(frozen=True)
class Closed:
    """The connection that last renewed ended."""

    epoch: int
    t: float


@dataclass(frozen=True)
class End:
    """The guard's own decision (its reflex, its end): the loan is over, and the next tick is a revert."""

    reason: str


@dataclass(frozen=True)
class Stuck:
    """The revert that is due cannot be made: stable cannot take the traffic."""

    reason: str


@dataclass(frozen=True)
class Tick:
    """Time has passed."""

    t: float


@dataclass(frozen=True)
class Place:
    """A person's split outside of a rollout."""

    split: Mapping[str, float]
    by: str


Event = Union[Acquire, Arm, Renew, Revert, Disarm, Closed, End, Stuck, Tick, Place]


@dataclass(frozen=True)
class Write:
    """Order: bring this split about, ``stable`` favoured meanwhile."""

    split: Mapping[str, float]
    stable: str


@dataclass(frozen=True)
class Return:
    """Order: all traffic to ``stable``."""

    stable: str


Order = Optional[Union[Write, Return]]
Next = Tuple[Lease, Order]


def handle(lease: Lease, event: Event) -> Next:
    """The lease after ``event``, and what has to be done at the router; LeaseError when it is not allowed.

    For a Write the new lease is recorded before the order is carried out (the intention); for a Return after it,
    so that a revert which was cut short is still owed.
    """
    return _HANDLERS[type(event)](lease, event)


def _acquire(lease: Lease, event: Acquire) -> Next:
    if lease.lives and lease.loan is not None and not lease.loan.over(event.t):
        raise LeaseError(
            "busy",
            "run %s of %s holds the lease since %s (release %s): wait for it, or end it with"
            " 'zdm-agent revert' on this router" % (lease.run, lease.owner, lease.since, lease.release),
        )
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


def _arm(lease: Lease, event: Arm) -> Next:
    loan = _alive(lease, event.epoch, event.t)
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
        return replace(lease, state=IDLE, reason="", ended_by=BY_RUN, loan=None), None
    if not lease.minded and lease.state != HELD:
        raise LeaseError("idle", "no rollout holds this service: there is nothing to disarm")
    return replace(lease, state=IDLE, reason=event.reason, ended_by=BY_PERSON, loan=None), None


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
    return replace(lease, state=STUCK, reason=event.reason, ended_by=BY_GUARD), None


def _tick(lease: Lease, event: Tick) -> Next:
    if lease.state == STUCK:
        return _reverted(lease, (lease.loan.ending if lease.loan else "") or lease.reason, BY_GUARD)
    reason = lease.loan.over(event.t) if lease.lives and lease.loan is not None else ""
    if not reason:
        return lease, None
    if lease.on_expiry == ON_EXPIRY_HOLD and lease.loan is not None and not lease.loan.ending:
        return replace(lease, state=HELD, reason=reason, ended_by=BY_GUARD, loan=None), None
    return _reverted(lease, reason, BY_GUARD)


def _reverted(lease: Lease, reason: str, by: str) -> Next:
    moved = lease.split is not None
    split = {lease.stable: 100.0, lease.canary: 0.0} if moved else None
    after = replace(lease, state=REVERTED, split=split, reason=reason, ended_by=by, loan=None)
    return after, Return(lease.stable) if moved else None


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
    Revert: _revert,
    Disarm: _disarm,
    Closed: _closed,
    End: _ending,
    Stuck: _stuck,
    Tick: _tick,
    Place: _place,
}
