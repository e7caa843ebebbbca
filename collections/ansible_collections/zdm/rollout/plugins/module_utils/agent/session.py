# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session: one connection's conversation with the agent.

Rules of this room: what an operation means, not how lines travel (guard.py), how a lease is minded (tenure.py) or a
split is changed (apply.py). A lease does not belong to a session: any session that knows its epoch may renew it.
"""

from __future__ import annotations

import math
import sys
import uuid
from dataclasses import replace
from typing import Any, Callable, Dict, Mapping, Optional

from .. import _split
from ..routers import open_router
from ..routers.api import Driver, RouterError, Service, Sick
from . import lease as leases
from . import probe, protocol
from .apply import Order, apply
from .clock import now
from .orders import leave, revert_recorded
from .record import LATER, Record, RecordError
from .tenure import Tenure
from .tenures import Tenures

Reply = Dict[str, Any]


class Session:
    """The operations of protocol version 1 on one router, whose definition comes with ``hello``.

    ``minding``: False where no guard minds leases here, only what needs none is done then; ``why`` says the reason.
    """

    def __init__(self, tenures: Tenures, kind: str, digest: str = "", minding: bool = True, why: str = "") -> None:
        self._tenures = tenures
        self._means = tenures.means
        self._store = tenures.means.store
        self._gate = tenures.means.gate
        self._kind = kind
        self._digest = digest
        self._unminded = "" if minding else why
        self._router: Dict[str, Any] = {}
        self._opened: Optional[Driver] = None
        self._mine: Optional[Tenure] = None
        self._operations: Dict[str, Callable[[Mapping[str, Any]], Reply]] = {
            "hello": self._hello,
            "read": self._read,
            "status": self._status,
            "probe": self._probe,
            "latency": self._latency,
            "acquire": self._acquire,
            "arm": self._arm,
            "renew": self._renew,
            "park": self._park,
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

    def answer(self, line: str) -> str:
        """The reply line to a request line; whatever goes wrong becomes an error reply."""
        number: Any = None
        try:
            request = protocol.parse(line)
            number = request.get("id")
            return protocol.ok(number, **self._operations[request["op"]](request))
        except protocol.ProtocolError as error:
            return protocol.refusal(error.number if number is None else number, error.code, error.text)
        except leases.LeaseError as error:
            return protocol.refusal(number, error.code, error.text)
        except Sick as error:
            return protocol.refusal(number, "sick", str(error))
        except (RouterError, RecordError, OSError) as error:
            return protocol.refusal(number, "router", str(error))
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            return protocol.refusal(number, "bad_request", "%s: %s" % (type(error).__name__, error))

    def close(self) -> None:
        """The connection ended: what it carried does not outlive it for long."""
        self._tenures.left(self)

    def _hello(self, request: Mapping[str, Any]) -> Reply:
        version = protocol.version(request["versions"])
        self._router = dict(request["router"])
        self._opened = open_router(self._router)
        return {
            "version": version,
            "agent": self._digest,
            "python": sys.version.split()[0],
            "guard": self._kind,
            "t": self._t(),
        }

    def _read(self, request: Mapping[str, Any]) -> Reply:
        service = Service.from_json(request["service"])
        record = self._store.load(service.environment, service.name)
        traffic = self._gate.asked(service, self.driver.read(service))
        return {"traffic": traffic.to_json(), "record": record.to_json() if record.service else None}

    def _status(self, request: Mapping[str, Any]) -> Reply:
        records = [record.to_json() for record in self._store.all()]
        return {"records": records, "now": now(), "keeps": list(LATER)}

    def _probe(self, request: Mapping[str, Any]) -> Reply:
        return probe.reply(request["request"])

    def _latency(self, request: Mapping[str, Any]) -> Reply:
        return self.driver.times(Service.from_json(request["service"])).to_json()

    def _acquire(self, request: Mapping[str, Any]) -> Reply:
        self._refuse_unminded()
        service = Service.from_json(request["service"])
        for role in ("stable", "canary"):
            if request[role] not in service.pools:
                raise protocol.ProtocolError(
                    "bad_request", "%s is %r: expected one of %s" % (role, request[role], ", ".join(service.pools))
                )
        terms = protocol.terms(request.get("terms") or {})
        if terms["guard"] == "resident" and self._kind != "resident":
            raise RecordError("the guard here is %s, and a resident one is wanted: apply the role router" % self._kind)
        event = leases.Acquire(
            run=request["run"],
            owner=request["owner"],
            release=request["release"],
            stable=request["stable"],
            canary=request["canary"],
            at=now(),
            t=self._means.clock(),
            ttl=terms["ttl"],
            on_expiry=terms["on_expiry"],
            takes=request.get("takes", ""),
        )
        order = Order(service.environment, service.name, event, now(), service, self._router, terms)
        tenure, took_over = self._tenures.begin(self.driver, order)
        self._mine = tenure
        tenure.carrier = self
        watched = round(tenure.watched, 3)
        return {"epoch": tenure.lease.epoch, "t": self._t(), "took_over": took_over, "parked": watched}

    def _arm(self, request: Mapping[str, Any]) -> Reply:
        wanted = request["wanted"]
        _split.check(wanted["split"])
        hold = request.get("max_hold")
        traffic = self._tenure(request).arm(request["epoch"], wanted["split"], None if hold is None else float(hold))
        return {"traffic": traffic.to_json()}

    def _renew(self, request: Mapping[str, Any]) -> Reply:
        tenure = self._tenure(request)
        tenure.recall()
        if request["epoch"] != tenure.lease.epoch:
            raise leases.LeaseError(
                "fenced", "epoch %d is over, %d is in force" % (request["epoch"], tenure.lease.epoch)
            )
        if tenure.lease.lives:
            try:
                tenure.renew(request["epoch"], float(request["t"]), self)
                self._mine = tenure
            except leases.LeaseError as error:
                if error.code != "reverted":
                    raise
                tenure.tick()  # it came too late: the reply says what has become of it
        keeps = tenure.lease.lives and not tenure.lease.parked  # what parked it left a note of its own
        if keeps and request.get("note") is not None and request["note"] != tenure.record.note:
            self._keep_note(tenure.record, request["note"])
        return dict(tenure.news(), t=self._t())

    def _park(self, request: Mapping[str, Any]) -> Reply:
        if self._kind != "resident":
            raise protocol.ProtocolError(
                "bad_request",
                "park: the guard here is %s, and only a resident one stays: apply the role router" % self._kind,
            )
        seconds, note = protocol.park_seconds(request["for"]), protocol.checked_note("park", request.get("note"))
        return {"traffic": self._tenure(request).park(request["epoch"], seconds, note).to_json()}

    def _revert(self, request: Mapping[str, Any]) -> Reply:
        """By a person (force), or by the run's epoch, over any connection."""
        forced = bool(request.get("force"))
        if not forced and "epoch" not in request:
            raise protocol.ProtocolError("bad_request", "revert: expected 'epoch', or 'force': true")
        if not forced and not self._unminded:
            return {"traffic": self._tenure(request).revert(request["epoch"], request["reason"]).to_json()}
        if "name" not in request:
            raise protocol.ProtocolError("bad_request", "revert: expected 'name' and 'environment' of the service")
        event = leases.Revert(None if forced else request["epoch"], request["reason"])
        applied = revert_recorded(self._store, self._gate, request["environment"], request["name"], event, now())
        return {"traffic": applied.traffic.to_json()}

    def _disarm(self, request: Mapping[str, Any]) -> Reply:
        if not request.get("force"):
            if "epoch" not in request:
                raise protocol.ProtocolError("bad_request", "disarm: expected 'epoch', or 'force': true")
            return {"traffic": self._tenure(request).disarm(request["epoch"]).to_json()}
        for key in ("name", "environment", "by"):
            if key not in request:
                raise protocol.ProtocolError("bad_request", "disarm: 'force' needs %r" % key)
        event = leases.Disarm(None, "disarmed by %s" % request["by"])
        order = Order(request["environment"], request["name"], event, now())
        record = self._store.load(request["environment"], request["name"])
        return {"traffic": apply(self._store, open_router(record.router), self._gate, order).traffic.to_json()}

    def _order(self, request: Mapping[str, Any]) -> Reply:
        left = leave(
            self._store,
            self._gate,
            request["environment"],
            request["name"],
            verb=request["verb"],
            by=request["by"],
            id=request.get("order") or uuid.uuid4().hex,
            at=now(),
            reason=request.get("reason", ""),
        )
        return {"traffic": left.traffic.to_json() if left.traffic else None}

    def _history(self, request: Mapping[str, Any]) -> Reply:
        record = self._store.load(request["environment"], request["name"])
        return {"rollouts": [dict(rollout) for rollout in record.rollouts]}

    def _tenure(self, request: Mapping[str, Any]) -> Tenure:
        self._refuse_unminded()
        if "name" in request and "environment" in request:
            return self._tenures.of(request["environment"], request["name"])
        if self._mine is None:
            raise leases.LeaseError("idle", "this session has no lease: acquire it first, or name the service")
        return self._mine

    def _refuse_unminded(self) -> None:
        if self._unminded:
            raise RecordError("no guard minds leases on this host: %s" % self._unminded)

    def _keep_note(self, record: Record, note: Any) -> None:
        protocol.checked_note("renew", note)
        with self._store.applying():
            current = self._store.load(record.environment, record.name)
            if current.lease.epoch == record.lease.epoch:
                self._store.save(replace(current, note=note))

    def _t(self) -> float:
        """The guard's time, never one that has not been yet: a renewal may bring it back at once."""
        return math.floor(self._means.clock() * 1000) / 1000
