# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated agent of the bench is a contract: what a guard would refuse, it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.agents import Agent, counted

WHO = {"run": "r1", "owner": "ann@desk", "release": "v2", "stable": "blue", "canary": "green"}
SERVICE = {"service": {}, "terms": {"ttl": 10.0}}


def ask(agent: Agent, now: float, op: str, **keys: Any) -> dict[str, Any]:
    reply: dict[str, Any] = json.loads(agent.answer(json.dumps({"id": 7, "op": op, **keys}), now))
    return reply


@pytest.fixture
def agent() -> Agent:
    """Leased at 100 and armed with a quarter for green."""
    agent = Agent()
    assert ask(agent, 100.0, "acquire", **WHO, **SERVICE)["epoch"] == 1
    armed = ask(agent, 100.0, "arm", epoch=1, wanted={"split": {"blue": 75.0, "green": 25.0}, "stable": "blue"})
    assert armed["traffic"]["split"] == {"blue": 75.0, "green": 25.0}
    return agent


@pytest.mark.parametrize(
    ("now", "request_", "code"),
    [
        (101.0, {"op": "renew", "epoch": 2, "t": 100.0}, "fenced"),
        (111.0, {"op": "renew", "epoch": 1, "t": 100.0}, "reverted"),
        (101.0, {"op": "renew", "epoch": 1, "t": 102.0}, "bad_request"),
        (101.0, {"op": "renew", "epoch": 1}, "bad_request"),
        (101.0, {"op": "acquire", **WHO, **SERVICE}, "busy"),
        (101.0, {"op": "history", "name": "web", "environment": "test"}, "bad_request"),
        (101.0, {"op": "dance"}, "bad_request"),
    ],
)
def test_what_a_guard_would_refuse_is_refused(agent: Agent, now: float, request_: dict[str, Any], code: str) -> None:
    reply = ask(agent, now, **request_)
    assert (reply["ok"], reply["error"]["code"]) == (False, code)
    assert agent.refused == 1
    assert agent.split == {"blue": 75.0, "green": 25.0}


def test_gaps_are_counted_and_the_one_that_is_not_over_counts_too(agent: Agent) -> None:
    for now, echo in ((101.0, 100.0), (101.5, 101.0), (104.0, 101.5)):
        assert ask(agent, now, "renew", epoch=1, t=echo)["state"] == "armed"
    assert counted([agent], 104.5) == {"gaps": [2.5], "renewals": 3, "refused": 0, "armed": 1}
    assert counted([agent], 107.0) == {"gaps": [3.0], "renewals": 0, "refused": 0, "armed": 1}


def test_a_revert_brings_it_back(agent: Agent) -> None:
    assert ask(agent, 101.0, "revert", epoch=1, reason="bad")["traffic"]["split"] == {"blue": 100.0, "green": 0.0}
    assert counted([agent], 101.0)["armed"] == 0
