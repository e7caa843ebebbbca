# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's conversation with an agent in this process, on a real proxy; its guard ticks when the test says so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.agent.clock import now
from ansible_collections.zdm.rollout.plugins.module_utils.agent.gate import Gate
from ansible_collections.zdm.rollout.plugins.module_utils.agent.guard import boottime
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Store
from ansible_collections.zdm.rollout.plugins.module_utils.agent.session import Session
from ansible_collections.zdm.rollout.plugins.module_utils.agent.tenure import Means
from ansible_collections.zdm.rollout.plugins.module_utils.agent.tenures import Tenures
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Service


class Conversation:
    """It has acquired the lease for run r1 of ann@ci, from blue to green."""

    def __init__(self, router: Mapping[str, Any], service: Service) -> None:
        means = Means(Store.of(router), Gate(), boottime, now, lambda text: None, lambda record, event: None)
        self._tenures = Tenures(means)
        self._session = Session(self._tenures, "session")
        self._t = 0.0
        self.say("hello", versions=[1], router=dict(router))
        who = {"run": "r1", "owner": "ann@ci", "release": "v2", "stable": "blue", "canary": "green"}
        self._epoch = self.say("acquire", service=service.to_json(), **who)["epoch"]

    def say(self, operation: str, **keys: Any) -> dict[str, Any]:
        """The reply to a request that is carried out."""
        reply: dict[str, Any] = json.loads(self._session.answer(json.dumps({"id": 1, "op": operation, **keys})))
        assert reply["ok"], reply
        self._t = reply.get("t", self._t)
        return reply

    def arm(self, split: Mapping[str, float]) -> dict[str, Any]:
        return self.say("arm", epoch=self._epoch, wanted={"split": dict(split), "stable": "blue"})

    def look(self) -> dict[str, Any]:
        """What the guard does some times a second, and what the run hears of it."""
        self._tenures.tick()
        return self.say("renew", epoch=self._epoch, t=self._t)

    def revert(self) -> None:
        self.say("revert", epoch=self._epoch, reason="the test is over")
