# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session: one connection's conversation with the agent, and the lease that it may come to hold.

Rules of this room: what an operation means, not how lines travel (pump.py) or how a split is changed (apply.py).
A session has at most one lease. While it has it, the pump calls ``sample`` a few times a second and ``close``
when the connection ends; ``close`` is what brings traffic back when the controller is gone.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import asdict, replace
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Mapping, Optional

from .. import _split
from ..routers import open_router
from ..routers.api import Counters, Driver, Health, Member, RouterError, Service, Sick, Traffic
from . import lease as leases
from . import protocol
from .apply import Applied, Order, apply
from .gate import Gate
from .probe import probe
from .record import Record, RecordError, Store

Reply = Dict[str, Any]


def now() -> str:
    """The wall clock, for people; never used to decide anything."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


class Session:
    """The operations of protocol version 1 on one router, whose definition comes with ``hello``."""

    def __init__(self, store: Store, digest: str = "", gate: Optional[Gate] = None) -> None:
        self.store = store
        self.digest = digest
        self.gate = gate or Gate()
        self._router: Dict[str, Any] = {}
        self._opened: Optional[Driver] = None
        self._service: Optional[Service] = None
        self._epoch = 0
        self._holder: Optional[int] = None
        self._traffic: Optional[Traffic] = None
        self._armed: Optional[Traffic] = None
        self._counters: Dict[str, Counters] = {}
        self._failure = ""
        self._corrections = 0
        self._operations: Dict[str, Callable[[Mapping[str, Any]], Reply]] = {
            "hello": self._hello,
            "read": self._read,
            "status": self._status,
            "probe": self._probe,
            "acquire": self._acquire,
            "arm": self._arm,
            "renew": self._renew,
            "revert": self._revert,
            "disarm": self._disarm,
            "order": self._order,
            "history": self._history,
        }

    @property
    def driver(self) -> Driver:
        if self._opened is None:
            raise protocol.ProtocolError("bad_request", "the router is not known: say hello first")
        return self._opened

    @property
    def holds(self) -> bool:
        """Whether this session has a lease to look after."""
        return self._holder is not None

    def answer(self, line: str) -> str:
        """The reply line to a request line; whatever goes wrong becomes an error reply."""
        number: Any = None
        try:
            request = protocol.parse(line)
            number = request.get("id")
            return protocol.ok(number, **self._operations[request["op"]](request))
        except (protocol.ProtocolError, leases.LeaseError) as error:
            return protocol.refusal(number, error.code, error.text)
        except Sick as error:
            return protocol.refusal(number, "sick", str(error))
        except (RouterError, RecordError) as error:
            return protocol.refusal(number, "router", str(error))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            return protocol.refusal(number, "bad_request", "%s: %s" % (type(error).__name__, error))

    def sample(self) -> None:
        """Read the router once; put the share right where only the set of live members changed."""
        if self._service is None or not self.holds:
            return
        try:
            traffic = self.driver.read(self._service)
            self._counters = self.driver.counters(self._service)
            if self._drifted_by_health(traffic):
                traffic = self._correct()
            self._traffic, self._failure = traffic, ""
        except (RouterError, RecordError, leases.LeaseError) as error:
            self._failure = str(error)

    def close(self, reason: str) -> str:
        """The connection ended: revert what is armed. Empty when nothing is owed any more, else what went wrong."""
        if self._service is None or not self.holds:
            return ""
        try:
            self._apply(leases.Closed(self._epoch, reason))
        except leases.LeaseError:
            pass  # disarmed, reverted or taken over by somebody else: nothing is owed
        except (RouterError, RecordError) as error:
            return str(error)
        self._let_go()
        return ""

    def _hello(self, request: Mapping[str, Any]) -> Reply:
        version = protocol.version(request["versions"])
        self._router = dict(request["router"])
        self._opened = open_router(self._router)
        return {
            "version": version,
            "agent": self.digest,
            "python": sys.version.split()[0],
        }

    def _read(self, request: Mapping[str, Any]) -> Reply:
        service = Service.from_json(request["service"])
        record = self.store.load(service.environment, service.name)
        return {"traffic": self.driver.read(service).to_json(), "record": record.to_json() if record.service else None}

    def _status(self, request: Mapping[str, Any]) -> Reply:
        return {"records": [record.to_json() for record in self.store.all()], "now": now()}

    def _probe(self, request: Mapping[str, Any]) -> Reply:
        wanted = request["request"]
        member = Member(**wanted["member"])
        health = Health(path=wanted["path"], port=wanted.get("port"), timeout=wanted["timeout"])
        answer = probe(member, health)
        silent = answer.status is None
        return {
            "status": answer.status,
            "failure": answer.failure if silent else "",
            "body": answer.body,
            "seconds": round(answer.seconds, 4),
        }

    def _acquire(self, request: Mapping[str, Any]) -> Reply:
        service = Service.from_json(request["service"])
        for role in ("stable", "canary"):
            if request[role] not in service.pools:
                raise protocol.ProtocolError(
                    "bad_request", "%s is %r: expected one of %s" % (role, request[role], ", ".join(service.pools))
                )
        if self.holds:
            raise protocol.ProtocolError("bad_request", "this session holds a lease already: use a connection each")
        holder = self.store.hold(service.environment, service.name)
        with contextlib.ExitStack() as refused:
            if holder is not None:
                refused.callback(os.close, holder)
            event = leases.Acquire(
                run=request["run"],
                owner=request["owner"],
                release=request["release"],
                stable=request["stable"],
                canary=request["canary"],
                at=now(),
                holder_alive=holder is None,
            )
            applied = self._apply(event, service)
            refused.pop_all()
        self._service, self._holder, self._epoch = service, holder, applied.record.lease.epoch
        self._corrections = 0
        self.sample()
        return {"epoch": self._epoch, "took_over": applied.took_over}

    def _arm(self, request: Mapping[str, Any]) -> Reply:
        wanted = request["wanted"]
        _split.check(wanted["split"])
        traffic = self._apply(leases.Arm(request["epoch"], wanted["split"])).traffic
        self._traffic = self._armed = traffic
        return {"traffic": traffic.to_json()}

    def _renew(self, request: Mapping[str, Any]) -> Reply:
        service = self._leased()
        record = self.store.load(service.environment, service.name)
        if request["epoch"] != record.lease.epoch:
            raise leases.LeaseError(
                "fenced", "epoch %d is over, %d is in force" % (request["epoch"], record.lease.epoch)
            )
        if request.get("note") is not None and request["note"] != record.note:
            self._keep_note(record, request["note"])
        return {
            "state": record.lease.state,
            "reason": record.lease.reason,
            "t": round(time.monotonic(), 3),
            "traffic": self._traffic.to_json() if self._traffic else None,
            "counters": {name: asdict(counters) for name, counters in self._counters.items()},
            "failure": self._failure,
            "corrections": self._corrections,
            "orders": [dict(order) for order in record.orders],
        }

    def _revert(self, request: Mapping[str, Any]) -> Reply:
        """By a person (force), by the run's own connection, or by its epoch over any connection."""
        if not request.get("force") and "epoch" not in request:
            raise protocol.ProtocolError("bad_request", "revert: expected 'epoch', or 'force': true")
        event = leases.Revert(None if request.get("force") else request["epoch"], request["reason"])
        if "name" in request:
            applied = revert_recorded(self.store, self.gate, request["environment"], request["name"], event)
        else:
            applied = self._apply(event)
        if self._is_mine(applied.record):
            self._let_go()
        return {"traffic": applied.traffic.to_json()}

    def _disarm(self, request: Mapping[str, Any]) -> Reply:
        applied = self._apply(leases.Disarm(request["epoch"]))
        self._let_go()
        return {"traffic": applied.traffic.to_json()}

    def _order(self, request: Mapping[str, Any]) -> Reply:
        if request["verb"] != "abort":
            raise protocol.ProtocolError("bad_request", "order: verb %r is not yet: expected abort" % request["verb"])
        with self.store.applying():
            record = self.store.load(request["environment"], request["name"])
            if not record.lease.lives:
                raise leases.LeaseError(
                    "idle", "no rollout holds %s: nothing to %s" % (request["name"], request["verb"])
                )
            order = {"verb": request["verb"], "by": request["by"], "at": now()}
            self.store.save(replace(record, orders=record.orders + (order,)))
        return {}

    def _history(self, request: Mapping[str, Any]) -> Reply:
        record = self.store.load(request["environment"], request["name"])
        return {"rollouts": [dict(rollout) for rollout in record.rollouts]}

    def _is_mine(self, record: Record) -> bool:
        service = self._service
        if service is None or (record.environment, record.name) != (service.environment, service.name):
            return False
        return record.lease.epoch == self._epoch

    def _leased(self) -> Service:
        if self._service is None:
            raise leases.LeaseError("idle", "this session has no lease: acquire it first")
        return self._service

    def _apply(self, event: leases.Event, brought: Optional[Service] = None) -> Applied:
        """Who acquires brings the definitions that the record keeps."""
        service = brought or self._leased()
        order = Order(
            environment=service.environment,
            name=service.name,
            event=event,
            at=now(),
            service=brought,
            router=self._router if brought else None,
        )
        return apply(self.store, self.driver, self.gate, order)

    def _keep_note(self, record: Record, note: Any) -> None:
        if len(protocol.compact({"note": note})) > protocol.NOTE_LIMIT:
            raise protocol.ProtocolError("bad_request", "renew: the note is over %d bytes" % protocol.NOTE_LIMIT)
        with self.store.applying():
            current = self.store.load(record.environment, record.name)
            if current.lease.epoch == record.lease.epoch:
                self.store.save(replace(current, note=note))

    def _drifted_by_health(self, traffic: Traffic) -> bool:
        """The weights are those of the last order, but another set of live members makes another split of them."""
        before = self._armed
        service = self._leased()
        split = self.store.load(service.environment, service.name).lease.split
        if before is None or split is None or not traffic.held or _split.can_hold(traffic.split, split):
            return False
        return {m.name: m.weight for m in traffic.members} == {m.name: m.weight for m in before.members}

    def _correct(self) -> Traffic:
        service = self._leased()
        lease = self.store.load(service.environment, service.name).lease
        if lease.state != leases.ARMED or lease.split is None:
            return self.driver.read(service)
        traffic = self._armed = self._apply(leases.Arm(self._epoch, lease.split)).traffic
        self._corrections += 1
        return traffic

    def _let_go(self) -> None:
        if self._holder is not None:
            os.close(self._holder)
        self._holder = None


def revert_recorded(
    store: Store, gate: Gate, environment: str, name: str, event: leases.Revert, even_if_sick: bool = False
) -> Applied:
    """A revert for which the record has everything that it needs; RecordError when there is no record."""
    record = store.load(environment, name)
    if not record.service:
        known = ", ".join("%s/%s" % known for known in store.known()) or "none"
        raise RecordError("no record of %s/%s in %s: known are %s" % (environment, name, store.directory, known))
    order = Order(environment=environment, name=name, event=event, at=now(), even_if_sick=even_if_sick)
    return apply(store, open_router(record.router), gate, order)
