# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The count test with two margins: its guarantee computed exactly, each part of it with a control, and its power."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from math import exp, fsum, log
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts
from ansible_collections.zdm.rollout.plugins.module_utils.judge.margin import ALTERNATIVES, Margin, gain, gain_alone

from .exact import RATES, ROUNDING, SIZES, expected, outcomes

MARGINS = ((1.0, 0.0), (1.25, 0.001), (2.0, 0.0), (1.25, 0.02))
ALPHA = 5e-4
#: The logarithm that the evidence has to reach.
WANTED = -log(ALPHA)

Factor = Callable[[Counts, Counts], float]


def largest(factor: Callable[[float, float, float], Factor], excess: float = 0.0) -> float:
    """The largest E[L] with canary at p_c = r*p_b + d, plus ``excess``: the worst of what it may be."""
    return max(
        expected(factor(rho, ratio, margin), canary, min(1.0, ratio * rate + margin + excess), stable, rate)
        for rho in (1.3, 4.0, 1000.0)
        for ratio, margin in MARGINS
        for (canary, stable), rate in itertools.product(SIZES, RATES)
    )


def as_it_is(rho: float, ratio: float, margin: float) -> Factor:
    return lambda ones, others: gain(rho, ratio, margin, ones, others)


def test_a_batch_is_worth_at_most_1_where_canary_is_as_bad_as_it_may_be() -> None:
    assert largest(as_it_is) <= 1 + ROUNDING


def no_points(rho: float, ratio: float, margin: float) -> Factor:
    return lambda ones, others: gain(rho, ratio, 0.0, ones, others)


def no_ratio(rho: float, ratio: float, margin: float) -> Factor:
    return lambda ones, others: gain(rho, 1.0, margin, ones, others)


def as_asked(rho: float, ratio: float, margin: float) -> Factor:
    """With one to ten, as the split was meant to be, and not as the requests came."""

    def factor(ones: Counts, others: Counts) -> float:
        total = ones.requests + others.requests
        ones, others = Counts(total // 11 or 1, ones.failures), Counts(total - total // 11, others.failures)
        return gain(rho, ratio, margin, ones, others)

    return factor


@pytest.mark.parametrize("wrong", [no_points, no_ratio, as_asked])
def test_control_it_is_worth_more_where_something_is_forgotten(wrong: Any) -> None:
    assert largest(wrong) > 1.01


def test_control_it_is_worth_more_where_canary_is_worse() -> None:
    assert largest(as_it_is, excess=0.05) > 1.05


@pytest.mark.parametrize("rho", [1.3, 4.0, 1000.0])
def test_it_is_worth_less_where_canary_is_better(rho: float) -> None:
    for (canary, stable), (p_c, p_b) in itertools.product(SIZES, itertools.combinations(RATES, 2)):
        assert expected(as_it_is(rho, 1.25, 0.001), canary, p_c, stable, p_b) <= 1 + ROUNDING


@pytest.mark.parametrize("limit", [0.011, 0.1, 0.5, 1.0])
def test_canary_alone_is_worth_at_most_1_up_to_its_limit(limit: float) -> None:
    def worth(excess: float) -> float:
        return max(
            expected(lambda ones, dummy, r=rho: gain_alone(r, limit, ones), 9, rate, 0, 0.0)  # type: ignore[misc]
            for rho in (1.3, 4.0, 50.0)
            for rate in (0.0, limit / 2, limit + excess)
        )

    assert worth(0.0) <= 1 + ROUNDING
    assert limit == 1.0 or worth(limit / 2) > 1.01


@pytest.mark.parametrize("dispersion", [1.0, 2.0])
@pytest.mark.parametrize("rates", [(0.0, 0.0, 0.0), (0.02, 0.02, 0.02), (0.01, 0.7, 0.01)])
def test_the_evidence_itself_is_worth_at_most_1_at_any_time(
    dispersion: float, rates: tuple[float, float, float]
) -> None:
    """Three batches with all their outcomes, and a restart before each."""
    judge = Margin(1.25, 0.02, horizon=600.0)

    def walk(state: Any, step: int, excess: float) -> float:
        if step == len(rates):
            return exp(judge.log_e(state))
        worst = min(1.0, 1.25 * rates[step] + 0.02 + excess)
        return fsum(
            p * q * walk(judge.weigh(state, (ones, others), step * 61.0, dispersion), step + 1, excess)
            for ones, p in outcomes(2, worst)
            for others, q in outcomes(3, rates[step])
        )

    assert walk(judge.start(), 0, 0.0) <= 1 + ROUNDING
    assert walk(judge.start(), 0, 0.6) > walk(judge.start(), 0, 0.0) + 0.05, "the control: worse than it may be"


def test_tempering_is_for_failures_that_come_together() -> None:
    """In pairs that fail or do not, in both pools: half as many tries, each counted twice."""

    def in_pairs(ones: Counts, others: Counts) -> float:
        return gain(4.0, 1.25, 0.001, *(Counts(2 * each.requests, 2 * each.failures) for each in (ones, others)))

    worth = [
        max(expected(in_pairs, 6, 1.25 * rate + 0.001, 9, rate, weight) for rate in RATES[:7]) for weight in (0.5, 1.0)
    ]
    assert worth[0] <= 1 + ROUNDING
    assert worth[1] > 1.5, "the control: untempered"


def until_found(judge: Margin, failing: float, good: float, every: float = 1.0, late: float = 0.0) -> float:
    """Seconds until the evidence is there; 95 requests/s at stable, 5 at canary, all as is to be expected."""
    state, t, canary, stable = judge.start(), 0.0, 0.0, 0.0
    while t < 20000.0:
        t += every
        rate = failing if t > late else good
        canary, stable = canary + 5 * every * rate, stable + 95 * every * good
        batch = Counts(round(5 * every), int(canary)), Counts(round(95 * every), int(stable))
        canary, stable = canary - int(canary), stable - int(stable)
        state = judge.weigh(state, batch, t, 1.0)
        if judge.log_e(state) >= WANTED:
            return t - late
    return 20000.0


def test_each_bet_wins_what_its_alternative_does_tempered_by_the_dispersion() -> None:
    judge, batch = Margin(1.25, 0.001, 3600.0), (Counts(50, 3), Counts(950, 2))
    before = judge.start()
    after = judge.weigh(before, batch, 0.0, 4.0)
    won = [now - then for now, then in zip(after["bets"], before["bets"], strict=True)]
    assert won == pytest.approx([gain(rho, 1.25, 0.001, *batch) / 4.0 for rho in ALTERNATIVES])


def test_a_tenth_that_fails_is_found_in_seconds_and_a_hundredth_in_minutes() -> None:
    """The goals of the design, for the expected course: dispersion 1, 100 requests/s of which canary has 5."""
    judge = Margin(1.25, 0.001, horizon=4 * 3600.0)
    assert until_found(judge, 0.1, 0.001) <= 10.0
    assert until_found(judge, 0.01, 0.001) <= 300.0


def test_what_turns_bad_after_hours_is_found_nearly_as_soon() -> None:
    judge = Margin(1.25, 0.001, horizon=4 * 3600.0)
    assert until_found(judge, 0.1, 0.001, late=7200.0) <= 3 * until_found(judge, 0.1, 0.001)


def test_a_good_release_gathers_no_evidence() -> None:
    judge = Margin(1.25, 0.001, horizon=4 * 3600.0)
    assert until_found(judge, 0.001, 0.001) == 20000.0


def test_its_state_is_json_and_gives_the_same_to_the_last_bit() -> None:
    judge = Margin(1.25, 0.001, horizon=600.0)
    going, carried = judge.start(), judge.start()
    for step in range(200):
        batch = Counts(5, step % 3), Counts(95, step % 2)
        going = judge.weigh(going, batch, step * 0.5, 2.0)
        carried = judge.weigh(json.loads(json.dumps(carried)), batch, step * 0.5, 2.0)
    assert judge.log_e(going) == judge.log_e(carried)
    assert len(json.dumps(going)) < 600


def test_every_alternative_is_bet_on() -> None:
    assert len(Margin(1.25, 0.001, 600.0).start()["bets"]) == len(ALTERNATIVES)
