# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a parked run leaves, and the plan of the one that finds it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.protocol import NOTE_LIMIT
from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts, Evidence
from ansible_collections.zdm.rollout.plugins.plugin_utils import _parking
from ansible_collections.zdm.rollout.plugins.plugin_utils._errand import A_ROLLOUT, Errand
from ansible_collections.zdm.rollout.plugins.plugin_utils._judging import Judging
from ansible_collections.zdm.rollout.plugins.plugin_utils._live import read_live
from ansible_collections.zdm.rollout.plugins.plugin_utils._obstacles import park_points
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import LiveRouter, Plan, Step, plan
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan_text import timeline
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import Policies, Rollout

from .example import example, fleet_of, live_of, plan_of, spec_of

POLICIES = Policies(None, 300.0, 300.0, 600.0, park_for=3600.0)


def judging(made: Plan) -> Judging:
    begun = Judging(made.stable, made.canary, spec_of().checks, {}, 0.001)
    begun.begin(made.steps[0], 0.0)
    return begun


def left(index: int = 1, held: float = 100.0, passed: bool = False) -> dict[str, Any]:
    """The note that was parked in a step of the example."""
    made = plan_of(example())
    rollout = Rollout(("p1", "p2"), made.steps, POLICIES, step=index, held=held, passed=passed)
    note: dict[str, Any] = json.loads(json.dumps(_parking.note(made, rollout, judging(made), 9.0)))
    return note


def live(note: Any, /, **other: Any) -> dict[str, LiveRouter]:
    """Both routers have parked 50 %; the second one's record is other."""
    varied = example()
    split = {"blue": 50.0, "green": 50.0}
    found = live_of({"p1": split, "p2": split}, fleet_of(varied, spec_of()))
    record = {
        "state": "armed",
        "run": "r1",
        "owner": "ann@desk",
        "release": "2.4.0",
        "stable": "blue",
        "canary": "green",
        "parked": "2026-01-01T09:00:00+00:00",
        "note": note,
    }
    return {"p1": replace(found["p1"], record=record), "p2": replace(found["p2"], record={**record, **other})}


def planned(routers: dict[str, LiveRouter], errand: Errand = A_ROLLOUT, **change: Any) -> Plan:
    spec = spec_of(change)
    return plan(spec, fleet_of(example(), spec), routers, errand)


def refused(routers: dict[str, LiveRouter], **change: Any) -> str:
    with pytest.raises(SpecError) as refusal:
        planned(routers, **change)
    (found,) = refusal.value.problems
    return found.rule


def test_the_plan_goes_on_in_the_step_that_was_parked() -> None:
    made = planned(live(left()))
    assert (made.stable, made.canary, made.deploy) == ("blue", "green", False)
    assert made.takes == _parking.Takes("r1", 1, 100.0, fresh=False)
    assert [step.weight for step in made.to_do] == [50, 100]
    assert made.duration == 600
    assert Plan.from_json(json.loads(json.dumps(made.to_json()))) == made
    said = "\n".join(timeline(made, spec_of()))
    assert "takes up the parked run r1: step 2 of 3 held 100 s" in said
    assert "green 5 %" not in said


def test_or_begins_the_one_after_it() -> None:
    made = planned(live(left(passed=True)))
    assert made.takes == _parking.Takes("r1", 2, 0.0, fresh=True)
    assert [step.weight for step in made.to_do] == [100]
    assert "takes up the parked run r1: step 3 of 3 begins" in "\n".join(timeline(made, spec_of()))


def test_the_last_step_too_though_canary_has_everything_by_then() -> None:
    routers = live(left(2))
    split = {"blue": 0.0, "green": 100.0}
    found = live_of({"p1": split, "p2": split}, fleet_of(example(), spec_of()))
    made = planned({name: replace(found[name], record=router.record) for name, router in routers.items()})
    assert (made.stable, made.canary, made.takes and made.takes.first) == ("blue", "green", 2)


@pytest.mark.parametrize(
    "other",
    [
        {"parked": ""},
        {"run": "r7"},
        {"state": "reverted"},
        {"stable": "green", "canary": "blue"},
        {"note": None},
        {"note": {**left(), "held": "long"}},
        {"note": {**left(), "held": 1e12}},
        {"note": {**left(), "step": -1}},
        {"note": {**left(), "step": 2}},
    ],
)
def test_what_routers_do_not_have_alike_is_not_taken_up(other: dict[str, Any]) -> None:
    routers = live(left(), **other)
    assert refused(routers) == "park.disagree"
    with pytest.raises(SpecError) as refusal:
        planned(routers)
    assert _parking.disagrees(refusal.value)


def test_neither_is_a_note_that_goes_beyond_the_steps() -> None:
    assert refused(live({**left(), "step": 9})) == "park.steps"


def test_nor_pools_that_are_none_of_the_specs() -> None:
    routers = live(left())
    records = {name: {**(router.record or {}), "canary": "red"} for name, router in routers.items()}
    assert refused({name: replace(routers[name], record=records[name]) for name in routers}) == "park.disagree"


def test_the_steps_as_they_were() -> None:
    other = [{"weight": 5, "hold": "5m"}, {"weight": 50, "hold": "6m"}, {"weight": 100, "hold": "5m"}]
    assert refused(live(left()), steps=other) == "park.steps"


def test_what_is_parked_nowhere_is_no_news() -> None:
    routers = {name: replace(router, record=None) for name, router in live(left()).items()}
    assert _parking.found(spec_of(), A_ROLLOUT, routers) is None
    assert _parking.left(routers) == {}


def test_a_record_as_it_comes_in_is_read() -> None:
    said = {
        name: {"traffic": router.traffic.to_json(), "record": router.record, "guard": "resident"}
        for name, router in live(left()).items()
    }
    assert planned(read_live(said)).takes is not None


# --- what the judge knew


def began(state: Any) -> list[float]:
    """All times in a judge's states."""
    if not isinstance(state, dict):
        return []
    own = [state["began"]] if state.get("began") is not None else []
    return [*own, *(each for value in state.values() for each in began(value))]


def test_the_judge_goes_on_from_what_it_knew() -> None:
    made = plan_of(example())
    before = judging(made)
    state = next(case for case, judge in before._sequential())
    before._weigh(state, Evidence(Counts(1000, 5), Counts(1000, 1), t=1.0))
    rollout = Rollout(("p1",), made.steps, POLICIES, step=0)
    note = json.loads(json.dumps(_parking.note(made, rollout, before, 5.0)))
    after = Judging(made.stable, made.canary, spec_of().checks, {}, 0.001)
    after.resume(note, 105.0)
    assert began(after.states) == [each + 100 for each in began(before.states)] != []
    assert after.states["errors"]["canary"] == before.states["errors"]["canary"]
    after.begin(made.steps[0], 107.0)
    assert after.verdict(108.0).outcome in ("inconclusive", "no_data")


@pytest.mark.parametrize("note", [{}, {"judge": 5}, {"judge": {"errors": {"x": 1}}}, {"stable": "x"}, {"stable": [1]}])
def test_what_nobody_can_read_is_nothing_that_it_knows(note: dict[str, Any]) -> None:
    made = plan_of(example())
    after = Judging(made.stable, made.canary, spec_of().checks, {}, 0.001)
    after.resume({"t": 1.0, **note}, 2.0)
    after.begin(made.steps[0], 0.0)
    assert after.verdict(1.0).outcome in ("inconclusive", "no_data")


def test_a_note_is_never_too_long_for_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "judge" in left()
    monkeypatch.setattr(Judging, "states", {"errors": {"x": "y" * NOTE_LIMIT}})
    assert "judge" not in left()


# --- where to park


def steps(*holds: float) -> tuple[Step, ...]:
    return tuple(Step(index, 10.0 * (index + 1), hold, 0, ()) for index, hold in enumerate(holds))


@pytest.mark.parametrize(
    ("holds", "points"),
    [
        ((10, 20), []),
        ((30, 30, 30), ["after step 2 (at 1m)"]),
        ((40, 40, 40), ["after step 1 (at 40s)", "after step 2 (at 1m20s)"]),
        ((10, 100, 10), ["after step 1 (at 10s)", "in step 2 (at 1m10s; its hold goes on meanwhile)"]),
    ],
)
def test_the_points_at_which_jobs_of_a_minute_would_park(holds: tuple[float, ...], points: list[str]) -> None:
    assert park_points(steps(*holds), 60.0)[: len(points)] == points
