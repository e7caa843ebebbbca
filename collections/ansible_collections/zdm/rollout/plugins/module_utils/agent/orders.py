# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders of people, left at a router: by the playbooks, over the protocol, or on the router's host itself.

``abort`` is carried out here and at once: a forced revert, which needs nobody else alive. So are ``lock`` and
``unlock``, which say whether a rollout may start here, and ``finish``, which says that the pool without traffic is let
go: they have nothing to do with a rollout that is under way. All others are kept in the record for the run that holds
the lease; its next renewal brings them to the watch. An order left at several routers has the same id at each, so that
it counts once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, Iterable, Mapping, Optional, Tuple

from .. import _split
from ..routers import open_router
from ..routers.api import Change, Service, Traffic
from . import lease as leases
from .apply import Applied, Order, apply
from .draining import drain
from .gate import Gate
from .record import Record, RecordError, Store, lock_told, retired_told

ABORT, PAUSE, RESUME, PROMOTE, PROMOTE_FULL = "abort", "pause", "resume", "promote", "promote_full"
PARK = "park"
LOCK, UNLOCK, FINISH = "lock", "unlock", "finish"
VERBS = (ABORT, PAUSE, RESUME, PROMOTE, PROMOTE_FULL, PARK, LOCK, UNLOCK, FINISH)

#: How many orders are kept, the newest, and how long their texts may be: all of them go along with each renewal.
KEPT = 16
LONGEST = {"id": 64, "by": 128, "reason": 256}
EXPECTED = {"id": "one that is the same at all routers, and no other order's", "by": "who gives it"}


@dataclass(frozen=True)
class Left:
    """What became of an order: the record as it is now, the traffic as read back after an abort, and the changes.

    ``under_way``: requests and connections at the pool that was let go.
    """

    record: Record
    traffic: Optional[Traffic]
    changes: Tuple[Change, ...]
    under_way: int = 0


def leave(
    store: Store,
    gate: Gate,
    environment: str,
    name: str,
    verb: str,
    by: str,
    id: str,
    at: str,
    reason: str = "",
    even_if_sick: bool = False,
    drain_seconds: float = 0.0,
    check: bool = False,
) -> Left:
    """Leave an order for the rollout of a service; an order whose ``id`` is there already changes nothing.

    ``even_if_sick`` is a person's own word against the gate (abort only). For ``drain_seconds`` what is under way at a
    pool that is let go may end. With ``check`` nothing is written. Raises
    ValueError (the order makes no sense), LeaseError ``idle`` (there is no rollout), RecordError, RouterError.
    """
    order = _checked(verb, by, id, at, reason)
    if verb == ABORT:
        said = "abort, by %s" % by + (": %s" % reason if reason else "")
        event = leases.Revert(epoch=None, reason=said)
        applied = revert_recorded(store, gate, environment, name, event, at, even_if_sick, check)
        return Left(applied.record, applied.traffic, tuple(applied.changes))
    left = _done(store, environment, name, order)
    if check or not left.changes:
        return left  # not even a lock where there is nothing to do
    under_way = drain(lambda: _under_way(left.record), drain_seconds) if verb == FINISH else 0
    with store.applying():
        left = _done(store, environment, name, order)
        if left.changes:
            store.save(left.record)
    return replace(left, under_way=under_way)


def _done(store: Store, environment: str, name: str, order: Mapping[str, str]) -> Left:
    """What becomes of an order that moves no traffic."""
    if order["verb"] in (LOCK, UNLOCK):
        return _locked(store.load(environment, name), order)
    if order["verb"] == FINISH:
        return _let_go(_recorded(store, environment, name), order)
    return _kept(_living(store, environment, name, order["verb"]), order)


def _locked(record: Record, order: Mapping[str, str]) -> Left:
    """The record with the lock or without it. A lock is its owner's: nobody else's takes its place."""
    if (order["verb"] == LOCK) == bool(record.locked):
        if record.locked and record.locked.get("by") != order["by"]:
            raise leases.LeaseError("busy", lock_told(record))
        return Left(record, None, ())
    lock = {key: order[key] for key in ("by", "at", "reason")} if order["verb"] == LOCK else None
    after = replace(record, locked=lock)
    change = Change(
        "lock of %s" % record.name, *("%s\n" % lock_told(each) if each.locked else "" for each in (record, after))
    )
    return Left(after, None, (change,))


def _let_go(record: Record, order: Mapping[str, str]) -> Left:
    """The record in which the pool without traffic is let go. Whoever goes back to it has to bring a release first."""
    if record.lease.minded or record.lease.state == leases.HELD:
        raise leases.LeaseError(
            "busy",
            "run %s of %s has both pools of %s in its hands (%s): nothing is let go before it is over"
            % (record.lease.run, record.lease.owner, record.name, record.lease.state),
        )
    traffic = open_router(record.router).read(Service.from_json(record.service))
    idle = [pool for pool, share in traffic.split.items() if share <= 0]
    if len(idle) != 1 or any(member.weight for member in traffic.members if member.pool in idle):
        shown = _split.describe(traffic.split)
        raise leases.LeaseError(
            "busy", "%s has %s: expected a pool without traffic, which could be let go" % (record.name, shown)
        )
    if record.retired and record.retired.get("pool") == idle[0]:
        return Left(record, None, ())
    after = replace(record, retired={"pool": idle[0], **{key: order[key] for key in ("by", "at", "reason")}})
    change = Change("idle pool of %s" % record.name, "", retired_told(after) + "\n")
    return Left(after, None, (change,))


def _under_way(record: Record) -> Optional[int]:
    """What there is at the pool that is let go; None where the router does not tell."""
    traffic = open_router(record.router).read(Service.from_json(record.service))
    return traffic.sessions((record.retired or {})["pool"])


def revert_recorded(
    store: Store,
    gate: Gate,
    environment: str,
    name: str,
    event: leases.Revert,
    at: str,
    even_if_sick: bool = False,
    check: bool = False,
) -> Applied:
    """A revert for which the record has everything that it needs; RecordError when there is no record."""
    record = _recorded(store, environment, name)
    order = Order(environment=environment, name=name, event=event, at=at, even_if_sick=even_if_sick)
    return apply(store, open_router(record.router), gate, order, check)


def _checked(verb: str, by: str, id: str, at: str, reason: str) -> Dict[str, str]:
    """The order as it is kept; ValueError names what is wrong with it."""
    if verb not in VERBS:
        raise ValueError("order: verb %r is not known: expected one of %s" % (verb, ", ".join(VERBS)))
    texts = {"id": id, "by": by, "reason": reason}
    for key, text in texts.items():
        if len(text) > LONGEST[key]:
            raise ValueError("order: %s has %d characters: expected at most %d" % (key, len(text), LONGEST[key]))
        if not text.isprintable():
            raise ValueError("order: %s is %r: expected one line of printable characters" % (key, text))
        if not text and key != "reason":
            raise ValueError("order: %s is empty: expected %s" % (key, EXPECTED[key]))
    return {"verb": verb, "at": at, **texts}


def _recorded(store: Store, environment: str, name: str) -> Record:
    record = store.load(environment, name)
    if not record.service:
        known = ", ".join("%s/%s" % known for known in store.known()) or "none"
        raise RecordError("no record of %s/%s in %s: known are %s" % (environment, name, store.directory, known))
    return record


def _living(store: Store, environment: str, name: str, verb: str) -> Record:
    record = _recorded(store, environment, name)
    if record.lease.parked:
        raise leases.LeaseError("idle", "there is no run to %s: %s" % (verb, leases.parked_told(record.lease)))
    if record.lease.lives:
        return record
    last = "the last one ended as %s" % record.lease.state
    last += ": %s" % record.lease.reason if record.lease.reason else ""
    raise leases.LeaseError(
        "idle",
        "no rollout of %s is under way here, so there is nothing to %s (%s): 'zdm-agent status' shows what is live,"
        " the playbook rollout starts one" % (name, verb, last),
    )


def _kept(record: Record, order: Mapping[str, str]) -> Left:
    if any(known.get("id") == order["id"] for known in record.orders):
        return Left(record, None, ())
    kept = (*record.orders, order)[-KEPT:]
    change = Change("orders of %s" % record.name, _described(record.orders), _described(kept))
    return Left(replace(record, orders=kept), None, (change,))


def _described(orders: Iterable[Mapping[str, str]]) -> str:
    """A line an order; an older agent's may have less in it."""
    lines = ["%s, by %s at %s" % tuple(order.get(key, "?") for key in ("verb", "by", "at")) for order in orders]
    return "".join(line + "\n" for line in lines)
