# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sequential judge as a conversation: what it says of a step, what it carries on, and what it needs to be sure."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from math import log
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import INCONCLUSIVE, NO_DATA, PASS, Counts, Evidence
from ansible_collections.zdm.rollout.plugins.module_utils.judge.continuous import odds
from ansible_collections.zdm.rollout.plugins.module_utils.judge.sequential import Sequential

#: The watch's half of a rollout's alpha.
WANTED = -log(5e-4 / 2)


def fed(judge: Sequential, *news: Evidence, state: Any = None) -> tuple[Any, Any]:
    """The state and the last verdict after these."""
    state, verdict = state or judge.start(), None
    for evidence in news:
        state, verdict = judge.weigh(state, evidence)
    return state, verdict


def test_without_a_request_there_is_no_data() -> None:
    _state, verdict = fed(Sequential(10), Evidence(stable=Counts(100)))
    assert (verdict.outcome, verdict.reason) == (NO_DATA, "canary has had no request")


def test_without_stable_it_is_never_a_pass() -> None:
    _state, verdict = fed(Sequential(10), Evidence(canary=Counts(1000)))
    assert verdict.outcome == INCONCLUSIVE
    assert "stable has had no request to compare with" in verdict.reason


def test_enough_good_requests_pass_and_fewer_do_not() -> None:
    judge = Sequential(50)
    state, verdict = fed(judge, Evidence(Counts(49), Counts(900, 1)))
    assert verdict.outcome == INCONCLUSIVE
    assert verdict.reason.endswith("50 requests are needed")
    _state, verdict = fed(judge, Evidence(Counts(1), Counts(10)), state=state)
    assert verdict.outcome == PASS


def test_one_that_may_be_worse_does_not_pass() -> None:
    judge = Sequential(50, dispersion=1.0)
    state, verdict = fed(judge, *(Evidence(Counts(5, 1), Counts(95), t=float(t)) for t in range(12)))
    assert verdict.outcome == INCONCLUSIVE
    assert judge.log_e(state) > log(20), "how much is enough to turn it back is for the watch to say"
    assert "a false alarm this strong happens once in" in verdict.reason


def seconds_until(judge: Sequential, failing: Callable[[float], float], good: float = 0.001, most: int = 4000) -> float:
    """Seconds until it is sure, of a seeded stream of 5 requests/s at canary, 95 at stable; ``most`` if it is not."""
    chance = random.Random(20261126)

    def fails(requests: int, rate: float) -> Counts:
        return Counts(requests, sum(chance.random() < rate for dummy in range(requests)))

    state = judge.start()
    for t in range(1, most):
        state, _verdict = judge.weigh(state, Evidence(fails(5, failing(t)), fails(95, good), t=float(t)))
        if judge.log_e(state) >= WANTED:
            return t
    return most


def test_what_fails_is_found_the_sooner_the_more_of_it() -> None:
    judge = Sequential(50, dispersion=1.0)
    found = [seconds_until(judge, lambda t, rate=rate: rate) for rate in (1.0, 0.2, 0.1, 0.01)]  # type: ignore[misc]
    assert found == sorted(found)
    assert found[0] <= 3
    assert found[2] <= 25
    assert found[3] <= 600


def test_a_good_release_is_never_accused() -> None:
    judge = Sequential(50, dispersion=1.0)
    assert seconds_until(judge, lambda t: 0.001, most=7200) == 7200


def test_what_hits_both_is_no_fault_of_canary() -> None:
    judge = Sequential(50, dispersion=1.0)
    state, _verdict = fed(judge, *(Evidence(Counts(5, 2), Counts(95, 38), t=float(t)) for t in range(300)))
    assert judge.log_e(state) < 0.0


def test_cold_caches_are_no_reason_and_a_hard_failure_is() -> None:
    """In the warm-up only the hasty test looks."""
    judge = Sequential(50, dispersion=1.0)
    slow = [Evidence(Counts(50, t % 2), Counts(950, 1), t=float(t), warm=False) for t in range(90)]
    state, _verdict = fed(judge, *slow)
    assert judge.log_e(state) < WANTED
    cold, _verdict = fed(judge, *(replace(each, warm=True) for each in slow))
    assert judge.log_e(cold) > WANTED, "the control: without a warm-up"
    hard = [Evidence(Counts(5, 5), Counts(95), t=float(t), warm=False) for t in range(4)]
    state, _verdict = fed(judge, *hard)
    assert judge.log_e(state) > WANTED


def test_a_step_begins_its_counts_anew_and_keeps_the_evidence() -> None:
    judge = Sequential(10, dispersion=1.0)
    state, _verdict = fed(judge, *(Evidence(Counts(5, 1), Counts(95), t=float(t)) for t in range(6)))
    before = judge.log_e(state)
    state = judge.step(state)
    assert judge.log_e(state) == before > 1.0
    assert state["canary"] == [0, 0]
    _state, verdict = fed(judge, Evidence(Counts(9), Counts(100), t=7.0), state=state)
    assert verdict.reason.endswith("10 requests are needed")


def test_after_the_switch_it_is_held_against_what_stable_had_and_the_verdict_says_so() -> None:
    judge = Sequential(10, dispersion=1.0)
    had = Counts(10000, 10)
    switched = [Evidence(Counts(50), had, baseline=True, t=float(t)) for t in range(20)]
    state, verdict = fed(judge, *switched)
    assert verdict.outcome == PASS
    assert "stable 0.10 % of 10,000 before the switch" in verdict.reason
    assert judge.log_e(state) < 0.0
    worse = [Evidence(Counts(50, 5), had, baseline=True, t=20.0 + t) for t in range(20)]
    state, _verdict = fed(judge, *worse, state=state)
    assert judge.log_e(state) > WANTED


def test_bursts_among_stables_members_make_it_patient() -> None:
    judge = Sequential(10)
    calm = judge.dispersion(judge.start())
    members = {"a": Counts(1000, 40), "b": Counts(1000, 0), "c": Counts(1000, 1)}
    state, _verdict = fed(judge, *(Evidence(members=members, t=301.0 * t) for t in range(8)))
    assert judge.dispersion(state) > 5 * calm


def test_a_judge_on_another_machine_says_the_same_to_the_last_bit() -> None:
    judge, chance = Sequential(50), random.Random(1)
    going, carried = judge.start(), judge.start()
    for step in range(500):
        news = Evidence(
            Counts(chance.randrange(6), chance.randrange(2)),
            Counts(chance.randrange(90), chance.randrange(3)),
            t=step * 0.5,
            warm=step > 20,
            members={"a": Counts(40, 1), "b": Counts(40, chance.randrange(2))},
        )
        if step == 200:
            going, carried = judge.step(going), judge.step(json.loads(json.dumps(carried)))
        going, one = judge.weigh(going, news)
        carried, other = judge.weigh(json.loads(json.dumps(carried)), news)
        assert (judge.log_e(going), one) == (judge.log_e(carried), other)
    assert len(json.dumps(going)) < 4000


@pytest.mark.parametrize(
    ("log_e", "said"),
    [
        (log(20), "once in 20 rollouts"),
        (log(12345), "once in 12,000 rollouts"),
        (800.0, "once in more than 1,000,000,000 rollouts"),
    ],
)
def test_how_rare_it_is_is_said_in_rollouts(log_e: float, said: str) -> None:
    assert odds(log_e).endswith(said)
