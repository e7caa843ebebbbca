# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cause that both pools have in common: found when both fail more than stable did before, and only then."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import CommonCause, Counts

Rate = Callable[[float], float]
ONSET = 300


def usual(t: float) -> float:
    return 0.01


def outage(t: float) -> float:
    """A fifth of all fails for two minutes."""
    return 0.2 if ONSET <= t < ONSET + 120 else 0.01


def found_at(canary: Rate, stable: Rate, most: int = 1200, state: Any = None) -> tuple[int, Any]:
    """The second in which it is found (``most`` if never), of 10 and 90 requests a second; and the state by then."""
    chance, cause = random.Random(20261127), CommonCause()
    state = state or cause.start()
    for t in range(most):

        def fails(requests: int, rate: float) -> Counts:
            return Counts(requests, sum(chance.random() < rate for dummy in range(requests)))

        state = cause.weigh(state, fails(10, canary(t)), fails(90, stable(t)), float(t))
        if cause.found(state):
            return t, state
    return most, state


def test_an_outage_of_both_is_found_within_seconds() -> None:
    second, state = found_at(outage, outage)
    assert ONSET <= second <= ONSET + 10
    assert CommonCause().found(state).startswith("both pools fail: stable ")
    assert "after %s before" % Counts(*state["past"]) in CommonCause().found(state), "what stable had until then"


@pytest.mark.parametrize(
    ("canary", "stable"),
    [(usual, usual), (outage, usual), (usual, outage)],
    ids=["neither", "only canary", "only stable"],
)
def test_it_takes_both(canary: Rate, stable: Rate) -> None:
    assert found_at(canary, stable)[0] == 1200


def test_a_service_that_always_fails_so_often_is_as_it_was() -> None:
    assert found_at(lambda t: 0.2, lambda t: 0.2)[0] == 1200


def test_it_is_over_when_stable_is_well_for_a_block() -> None:
    """What an outage taught is not taken for the past: the next one is found as fast."""
    cause = CommonCause()
    second, state = found_at(outage, outage)
    for t in range(second, ONSET + 400):
        rate = outage(float(t))
        state = cause.weigh(state, Counts(10, round(10 * rate)), Counts(90, round(90 * rate)), float(t))
    assert cause.found(state) == ""
    assert Counts(*state["past"]).share < 2.0


def test_without_a_past_nothing_is_said() -> None:
    """A rollout that begins in an outage has nothing to compare with."""
    assert found_at(lambda t: 0.5, lambda t: 0.5, most=59)[0] == 59


def test_the_state_is_json() -> None:
    _second, state = found_at(outage, outage)
    assert json.loads(json.dumps(state)) == state
    assert len(json.dumps(state)) < 4000
