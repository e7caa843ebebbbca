# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All tenures of a guard: those that a run began here, and those that a guard before it left behind."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Dict, Optional, Tuple

from ..routers import open_router
from ..routers.api import Driver, RouterError, Service
from . import lease as leases
from .apply import Order
from .loan import Loan
from .record import Record, RecordError
from .tenure import Means, Tenure

Key = Tuple[str, str]


class Tenures:
    """By environment and name of the service. ``means`` is what the guard gives them."""

    def __init__(self, means: Means) -> None:
        self.means = means
        self._known: Dict[Key, Tenure] = {}

    @property
    def minded(self) -> bool:
        """Whether there is anything to do for any of them."""
        return any(tenure.minded for tenure in self._known.values())

    def begin(self, driver: Driver, order: Order) -> Tuple[Tenure, Optional[Dict[str, str]]]:
        """A new one, for the run whose ``order`` acquires; and whose lease it took over. LeaseError while one lives."""
        key = (order.environment, order.name)
        before = self._known.get(key)
        if before is not None:
            before.tick()
        record = before.record if before is not None else self.means.store.load(*key)
        if order.service is None or not isinstance(order.event, leases.Acquire):
            raise TypeError("a tenure begins with an acquire that brings the service")
        tenure = Tenure(self.means, driver, record, order.service, order.terms or {})
        applied = tenure.acquire(order.event, order)
        if before is not None and order.event.takes:
            tenure.follow(before)
        self._known[key] = tenure
        return tenure, applied.took_over

    def of(self, environment: str, name: str) -> Tenure:
        """The service's present or last one; LeaseError idle where there is none."""
        known = self._known.get((environment, name))
        if known is None:
            record = self.means.store.load(environment, name)
            if not record.service:
                raise leases.LeaseError("idle", "no rollout has been here for %s in %s" % (name, environment))
            known = self._known[(environment, name)] = self._from(record)
        return known

    def adopt(self) -> None:
        """What a guard that died has left behind is over: it is brought to its end with the next tick."""
        for environment, name in self.means.store.known():
            with contextlib.suppress(RecordError, RouterError, KeyError, TypeError):  # status names a broken record
                record = self.means.store.load(environment, name)
                if record.lease.minded:
                    self._known[(environment, name)] = self._from(record)

    def tick(self) -> None:
        """Let each do what is due; a defect that one meets keeps no other from it."""
        with contextlib.ExitStack() as every:
            for tenure in self._known.values():
                if tenure.minded:
                    every.callback(tenure.tick)

    def left(self, carrier: object) -> None:
        """A connection ended; it may have carried several leases."""
        for tenure in self._known.values():
            tenure.left(carrier)

    def end(self, reason: str) -> None:
        """The guard ends: nobody will mind what is on loan."""
        for tenure in self._known.values():
            tenure.leave(reason)

    def _from(self, record: Record) -> Tenure:
        loan = Loan.left_behind(self.means.clock()) if record.lease.minded else None
        left = replace(record, lease=replace(record.lease, loan=loan))
        return Tenure(self.means, open_router(record.router), left, Service.from_json(record.service), record.terms)
