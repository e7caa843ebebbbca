# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a router answers is read as the contracts say, or refused by the place where it does not keep them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Record
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import MemberState, Scale, Traffic
from ansible_collections.zdm.rollout.plugins.plugin_utils._live import read_live
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import LiveRouter
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError

TRAFFIC = Traffic((MemberState("w1-blue", "blue", "up", 256),), {"blue": 100.0, "green": 0.0}, Scale("server", 256))
ENDED = {"run": "r1", "release": "2.3.0", "stable": "green", "canary": "blue", "outcome": "promoted", "since": "2026"}
RECORD: dict[str, Any] = {
    "state": "idle",
    "stable": None,
    "locked": {"by": "me", "reason": "two\nlines"},
    "rollouts": [ENDED],
    "of a newer agent": 1,
}
RATE = {"blue": {"requests": 40.0, "failures": 0}}


def answer(path: str = "", value: Any = None) -> dict[str, Any]:
    """An answer in order, but for one place."""
    whole = {
        "traffic": TRAFFIC.to_json(),
        "record": RECORD,
        "guard": "resident",
        "rate": RATE,
        "more": 1,
    }
    place: Any = json.loads(json.dumps({"p1": whole}))
    *parents, key = ["p1", *path.split(".")] if path else ["p1", "more"]
    there = place
    for parent in parents:
        there = there[int(parent)] if parent.isdigit() else there[parent]
    there[int(key) if key.isdigit() else key] = value
    return dict(place)


def test_an_answer_is_read_and_what_it_has_besides_is_passed_over() -> None:
    assert read_live(answer()) == {"p1": LiveRouter(TRAFFIC, RECORD, "resident", RATE)}


def test_what_may_be_missing_may_be_missing() -> None:
    traffic = {key: TRAFFIC.to_json()[key] for key in ("members", "split", "scale")}
    assert read_live({"p1": {"traffic": traffic}}) == {"p1": LiveRouter(TRAFFIC, None)}


@pytest.mark.parametrize("nothing", [None, {}, "unreachable", {"msg": "unreachable"}, {"traffic": None}])
def test_a_router_that_did_not_answer_is_left_out(nothing: Any) -> None:
    assert read_live({"p2": nothing}) == {}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("traffic", "much", "a mapping"),
        ("traffic.members", {"a": 1}, "a list"),
        ("traffic.members", "w1", "a list"),
        ("traffic.members.0", None, "a mapping"),
        ("traffic.members.0.pool", ["blue"], "a text in one line"),
        ("traffic.members.0.name", "w1\x1b[2J", "a text in one line"),
        ("traffic.members.0.weight", True, "a whole number from 0 on"),
        ("traffic.members.0.weight", -1, "a whole number from 0 on"),
        ("traffic.members.0.base", 0.5, "a whole number from 0 on"),
        ("traffic.split.blue", float("nan"), "a share from 0 to 100 percent"),
        ("traffic.split.blue", 10**400, "a share from 0 to 100 percent"),
        ("traffic.scale.top", 10**9, "a whole number from 1 to 1000000"),
        ("traffic.scale.per", "host", "server or pool"),
        ("traffic.held", "yes", "true or false"),
        ("traffic.durable", {}, "a text in one line"),
        ("traffic.promises", None, "a list"),
        ("record", [], "a mapping"),
        ("record.state", 1, "a text in one line"),
        ("record.stable", {}, "a text in one line"),
        ("record.locked", "yes", "a mapping"),
        ("record.rollouts", 5, "a list"),
        ("record.rollouts.0.since", None, "a text in one line"),
        ("guard", None, "a text in one line"),
        ("rate.blue", {"requests": 1}, "a number from 0 on"),
    ],
)
def test_an_answer_that_nobody_can_read_is_refused_by_its_place(path: str, value: Any, expected: str) -> None:
    with pytest.raises(SpecError) as refusal:
        read_live(answer(path, value))
    (problem,) = refusal.value.problems
    assert problem.rule == "plan.answer" and expected in problem.expected and "p1's agent" in problem.next_step
    assert problem.key.replace("[0]", ".0").startswith(f"p1.{path}")


def test_of_each_router_the_first_thing_is_told() -> None:
    broken = {"traffic": {"members": 1, "split": 2}}
    with pytest.raises(SpecError) as refusal:
        read_live({"p1": broken, "p2": broken})
    assert [problem.key for problem in refusal.value.problems] == ["p1.traffic.members", "p2.traffic.members"]


def test_a_record_that_an_agent_writes_is_read() -> None:
    """Whatever its state: what is looked at is not stricter than what is written."""
    record = Record(environment="production", name="web").to_json()
    assert read_live({"p1": {"traffic": TRAFFIC.to_json(), "record": record}})["p1"].record == record
