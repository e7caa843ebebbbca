# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hard-fail evidence: its guarantee computed exactly, each with a control that breaks it, and its power."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from math import exp, fsum, log
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts, HardFail
from ansible_collections.zdm.rollout.plugins.module_utils.judge.hard_fail import (
    ALTERNATIVES,
    MARGIN,
    RATIO,
    counts_of,
    one_sample,
    smoothed,
    two_sample,
)

from .exact import RATES, ROUNDING, SIZES, expected, outcomes


def largest(factor_of: Callable[[float, float], Callable[[Counts, Counts], float]], excess: float = 0.0) -> float:
    """The largest E[L] over alternatives, sizes of batches and rates p_c = p_b + ``excess`` (the worst case of <=)."""
    return max(
        expected(factor_of(theta_c, theta_b), canary, min(1.0, rate + excess), stable, rate)
        for theta_c in ALTERNATIVES
        for theta_b in (0.0006, 0.006, 0.05, 0.3)
        for canary, stable in SIZES
        for rate in RATES
    )


def test_a_batch_is_worth_at_most_1_where_canary_is_like_stable() -> None:
    assert largest(lambda c, b: lambda ones, others: two_sample(c, b, ones, others)) <= 1 + ROUNDING


def test_control_it_is_worth_more_where_canary_is_worse() -> None:
    assert largest(lambda c, b: lambda ones, others: two_sample(c, b, ones, others), excess=0.05) > 2


def test_control_a_rate_of_stable_that_knows_the_batch_itself_breaks_the_guarantee() -> None:
    peeked = largest(lambda c, _: lambda ones, others: two_sample(c, min(smoothed(others), 0.3), ones, others))
    assert peeked > 1.001


@pytest.mark.parametrize("theta_c", ALTERNATIVES)
def test_a_batch_is_worth_less_where_canary_is_better_than_stable(theta_c: float) -> None:
    for (canary, stable), (p_c, p_b) in itertools.product(SIZES, itertools.combinations(RATES, 2)):
        value = expected(lambda ones, others: two_sample(theta_c, 0.01, ones, others), canary, p_c, stable, p_b)
        assert value <= 1 + ROUNDING


@pytest.mark.parametrize("limit", [0.011, 0.022, 0.1, 0.3, 0.5, 0.9, 1.0, 1.7])
def test_canary_alone_is_worth_at_most_1_up_to_its_limit(limit: float) -> None:
    rates = [rate for rate in (*RATES, limit) if rate <= min(limit, 1.0)]
    values = [
        expected(lambda ones, _, c=theta_c: one_sample(c, limit, ones), requests, rate, 0, 0.0)  # type: ignore[misc]
        for theta_c, requests, rate in itertools.product(ALTERNATIVES, (1, 5, 30), rates)
    ]
    assert max(values) <= 1 + ROUNDING


def test_control_canary_alone_is_worth_more_beyond_its_limit() -> None:
    assert expected(lambda ones, _: one_sample(0.3, 0.02, ones), 30, 0.15, 0, 0.0) > 2


def mean_evidence(judge: HardFail, rates: tuple[float, float, float], excess: float = 0.0) -> float:
    """E[E] after three batches and three restarts with all their outcomes; then canary alone, right at its limit."""

    def walk(state: Any, step: int, t: float) -> float:
        if step == len(SHAPES):
            limit = min(1.0, RATIO * smoothed(Counts(*state["baseline"])) + MARGIN + excess)
            return fsum(
                p * exp(judge.log_e(judge.weigh(state, ones, Counts(), t, alone=True)))
                for ones, p in outcomes(3, limit)
            )
        canary, stable = SHAPES[step]
        return fsum(
            p * q * walk(judge.weigh(state, ones, others, t), step + 1, t + 11.0)
            for ones, p in outcomes(canary, min(1.0, rates[step] + excess))
            for others, q in outcomes(stable, rates[step])
        )

    return walk(judge.start(), 0, 100.0)


SHAPES = ((2, 3), (1, 2), (2, 1))


@pytest.mark.parametrize("dispersion", [1.0, 2.0])
@pytest.mark.parametrize("rates", [(0.0, 0.0, 0.0), (0.02, 0.02, 0.02), (0.01, 0.9, 0.01), (0.3, 1.0, 0.5)])
def test_the_evidence_itself_is_worth_at_most_1_at_any_time(
    dispersion: float, rates: tuple[float, float, float]
) -> None:
    assert mean_evidence(HardFail(dispersion, horizon=60.0), rates) <= 1 + ROUNDING


def test_control_the_evidence_is_worth_more_where_canary_fails() -> None:
    assert mean_evidence(HardFail(1.0, horizon=60.0), (0.01, 0.01, 0.01), excess=0.5) > 5


def test_dispersion_is_for_tries_that_fail_together_and_its_absence_is_not() -> None:
    """Tries come in pairs that succeed or fail together, in both pools: half as many tries, each counted twice."""

    def in_pairs(ones: Counts, others: Counts) -> float:
        pairs = [Counts(2 * each.requests, 2 * each.failures) for each in (ones, others)]
        return two_sample(0.6, 0.01, *pairs)

    def worst_of(weight: float) -> float:
        return max(expected(in_pairs, 3, rate, 9, rate, weight) for rate in RATES)

    assert worst_of(weight=1 / 2) <= 1 + ROUNDING
    assert worst_of(weight=1) > 2


@given(st.lists(st.floats(0, 1e6), max_size=20))
def test_without_a_try_there_is_neither_evidence_nor_money_lost(times: list[float]) -> None:
    judge = HardFail(2.0, horizon=3600.0)
    state = judge.start()
    for t in times:
        state = judge.weigh(state, Counts(), Counts(10, 10), t)
        assert judge.log_e(state) == pytest.approx(0.0, abs=1e-9)


TICKS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 9), st.integers(0, 9), st.floats(0, 15)), max_size=30
)


@given(TICKS, st.booleans())
def test_a_state_that_went_through_json_goes_on_bit_by_bit(
    ticks: list[tuple[int, int, int, int, float]], alone: bool
) -> None:
    judge, t = HardFail(2.0, horizon=60.0), 0.0
    state = other = judge.start()
    for n_c, e_c, n_b, e_b, seconds in ticks:
        t += seconds
        news = Counts(n_c, e_c), Counts(n_b, e_b)
        state = judge.weigh(state, *news, t, alone=alone and t > 60)
        other = HardFail(2.0, horizon=60.0).weigh(json.loads(json.dumps(other)), *news, t, alone=alone and t > 60)
    assert json.dumps(state, allow_nan=False) == json.dumps(other, allow_nan=False)
    assert judge.log_e(state) == judge.log_e(other)
    assert len(json.dumps(state)) < 4000


def test_a_batch_is_weighed_by_stables_rate_before_it() -> None:
    judge, past, news = HardFail(2.0, 3600.0), (Counts(20), Counts(400, 4)), (Counts(20, 9), Counts(400, 80))
    before = judge.weigh(judge.start(), *past, 0.0)
    after = judge.weigh(before, *news, 1.0)
    won = [now - then for now, then in zip(after["bets"], before["bets"], strict=True)]
    rate = smoothed(past[1])
    assert won == pytest.approx([two_sample(theta, rate, *news) / 2.0 for theta in ALTERNATIVES])


@given(TICKS)
def test_what_one_pool_had_waits_for_the_other(ticks: list[tuple[int, int, int, int, float]]) -> None:
    """Canary's counts and stable's told one after the other come to the same as told at once."""
    judge = HardFail(1.0, horizon=60.0)
    at_once = in_turn = judge.start()
    for n_c, e_c, n_b, e_b, dummy in ticks:
        at_once = judge.weigh(at_once, Counts(n_c + 1, e_c), Counts(n_b + 1, e_b), 5.0)
        in_turn = judge.weigh(in_turn, Counts(), Counts(n_b + 1, e_b), 5.0)
        in_turn = judge.weigh(in_turn, Counts(n_c + 1, e_c), Counts(), 5.0)
    assert in_turn == at_once


def test_failures_told_after_their_requests_speak_for_canary_where_they_cannot_be_told_apart() -> None:
    judge = HardFail(1.0, horizon=60.0)

    def log_e(canary: Counts, stable: Counts) -> float:
        return judge.log_e(judge.weigh(judge.start(), canary, stable, 0.0))

    assert log_e(Counts(3, 5), Counts(27, 0)) == log_e(Counts(3, 3), Counts(27, 0))
    assert log_e(Counts(3, 3), Counts(2, 5)) == log_e(Counts(3, 3), Counts(5, 5))


def test_the_failures_of_an_outage_of_both_do_not_outlive_it_at_canary() -> None:
    """All tries hang, and are told as failed when only few new ones come; then all is well in both pools."""
    judge = HardFail(1.0, horizon=60.0)
    state = judge.start()
    for tick in range(20):
        state = judge.weigh(state, Counts(1, 4), Counts(50, 40), tick * 0.1)
    before = judge.log_e(state)
    for tick in range(20, 40):
        state = judge.weigh(state, Counts(1, 0), Counts(50, 0), tick * 0.1)
    assert judge.log_e(state) <= before + 0.1


def test_a_pool_that_has_all_traffic_is_held_against_what_stable_had_before() -> None:
    judge = HardFail(1.0, horizon=60.0)
    before = judge.weigh(judge.start(), Counts(100, 1), Counts(900, 9), 1.0)
    after = judge.weigh(before, Counts(50, 50), Counts(7, 7), 2.0, alone=True)
    assert after["baseline"] == before["baseline"] == [900, 9]
    assert judge.log_e(after) > judge.log_e(before) + 50


def until(wanted: float, share: float, dispersion: float) -> int:
    """Failed requests at canary until log E is ``wanted``; all of canary's fail, none of stable's."""
    judge = HardFail(dispersion, horizon=4 * 3600.0)
    state, stable, failed = judge.start(), 0.0, 0
    while judge.log_e(state) < wanted:
        failed, stable = failed + 1, stable % 1 + (1 - share) / share
        state = judge.weigh(state, Counts(1, 1), Counts(int(stable), 0), failed * 0.1)
    return failed


@pytest.mark.parametrize(
    ("share", "dispersion", "most"),
    [(0.01, 1.0, 6), (0.05, 1.0, 6), (0.1, 1.0, 6), (0.5, 1.0, 10), (0.05, 2.0, 7)],
)
def test_a_total_failure_needs_few_requests(share: float, dispersion: float, most: int) -> None:
    assert until(log(1 / 5e-4), share, dispersion) <= most


def test_after_hours_of_good_traffic_a_failure_is_found_nearly_as_fast() -> None:
    def late(every: float) -> float:
        """log E when 10 of 10 fail after 2 hours."""
        judge = HardFail(1.0, horizon=4 * 3600.0, every=every)
        state = judge.start()
        for second in range(0, 7200, 5):
            state = judge.weigh(state, Counts(50, 0), Counts(950, 1), float(second))
        assert judge.log_e(state) < 0
        return judge.log_e(judge.weigh(state, Counts(10, 10), Counts(190, 0), 7200.0))

    assert late(every=10.0) > log(1 / 5e-4)
    assert late(every=1e9) < 0  # control: without restarts


def test_what_is_told_of_a_rise_are_the_counts_that_made_it() -> None:
    judge = HardFail(2.0, horizon=3600.0)
    state = judge.start()
    for tick in range(300):
        state = judge.weigh(state, Counts(10, 0), Counts(90, 0), tick * 0.1)
    assert counts_of(state["rise"]) == (Counts(), Counts())
    for tick in range(300, 303):
        state = judge.weigh(state, Counts(10, 9), Counts(90, 1), tick * 0.1)
    assert counts_of(state["rise"]) == (Counts(30, 27), Counts(270, 3))
