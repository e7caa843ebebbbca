# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A router in memory with its guard, whose clock the test turns, and how a test talks to it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.agent.gate import Gate
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Record, Store
from ansible_collections.zdm.rollout.plugins.module_utils.agent.session import Session
from ansible_collections.zdm.rollout.plugins.module_utils.agent.tenure import Means, Tenure
from ansible_collections.zdm.rollout.plugins.module_utils.agent.tenures import Tenures

from .driver import SERVICE, FakeDriver

WEB: dict[str, Any] = {"name": "web", "environment": "test"}
#: A second service of the same router: the fake has only one, so it stands in for both.
API: dict[str, Any] = {"name": "api", "environment": "test"}
RUN: dict[str, Any] = {
    "owner": "ann",
    "release": "v2",
    "service": SERVICE.to_json(),
    "stable": "blue",
    "canary": "green",
}


class Agent:
    """A router with its state directory and its guard's memory, to which many sessions can be had.

    ``t`` is the guard's clock, ``said`` its log, ``paged`` whom it told: state and reason.
    """

    def __init__(self, directory: str, kind: str = "session") -> None:
        self.driver, self.store, self.kind, self.gate = FakeDriver(), Store(directory), kind, Gate()
        self.t = 1000.0
        self.said: list[str] = []
        self.paged: list[tuple[str, str]] = []
        self.start()

    def start(self) -> None:
        """A guard begins: all that one before it had in its memory is gone."""
        means = Means(self.store, self.gate, lambda: self.t, lambda: "noon", self.said.append, self._page)
        self.tenures = Tenures(means)
        self.tenures.adopt()

    def _page(self, record: Record, event: str) -> None:
        self.paged.append((event, record.lease.reason))

    def pass_time(self, seconds: float = 0.1) -> None:
        """The guard's next tick comes after so many seconds."""
        self.t += seconds
        self.tenures.tick()

    def meet(self) -> Session:
        """A session that has said hello."""
        met = Session(self.tenures, self.kind, digest="abc")
        assert ask(met, "hello", versions=[1], router={"type": "fake"})["ok"]
        return met

    def at_25(self, run: str = "r1", **terms: Any) -> Session:
        """A session that holds the lease and has armed 25 %."""
        met = self.meet()
        epoch = ask(met, "acquire", run=run, terms=terms, **RUN)["epoch"]
        assert ask(met, "arm", epoch=epoch, wanted=split(25))["ok"]
        return met

    def renewed(self, met: Session, epoch: int = 1, **keys: Any) -> dict[str, Any]:
        """What a renewal says that brings the present time."""
        return ask(met, "renew", epoch=epoch, t=self.t, **keys)

    @property
    def tenure(self) -> Tenure:
        return self.tenures.of("test", "web")

    @property
    def record(self) -> Record:
        return self.store.load("test", "web")

    @property
    def state(self) -> str:
        return self.record.lease.state

    def copy(self, name: str = "api") -> None:
        """The record of the service once more, for another service."""
        self.store.save(replace(self.record, name=name))


def split(green: float) -> dict[str, Any]:
    return {"split": {"blue": 100.0 - green, "green": green}, "stable": "blue"}


def ask(met: Session, operation: str, **keys: Any) -> dict[str, Any]:
    """The reply to one request."""
    reply: dict[str, Any] = json.loads(met.answer(json.dumps({"id": 7, "op": operation, **keys})))
    assert reply["id"] == 7
    return reply


def refusal(met: Session, operation: str, **keys: Any) -> tuple[str, str]:
    """Code and text of the agent's no."""
    reply = ask(met, operation, **keys)
    assert not reply["ok"], reply
    return reply["error"]["code"], reply["error"]["text"]
