# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A router in memory to which sessions can be had, and how a test talks to one."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.agent.gate import Gate
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Store
from ansible_collections.zdm.rollout.plugins.module_utils.agent.session import Session

from .driver import SERVICE, FakeDriver

WEB = {"name": "web", "environment": "test"}
RUN: dict[str, Any] = {
    "owner": "ann",
    "release": "v2",
    "service": SERVICE.to_json(),
    "stable": "blue",
    "canary": "green",
}


class Agent:
    """A router with its state directory, to which many sessions can be had."""

    def __init__(self, directory: str) -> None:
        self.driver, self.store = FakeDriver(), Store(directory)

    def meet(self) -> Session:
        """A session that has said hello."""
        met = Session(self.store, digest="abc", gate=Gate())
        assert ask(met, "hello", versions=[1], router={"type": "fake"})["ok"]
        return met

    def at_25(self, run: str = "r1") -> Session:
        """A session that holds the lease and has armed 25 %."""
        met = self.meet()
        epoch = ask(met, "acquire", run=run, **RUN)["epoch"]
        assert ask(met, "arm", epoch=epoch, wanted=split(25))["ok"]
        return met


def split(green: float) -> dict[str, Any]:
    return {"split": {"blue": 100.0 - green, "green": green}, "stable": "blue"}


def ask(met: Session, operation: str, **keys: Any) -> dict[str, Any]:
    """The reply to one request."""
    reply: dict[str, Any] = json.loads(met.answer(json.dumps({"id": 7, "op": operation, **keys})))
    assert reply["id"] == 7
    return reply
