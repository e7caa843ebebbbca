# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one function that changes a router's split, whoever orders it: a rollout, a person, a module, a dying session.

    apply lock -> lease (epoch) -> record the intention -> gate -> driver -> read back -> record

The lease says whether the order is allowed and what is to be done; the gate (invariant 2: no traffic to a pool
that is not healthy now) says whether it may be done; the driver does it. Nothing else in zdm writes to a router.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .. import _split
from ..routers.api import Change, Driver, Service, Sick, Traffic, Wanted
from ..routers.rules import MATCH
from . import lease as leases
from .gate import Gate
from .record import Record, RecordError, Store, lock_told

#: Events that bring traffic back, or decide that it stays: done on a full disk as well.
RETURNING = (leases.Revert, leases.Tick)


@dataclass(frozen=True)
class Order:
    """An event for the lease, with what the record has to remember about it.

    ``service``, ``router`` (definitions) and ``terms`` are given by those who bring them (acquire, place); otherwise
    the record's own are used. ``remembered`` is the record as the guard knows it, with the loan. ``even_if_sick`` is
    a person's own word against the gate. ``note``: what a run that parks leaves for the one that takes it up.
    """

    environment: str
    name: str
    event: leases.Event
    at: str
    service: Optional[Service] = None
    router: Optional[Mapping[str, Any]] = None
    terms: Optional[Mapping[str, Any]] = None
    remembered: Optional[Record] = None
    even_if_sick: bool = False
    note: Any = None


@dataclass(frozen=True)
class Applied:
    """What came of an order: the record as it is now, the traffic as read back, and what was changed for it.

    ``unsaved``: the traffic went back, and the disk did not take the record of it; why.
    """

    record: Record
    traffic: Traffic
    changes: List[Change]
    took_over: Optional[Dict[str, str]] = None
    unsaved: str = ""


def apply(store: Store, driver: Driver, gate: Gate, order: Order, check: bool = False) -> Applied:
    """Carry out an order under the router's apply lock.

    Raises LeaseError (not allowed), RouterError (of which Sick: the gate) and RecordError. After an error the
    record says what is still owed: an armed lease stays armed until its revert has been read back.
    With ``check`` nothing is written, neither record nor lock nor router; ``changes`` says what would be.
    """
    # Even a lock would be a file that was not there before.
    with contextlib.nullcontext() if check else store.applying(for_return=isinstance(order.event, RETURNING)):
        old = store.recall(order.remembered) if order.remembered else store.load(order.environment, order.name)
        service = order.service or Service.from_json(old.service)
        if isinstance(order.event, leases.Acquire) and old.locked:
            raise leases.LeaseError("busy", lock_told(old))
        lease, action = leases.handle(old.lease, order.event)
        new = _remembered(old, lease, service, order)

        # Whoever takes over a dead owner's lease owes its revert to that owner's pools, not to its own.
        target = service
        if isinstance(order.event, leases.Acquire) and action is not None:
            target = Service.from_json(old.service)
        wanted = _wanted(action, target, order)
        changes = driver.changes(target, wanted) if wanted else []
        if check:
            return Applied(new, driver.read(target), changes)

        unsaved = ""
        if isinstance(action, leases.Write):
            store.save(new)
        if wanted:
            traffic = _carry_out(driver, gate, target, wanted, changes, isinstance(action, leases.Return))
        else:
            traffic = driver.read(service)
        if not isinstance(action, leases.Write) and new != old:
            try:
                store.save(new)
            except RecordError as error:
                # Traffic is where it belongs, and that is what counts; nothing is raised on such a disk.
                if lease.lives or not isinstance(order.event, RETURNING):
                    raise
                unsaved = str(error)
        return Applied(new, traffic, changes, _took_over(old.lease, order.event), unsaved)


def close(store: Store, driver: Driver, remembered: Record) -> Tuple[Record, int]:
    """End what is under way at the canary of a rollout that was reverted, if it still has no traffic; how many it was.

    The record's last rollout says so from then on. RouterError, RecordError.
    """
    with store.applying():
        record = store.recall(remembered)
        lease, service = record.lease, Service.from_json(record.service)
        traffic = driver.read(service)
        left = traffic.sessions(lease.canary) or 0
        mine = lease.state == leases.REVERTED and lease.epoch == remembered.lease.epoch
        if not left or not mine or traffic.given(lease.canary) > 0:
            return record, 0
        driver.close(service, lease.canary)
        record = record.with_closed(left)
        store.save(record)
        return record, left


def _carry_out(
    driver: Driver, gate: Gate, target: Service, wanted: Wanted, changes: List[Change], returns: bool
) -> Traffic:
    if not wanted.even_if_sick:
        _refuse_sick(driver, gate, target, wanted)
    if returns and not wanted.even_if_sick:
        driver.revert(target, wanted.stable)
    elif changes:
        driver.write(target, wanted)
    return driver.verify(target, wanted)


def _remembered(old: Record, lease: leases.Lease, service: Service, order: Order) -> Record:
    """The record after the order: with the rollout that it ended in the history, and its orders gone with it."""
    if isinstance(order.event, leases.Park):
        return replace(old, lease=lease, note=order.note)
    if isinstance(order.event, leases.Acquire) and order.event.takes:
        # The same rollout goes on: nothing has ended, and what was ordered before it was parked was heard.
        router, terms = dict(order.router or old.router), dict(order.terms or {})
        return replace(old, lease=lease, orders=(), service=service.to_json(), router=router, terms=terms)
    if old.lease.lives and lease.epoch != old.lease.epoch:
        lost = replace(old.lease, state=leases.REVERTED, reason="its guard died, run %s took over" % lease.run)
        old = replace(old, lease=lost).ended(_outcome(lost), order.at)
    if isinstance(order.event, (leases.Acquire, leases.Place)) and not old.lease.lives:
        router = dict(order.router or old.router)
        retired = old.retired if isinstance(order.event, leases.Place) else None
        terms = dict(order.terms or {})
        return replace(old, lease=lease, retired=retired, service=service.to_json(), router=router, terms=terms)
    # What a living lease's revert needs is what its own run gave.
    new = replace(old, lease=lease)
    return new.ended(_outcome(lease), order.at) if old.lease.lives and not lease.lives else new


def _wanted(action: leases.Order, service: Service, order: Order) -> Optional[Wanted]:
    if action is None:
        return None
    if isinstance(action, leases.Write):
        armed = isinstance(order.event, leases.Arm)
        return Wanted(split=action.split, stable=action.stable, even_if_sick=order.even_if_sick, armed=armed)
    split = {pool: 100.0 if pool == action.stable else 0.0 for pool in service.pools}
    return Wanted(split=split, stable=action.stable, even_if_sick=order.even_if_sick)


def _refuse_sick(driver: Driver, gate: Gate, service: Service, wanted: Wanted) -> None:
    """Every pool that is to get more than it has now, be it by a share or by ``match``, must be healthy now."""
    traffic = driver.read(service)
    matched, shown = wanted.targets(service).get(MATCH), traffic.rules or {}
    for pool, share in wanted.split.items():
        # A stable pool that died keeps what it was set to: leaving it for canary gives it no more than it has.
        has = traffic.given(pool) if wanted.armed and pool == wanted.stable else traffic.split.get(pool, 0.0)
        grows = share > 0 and share > has + _split.POINTS_TOLERANCE
        if grows or (pool == matched and shown.get(MATCH) != pool):
            reason = gate.sickness(service, traffic, pool)
            if reason:
                raise Sick(
                    "%s would get %s of %s, but %s: nothing was changed"
                    % (pool, _split.percent(share) + " %" if grows else "who matches", service.name, reason)
                )


def _outcome(lease: leases.Lease) -> str:
    if lease.state in (leases.REVERTED, leases.STUCK):
        return "rolled_back"
    if lease.state == leases.HELD:
        return "held"
    share = (lease.split or {}).get(lease.canary, 0.0)
    return "promoted" if share == 100.0 else "released"


def _took_over(old: leases.Lease, event: leases.Event) -> Optional[Dict[str, str]]:
    """Who had the lease before, where it did not end by its own run's order."""
    if not isinstance(event, leases.Acquire) or event.takes or not (old.lives or old.ended_by == leases.BY_GUARD):
        return None
    return {"run": old.run, "owner": old.owner, "since": old.since, "state": old.state, "reason": old.reason}
