# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of latency as a conversation: where thresholds come from, what it finds and how soon, what it says."""

from __future__ import annotations

import bisect
import json
import random
from collections.abc import Callable
from dataclasses import replace
from math import inf, log
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import (
    INCONCLUSIVE,
    NO_DATA,
    PASS,
    Evidence,
    Histogram,
    SequentialLatency,
    Times,
)
from ansible_collections.zdm.rollout.plugins.module_utils.judge.sequential_latency import ENOUGH_BEFORE, text_of

WANTED = -log(5e-4 / 2)
#: Thirty bins to a power of two: as fine as Envoy's.
EDGES = [0.001 * 2 ** (at / 30) for at in range(420)]
NONE = Histogram({})
#: What stable takes: a median of 50 ms.
MEDIAN, SPREAD = 0.05, 0.5


class Stream:
    """Seeded requests, 5/s at canary and 95/s at stable; ``canary`` makes of a time of stable one of canary."""

    def __init__(self, canary: Callable[[float, random.Random], float], edges: list[float] | None = None) -> None:
        self._canary = canary
        self._edges = edges or EDGES
        self._chance = random.Random(20261127)

    def some(self, requests: int, slowed: bool = False) -> Histogram:
        bins: dict[tuple[float, float], int] = {}
        for dummy in range(requests):
            taken = self._chance.lognormvariate(log(MEDIAN), SPREAD)
            taken = self._canary(taken, self._chance) if slowed else taken
            at = bisect.bisect_left(self._edges, taken)
            place = (self._edges[at - 1] if at else 0.0, self._edges[at] if at < len(self._edges) else inf)
            bins[place] = bins.get(place, 0) + 1
        return Histogram(bins)

    def seconds(self, judge: SequentialLatency, most: int) -> float:
        """Seconds until it is sure; ``most`` if it is not."""
        state, _verdict = judge.weigh(judge.start(), Evidence(times=Times(NONE, NONE, self.some(2000))))
        for t in range(1, most):
            news = Times(self.some(5, slowed=True), self.some(95))
            state, _verdict = judge.weigh(state, Evidence(times=news, t=float(t)))
            if judge.log_e(state) >= WANTED:
                return t
        return most


def as_it_is(taken: float, chance: random.Random) -> float:
    return taken


def test_the_first_requests_of_stable_say_what_it_takes_and_are_no_evidence() -> None:
    judge, stream = SequentialLatency(10), Stream(lambda taken, chance: 9.0)
    state, verdict = judge.weigh(judge.start(), Evidence(times=Times(stream.some(50, slowed=True), stream.some(150))))
    assert verdict.outcome == INCONCLUSIVE
    assert verdict.reason == "what stable takes is known from 200 requests on, it has had 150"
    state, verdict = judge.weigh(state, Evidence(times=Times(stream.some(50, slowed=True), stream.some(50))))
    assert ENOUGH_BEFORE == 200
    assert judge.log_e(state) == pytest.approx(judge.log_e(judge.start())), "they are no evidence"
    half, nine, most = state["thresholds"]
    assert MEDIAN * 0.8 < half < MEDIAN * 1.25 < nine < most


def test_what_was_counted_before_the_rollout_says_it_at_once() -> None:
    judge, stream = SequentialLatency(10), Stream(as_it_is)
    state, _verdict = judge.weigh(judge.start(), Evidence(times=Times(NONE, NONE, stream.some(1000))))
    assert len(state["thresholds"]) == 3
    # Of what came before, so many were slow: a tenth of 1000 exceeded the second threshold, within a bin.
    requests, slow = state["test"]["baseline"][1]
    assert requests == 1000
    assert 50 <= slow <= 100


def test_what_is_slower_is_found_the_sooner_the_slower_it_is() -> None:
    """Goal G4: twice within 6 s, half more within 20 s, a quarter more within 120 s; at dispersion 1."""
    judge = SequentialLatency(10, dispersion=1.0)
    found = [Stream(lambda taken, chance, by=by: by * taken).seconds(judge, 600) for by in (2.0, 1.5, 1.25)]  # type: ignore[misc]
    assert found == sorted(found)
    assert found[0] <= 12, "goal 6 in the median; this is one stream"
    assert found[1] <= 40
    assert found[2] <= 240


def test_a_few_that_take_very_long_are_found_too() -> None:
    stream = Stream(lambda taken, chance: 5.0 * taken if chance.random() < 0.05 else taken)
    assert stream.seconds(SequentialLatency(10, dispersion=1.0), 600) <= 180


@pytest.mark.parametrize("by", [1.0, 0.5, 1.05])
def test_one_that_is_about_as_fast_is_left_alone(by: float) -> None:
    assert Stream(lambda taken, chance: by * taken).seconds(SequentialLatency(10, dispersion=1.0), 1200) == 1200


def test_coarse_bins_convict_nobody_and_find_what_leaves_them() -> None:
    edges = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]
    judge = SequentialLatency(10, dispersion=1.0)
    assert Stream(as_it_is, edges).seconds(judge, 900) == 900
    assert Stream(lambda taken, chance: 8.0 * taken, edges).seconds(judge, 900) < 60


def told(judge: SequentialLatency, canary: Histogram, stable: Histogram, **more: Any) -> tuple[Any, Any]:
    before = Histogram({(0.0, 0.1): 900, (0.1, 0.2): 90, (0.2, 0.4): 10})
    state, _verdict = judge.weigh(judge.start(), Evidence(times=Times(NONE, NONE, before)))
    return judge.weigh(state, Evidence(times=Times(canary, stable), **more))


FAST, SLOW = Histogram({(0.0, 0.1): 100}), Histogram({(0.4, 0.5): 100})


def test_both_arms_are_named_with_their_thresholds() -> None:
    _state, verdict = told(SequentialLatency(10), SLOW, FAST)
    assert verdict.outcome == INCONCLUSIVE
    assert (
        "canary takes more than " in verdict.reason
        and "in 100.00 % of 100 requests, stable more than " in verdict.reason
    )
    assert "this is suspicious (a false alarm this strong happens once in" in verdict.reason


def test_no_traffic_is_never_a_pass() -> None:
    assert told(SequentialLatency(10), NONE, FAST)[1].outcome == NO_DATA
    _state, verdict = told(SequentialLatency(10), FAST, NONE)
    assert (verdict.outcome, verdict.reason[:20]) == (INCONCLUSIVE, "stable has had no re")
    assert told(SequentialLatency(101), FAST, FAST)[1].reason.endswith("101 requests are needed")
    assert told(SequentialLatency(100), FAST, FAST)[1].outcome == PASS


def test_what_is_longer_than_all_that_is_counted_says_nothing() -> None:
    judge = SequentialLatency(10)
    state, verdict = judge.weigh(judge.start(), Evidence(times=Times(NONE, NONE, Histogram({(10.0, inf): 500}))))
    assert verdict.reason == "stable's requests take longer than the longest that is counted"
    state, verdict = judge.weigh(state, Evidence(times=Times(Histogram({(10.0, inf): 500}), FAST)))
    assert verdict.outcome == INCONCLUSIVE
    assert not judge.convinced(state)


def test_during_the_warm_up_nothing_is_weighed() -> None:
    judge = SequentialLatency(10)
    state, _verdict = told(judge, SLOW, FAST, warm=False)
    assert judge.log_e(state) == judge.log_e(judge.start())
    assert judge.log_e(told(judge, SLOW, FAST, warm=True)[0]) > WANTED, "the control"


def test_after_the_switch_it_is_held_against_what_stable_took_before() -> None:
    judge = SequentialLatency(10)
    for canary, convicted in ((SLOW, True), (FAST, False)):
        state, verdict = told(judge, canary, NONE, baseline=True)
        assert (judge.log_e(state) > WANTED) is convicted
        assert "before the switch" in verdict.reason
        assert "of 1,000 before" in verdict.reason


def test_one_that_is_as_fast_is_promoted_early_and_one_that_is_not_is_not() -> None:
    judge, good, slower = SequentialLatency(10), Stream(as_it_is), Stream(lambda taken, chance: 1.5 * taken)
    for stream, convinced in ((good, True), (slower, False)):
        state, _verdict = judge.weigh(judge.start(), Evidence(times=Times(NONE, NONE, stream.some(1000))))
        assert not judge.convinced(state)
        news = Times(stream.some(4000, slowed=True), stream.some(4000))
        state, _verdict = judge.weigh(state, Evidence(times=news, t=1.0))
        assert judge.convinced(state) is convinced
        assert not judge.convinced(judge.step(state)), "of this step"


def test_killed_and_resumed_it_says_the_same_to_the_last_bit_and_stays_small() -> None:
    judge, stream = SequentialLatency(10), Stream(lambda taken, chance: 1.3 * taken)
    straight, resumed, largest = judge.start(), judge.start(), 0
    for t in range(60):
        evidence = Evidence(times=Times(stream.some(3, slowed=True), stream.some(20)), t=float(t))
        straight, said = judge.weigh(straight, replace(evidence))
        text = json.dumps(resumed)
        largest = max(largest, len(text))
        resumed, again = SequentialLatency(10).weigh(json.loads(text), evidence)
        assert said == again
    assert json.dumps(straight) == json.dumps(resumed)
    assert largest < 4000


def test_times_for_people() -> None:
    assert [text_of(each) for each in (0.0004, 0.05, 0.1234, 1.0, 12.5)] == [
        "0.4 ms",
        "50 ms",
        "123 ms",
        "1 s",
        "12.5 s",
    ]
