# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease: who may change a service's split on this router, and what happens when it ends.

Rules of this room: pure. No I/O, no clock (time is in the events), nothing of a proxy or of files.
An illegal event raises LeaseError and changes nothing.

Theory of operation. A run *acquires* the lease and gets an epoch, one higher than any before on this router.
With it the run *arms* splits, one after the other: canary's share is on loan. The lease ends in one of two ways:
*disarmed*, the split stays and nobody owes anything; or *reverted*, all traffic back to stable. The run's
connection closing is a revert, so forgetting is safe. A revert is latched: until the next acquire every order
of the old run is refused, and an order with an older epoch is refused for ever. A person's revert (force) needs
no epoch. *Placing* a split is what people do outside of a rollout; it is refused while a lease lives.

    state     | acquire    arm     revert     disarm   closed     place
    ----------+----------------------------------------------------------
    idle      | leased*    .       .          .        .          idle
    leased    | leased*    armed   reverted   idle     reverted   .
    armed     | leased*    armed   reverted   idle     reverted   only the same split
    reverted  | leased*    .       reverted!  .        .          idle

    *  only by the process that now has the holder lock, so that a lease never lives without one that minds it;
       an armed one, whose owner is dead then, is first reverted
    !  by a person only (a second try when the first could not be carried out)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, Type, Union

IDLE, LEASED, ARMED, REVERTED = "idle", "leased", "armed", "reverted"


class LeaseError(Exception):
    """An order that the lease does not allow. ``code`` is one of the protocol's: busy, fenced, reverted, idle."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True)
class Lease:
    """What the router remembers of a service's rollout. ``split`` is the last one intended, in percent."""

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

    @property
    def lives(self) -> bool:
        return self.state in (LEASED, ARMED)


@dataclass(frozen=True)
class Acquire:
    """A run wants the lease. ``holder_alive``: another process has the holder lock."""

    run: str
    owner: str
    release: str
    stable: str
    canary: str
    at: str
    holder_alive: bool = False


@dataclass(frozen=True)
class Arm:
    epoch: int
    split: Mapping[str, float]


@dataclass(frozen=True)
class Revert:
    """``epoch`` None is a person's order (force)."""

    epoch: Optional[int]
    reason: str


@dataclass(frozen=True)
class Disarm:
    epoch: int


@dataclass(frozen=True)
class Closed:
    """The connection of the run that acquired ``epoch`` ended."""

    epoch: int
    reason: str


@dataclass(frozen=True)
class Place:
    """A person's split outside of a rollout."""

    split: Mapping[str, float]
    by: str


Event = Union[Acquire, Arm, Revert, Disarm, Closed, Place]


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


def handle(lease: Lease, event: Event) -> Tuple[Lease, Order]:
    """The lease after ``event``, and what has to be done at the router; LeaseError when it is not allowed.

    For a Write the new lease is recorded before the order is carried out (the intention); for a Return after it,
    so that a revert which was cut short is still owed.
    """
    return _HANDLERS[type(event)](lease, event)


def _acquire(lease: Lease, event: Acquire) -> Tuple[Lease, Order]:
    if event.holder_alive and not lease.lives:
        raise LeaseError("busy", "another session is about to acquire this service or to leave it: try again")
    if event.holder_alive:
        raise LeaseError(
            "busy",
            "run %s of %s holds the lease since %s (release %s): wait for it, or end it with"
            " 'zdm-agent revert' on this router" % (lease.run, lease.owner, lease.since, lease.release),
        )
    owed: Order = Return(lease.stable) if lease.state == ARMED else None
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
        ),
        owed,
    )


def _arm(lease: Lease, event: Arm) -> Tuple[Lease, Order]:
    _require(lease, event.epoch)
    return replace(lease, state=ARMED, split=dict(event.split)), Write(dict(event.split), lease.stable)


def _revert(lease: Lease, event: Revert) -> Tuple[Lease, Order]:
    if event.epoch is not None:
        _require(lease, event.epoch)
    elif lease.state == IDLE:
        raise LeaseError("idle", "no rollout holds this service: nothing to revert; 'undo' goes back a release")
    return _ended(lease, event.reason)


def _closed(lease: Lease, event: Closed) -> Tuple[Lease, Order]:
    _require(lease, event.epoch)
    return _ended(lease, event.reason)


def _ended(lease: Lease, reason: str) -> Tuple[Lease, Order]:
    moved = lease.split is not None
    split = {lease.stable: 100.0, lease.canary: 0.0} if moved else None
    return replace(lease, state=REVERTED, split=split, reason=reason), Return(lease.stable) if moved else None


def _disarm(lease: Lease, event: Disarm) -> Tuple[Lease, Order]:
    _require(lease, event.epoch)
    return replace(lease, state=IDLE, reason=""), None


def _place(lease: Lease, event: Place) -> Tuple[Lease, Order]:
    if lease.lives:
        if lease.split is not None and dict(event.split) == dict(lease.split):
            return lease, None
        raise LeaseError(
            "busy",
            "run %s of %s holds the lease since %s: this split would be fought over; end it with"
            " 'zdm-agent revert' on this router first" % (lease.run, lease.owner, lease.since),
        )
    favoured = max(event.split, key=lambda pool: event.split[pool])
    placed = replace(lease, state=IDLE, split=dict(event.split), reason="placed by %s" % event.by)
    return placed, Write(dict(event.split), favoured)


def _require(lease: Lease, epoch: int) -> None:
    if epoch != lease.epoch:
        raise LeaseError("fenced", "epoch %d is over: %d is in force, held by %s" % (epoch, lease.epoch, lease.owner))
    if lease.state == REVERTED:
        raise LeaseError("reverted", "the lease ended in a revert: %s" % lease.reason)
    if not lease.lives:
        raise LeaseError("idle", "there is no lease: acquire it first")


_HANDLERS: Dict[Type[Any], Callable[[Lease, Any], Tuple[Lease, Order]]] = {
    Acquire: _acquire,
    Arm: _arm,
    Revert: _revert,
    Disarm: _disarm,
    Closed: _closed,
    Place: _place,
}
