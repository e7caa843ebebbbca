# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The latency test: shares of slow requests, at three quantiles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import exp, fsum, log
from statistics import NormalDist
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts
from ansible_collections.zdm.rollout.plugins.module_utils.judge.latency import (
    ODDS,
    QUANTILES,
    SCALE,
    Latency,
    share_of,
    slower,
)

from .exact import ROUNDING, outcomes

WANTED = -log(5e-4)
NOTHING = (Counts(), Counts())


def test_the_odds_are_so_many_times_those_of_stable() -> None:
    assert slower(1.0, 0.3) == pytest.approx(0.3)
    assert slower(9.0, 0.1) == pytest.approx(0.5)
    assert all(0.01 < slower(odds, 0.01) < 1.0 for odds in ODDS)


def test_stables_share_is_the_quantiles_until_it_is_known_better() -> None:
    assert share_of(0.99, Counts()) == pytest.approx(0.01)
    assert share_of(0.99, Counts(200, 18)) == pytest.approx(0.05)


@pytest.mark.parametrize("rates", [(0.5, 0.5, 0.5), (0.02, 0.6, 0.02), (0.0, 1.0, 0.3)])
def test_the_evidence_is_worth_at_most_1_where_canary_is_as_slow_as_stable(rates: tuple[float, float, float]) -> None:
    """At one of the quantiles, over all outcomes of three batches with a restart before each."""
    judge = Latency(1.0, horizon=600.0)

    def walk(state: Any, step: int, excess: float) -> float:
        if step == len(rates):
            return exp(judge.log_e(state))
        slower_one = min(1.0, rates[step] + excess)
        return fsum(
            p * q * walk(judge.weigh(state, (NOTHING, (ones, others), NOTHING), step * 61.0), step + 1, excess)
            for ones, p in outcomes(2, slower_one)
            for others, q in outcomes(3, rates[step])
        )

    assert walk(judge.start(), 0, 0.0) <= 1 + ROUNDING
    assert rates[0] == 0.0 or walk(judge.start(), 0, 0.4) > 1.01, "the control: slower"


def until_found(shares: Sequence[float], seconds: float = 1000.0) -> float:
    """Seconds until it is found that so many of canary's 5 requests/s are slow; stable's 95 are as they should be."""
    judge = Latency(1.0, horizon=4 * 3600.0)
    state, t = judge.start(), 0.0
    due = [[0.0, 0.0] for dummy in QUANTILES]
    while t < seconds:
        t += 1.0
        slow = []
        for place, quantile in enumerate(QUANTILES):
            due[place][0] += 5 * shares[place]
            due[place][1] += 95 * (1 - quantile)
            slow.append((Counts(5, int(due[place][0])), Counts(95, int(due[place][1]))))
            due[place] = [each - int(each) for each in due[place]]
        state = judge.weigh(state, tuple(slow), t)
        if judge.log_e(state) >= WANTED:
            return t
    return seconds


def shares(times: float, spread: float = 0.5) -> list[float]:
    """What exceeds 1.1 of stable's quantiles in a log-normal distribution that is so many times as slow."""
    normal = NormalDist()
    return [1 - normal.cdf(normal.inv_cdf(q) + log(SCALE / times) / spread) for q in QUANTILES]


def test_the_slower_one_is_the_sooner_it_is_found() -> None:
    found = [until_found(shares(times)) for times in (3.0, 2.0, 1.5, 1.25)]
    assert found == sorted(found)
    assert found[1] <= 10.0
    assert found[-1] <= 120.0


def test_a_twentieth_that_takes_five_times_as_long_is_found() -> None:
    mixed = [0.95 * usual + 0.05 * long for usual, long in zip(shares(1.0), shares(5.0), strict=True)]
    assert until_found(mixed) <= 90.0


def test_one_that_is_no_slower_is_not_found() -> None:
    assert until_found([1 - q for q in QUANTILES]) == 1000.0


def test_what_one_pool_had_alone_waits_for_the_other() -> None:
    judge = Latency(1.0, 600.0)
    alone = judge.weigh(judge.start(), ((Counts(5, 5), Counts()),) * 3, 0.0)
    assert judge.log_e(alone) == pytest.approx(0.0)
    both = judge.weigh(alone, ((Counts(), Counts(9, 1)),) * 3, 0.0)
    assert both["bets"] == judge.weigh(judge.start(), ((Counts(5, 5), Counts(9, 1)),) * 3, 0.0)["bets"]


def test_its_state_is_json_and_gives_the_same_to_the_last_bit() -> None:
    judge = Latency(2.0, horizon=600.0)
    going, carried = judge.start(), judge.start()
    for step in range(200):
        slow = tuple((Counts(5, step % 3), Counts(step % 40, 0)) for dummy in QUANTILES)
        going = judge.weigh(going, slow, step * 0.5)
        carried = judge.weigh(json.loads(json.dumps(carried)), slow, step * 0.5)
    assert judge.log_e(going) == judge.log_e(carried)
    assert len(json.dumps(going)) < 1500
