# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps: as they are written, or as a progression or a strategy makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._steps import MOST_STEPS, Approve, StepSpec

from .example import spec_of

ALL = ("errors", "ready")


def progression(**written: Any) -> tuple[StepSpec, ...]:
    return spec_of({"progression": written}, without=("steps",)).steps


def test_written_steps_have_the_specs_defaults() -> None:
    written = [
        {"weight": 5, "hold": "90s"},
        {"weight": 12.5, "hold": 60, "min_requests": 200, "checks": ["ready", "ready"]},
        {"weight": 50, "hold": 60, "checks": []},
        {"weight": 100},
    ]
    assert spec_of({"steps": written, "min_requests": 75}).steps == (
        StepSpec(5.0, 90.0, 75, ALL, 90.0),
        StepSpec(12.5, 60.0, 200, ("ready",), 60.0),
        StepSpec(50.0, 60.0, 75, (), 60.0),
        StepSpec(100.0, 0.0, 0, (), 0.0),
    )


def test_a_step_without_a_hold_judges_nothing_unless_it_says_so() -> None:
    with pytest.raises(SpecError, match=r"steps\[1\]\.checks.*give the step a hold"):
        spec_of({"steps": [{"weight": 5, "hold": "5m"}, {"weight": 100, "checks": ["ready"]}]})


@pytest.mark.parametrize(
    ("written", "weights"),
    [
        ({"first": 5, "factor": 2}, [5, 10, 20, 40, 80, 100]),
        ({"first": 30, "add": 30}, [30, 60, 90, 100]),
        ({"first": 25, "add": 25}, [25, 50, 75, 100]),
        ({"first": 1, "factor": 10}, [1, 10, 100]),
        ({"first": 12.34, "factor": 2.51}, [12.34, 30.97, 77.74, 100]),  # 77.743…, not 2.51 times 30.97
        ({"first": 100, "factor": 2}, [100]),
    ],
    ids=str,
)
def test_a_progression_grows_to_exactly_100(written: Mapping[str, Any], weights: list[float]) -> None:
    without_checks = spec_of({"progression": {**written, "hold": "5m"}, "checks": {}}, without=("steps",))
    assert [step.weight for step in without_checks.steps] == weights


def test_a_progression_rises_by_a_hundredth_where_its_growth_is_less() -> None:
    """Exactly 0.01, 0.013, 0.0169, …, 0.0816, 0.106: from there on it grows as it was told."""
    rising = spec_of({"progression": {"first": 0.01, "factor": 1.3, "hold": "5m"}, "checks": {}}, without=("steps",))
    assert [step.weight for step in rising.steps[:10]] == [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.11]


def test_the_first_hold_of_a_progression_may_be_its_own() -> None:
    steps = progression(first=25, add=25, hold="5m", first_hold="1h")
    assert [step.hold for step in steps] == [3600, 300, 300, 300]
    assert {(step.min_requests, step.checks) for step in steps} == {(50, ALL)}


SHARES = st.integers(1, 10000).map(lambda hundredths: hundredths / 100)


@given(SHARES, st.one_of(SHARES.map(lambda add: ("add", add)), st.floats(1.001, 100).map(lambda by: ("factor", by))))
def test_a_progression_rises_to_100_or_is_refused_as_too_long(first: float, growth: tuple[str, float]) -> None:
    try:
        steps = spec_of(
            {"progression": {"first": first, growth[0]: growth[1], "hold": "5m"}, "checks": {}}, without=("steps",)
        ).steps
    except SpecError as error:
        assert [problem.rule for problem in error.problems] == ["progression.long"]
        kind, by = growth
        assert (first + (MOST_STEPS - 1) * by if kind == "add" else first * by ** (MOST_STEPS - 1)) < 100
    else:
        weights = [step.weight for step in steps]
        assert weights == sorted(set(weights))
        assert weights[0] == first
        assert weights[-1] == 100
        assert len(weights) <= MOST_STEPS


# --- progressive and blue_green

ERRORS = {"signal": "router", "compare": "stable"}
READY = {"signal": "http", "path": "/ready", "every": "15s", "in_a_row": 5}
FEW = {"signal": "router", "max": 1, "every": "10s"}


def made(strategy: str, checks: Mapping[str, Any], **spec: Any) -> tuple[StepSpec, ...]:
    return spec_of({"strategy": strategy, "checks": checks, **spec}, without=("steps",)).steps


def test_progressive_raises_as_soon_as_its_checks_agreed_so_often_in_a_row() -> None:
    steps = made("progressive", {"ready": READY, "few": FEW}, progression={"first": 5, "add": 50})
    assert [(step.weight, step.hold, step.checks) for step in steps] == [
        (5.0, 75.0, ("ready", "few")),
        (55.0, 75.0, ("ready", "few")),
        (100.0, 75.0, ("ready", "few")),
    ]


def test_progressive_holds_as_long_as_it_is_told() -> None:
    steps = made("progressive", {"errors": ERRORS}, progression={"first": 50, "factor": 2, "hold": "5m"})
    assert [step.hold for step in steps] == [300.0, 300.0]


def test_blue_green_looks_at_canary_first_and_learns_how_stable_does() -> None:
    checks = {"errors": ERRORS, "ready": READY, "few": FEW}
    before, switch = made("blue_green", checks, bake="5m", min_requests=200)
    assert before == StepSpec(0.0, 75.0, 0, ("ready",), 75.0, None, ("errors",))
    assert switch == StepSpec(100.0, 300.0, 200, ("errors", "ready", "few"), 300.0)


def test_blue_green_takes_its_time_to_learn_where_nothing_is_asked() -> None:
    before, switch = made("blue_green", {"errors": ERRORS})
    assert (before.hold, before.checks, before.learns) == (30.0, (), ("errors",))
    assert switch.hold == 600.0


@pytest.mark.parametrize(("approve", "steps"), [(None, 1), (False, 1), (True, 2)])
def test_blue_green_with_nothing_to_look_at_is_one_switch_unless_somebody_has_to_approve_it(
    approve: bool | None, steps: int
) -> None:
    found = made("blue_green", {}, bake=0, **({} if approve is None else {"approve": approve}))
    assert [step.weight for step in found] == [0.0, 100.0][-steps:]
    assert found[0].approve == (Approve() if approve else None)


def test_an_approval_may_be_waited_for_so_long() -> None:
    steps = spec_of(
        {
            "steps": [
                {"weight": 5, "approve": {"timeout": "4h", "on_timeout": "promote"}},
                {"weight": 50, "approve": {"timeout": 60}},
                {"weight": 100, "approve": False},
            ],
            "checks": {},
        }
    ).steps
    assert [step.approve for step in steps] == [Approve(14400.0, "promote"), Approve(60.0, "rollback"), None]
