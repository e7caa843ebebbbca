# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judging of a step: what all routers count and what was measured, made into one verdict."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils.judge import (
    ERROR,
    FAIL,
    INCONCLUSIVE,
    NO_DATA,
    PASS,
    Counts,
    Measurement,
)
from ansible_collections.zdm.rollout.plugins.plugin_utils._judging import Judging
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import Step

from .example import spec_of

POOL_OF = {
    "p1": {"w1-blue": "blue", "w1-green": "green", "w2-green": "green"},
    "p2": {"w1-blue": "blue", "w1-green": "green", "w2-green": "green"},
}
CHECKS = {
    "errors": {"signal": "router", "compare": "stable", "judge": "threshold"},
    "worse": {"signal": "router", "compare": "stable", "dispersion": 1, "warm_up": "30s"},
    "alone": {"signal": "router", "compare": "stable", "dispersion": 1, "warm_up": 0, "alpha": 1e-9},
    "few": {"signal": "router", "max": 1, "every": "10s"},
    "ready": {"signal": "http", "path": "/ready"},
}
ALPHA = 5e-4 / 2
GOOD, BAD = Measurement("ready", good=True), Measurement("not ready", good=False)
LOST, NOTHING = Measurement("no agent", error=True), Measurement("no member", no_data=True)


def step(*checks: str, weight: float = 5.0, hold: float = 300.0, min_requests: int = 0) -> Step:
    return Step(0, weight, hold, min_requests, checks)


class Bench:
    """A judging whose routers count; totals start at some number, as those of a proxy that has run for long."""

    def __init__(self, first: Step, start: int = 1000) -> None:
        self.judging = Judging("blue", "green", spec_of({"checks": CHECKS}).checks, POOL_OF, ALPHA)
        self.t = 0.0
        self.totals = {router: {name: [start, start // 10] for name in POOL_OF[router]} for router in POOL_OF}
        for router in POOL_OF:
            self.report(router)
        self.judging.begin(first, t=0.0)

    def count(self, router: str, **news: tuple[int, int]) -> None:
        """So many more (requests, failures) of pool blue or green at a router, at the pool's first member."""
        self.t += 1.0
        for pool, (requests, failures) in news.items():
            total = self.totals[router]["w1-" + pool]
            total[0] += requests
            total[1] += failures
        self.report(router)

    def restart(self, router: str) -> None:
        """The proxy begins to count anew."""
        self.totals[router] = {name: [0, 0] for name in POOL_OF[router]}

    def report(self, router: str) -> None:
        totals = self.totals[router].items()
        counted = {name: {"requests": total[0], "failures": total[1]} for name, total in totals}
        self.judging.counted(router, counted, self.t)

    def outcome(self, t: float = 1.0) -> str:
        return self.judging.verdict(t).outcome


def test_what_was_counted_before_is_no_evidence() -> None:
    assert Bench(step("errors")).outcome() == NO_DATA


def test_all_routers_are_judged_as_one() -> None:
    """Three failures of thirty at each of two routers are six of sixty."""
    bench = Bench(step("errors"))
    bench.count("p1", blue=(500, 0), green=(30, 3))
    assert bench.outcome() == INCONCLUSIVE
    bench.count("p2", blue=(500, 0), green=(30, 3))
    assert bench.judging.arms == {"blue": Counts(1000, 0), "green": Counts(60, 6)}
    assert bench.outcome() == FAIL
    assert bench.judging.verdict(1.0).reason.startswith("errors: canary fails 10.00 % of 60 requests")


def test_a_new_step_starts_from_nothing() -> None:
    bench = Bench(step("errors"))
    bench.count("p1", blue=(500, 0), green=(60, 6))
    assert bench.outcome() == FAIL
    bench.judging.begin(step("errors", weight=50.0), t=10.0)
    assert bench.outcome(11.0) == NO_DATA
    bench.count("p1", blue=(500, 0), green=(60, 0))
    assert bench.outcome(11.0) == PASS


def test_requests_of_the_step_before_are_not_those_of_this_one() -> None:
    bench = Bench(step(min_requests=20))
    bench.count("p1", green=(20, 0))
    assert bench.outcome() == PASS
    bench.judging.begin(step(min_requests=20), t=10.0)
    assert bench.outcome(11.0) == NO_DATA


@pytest.mark.parametrize(("failures", "outcome"), [(20, PASS), (21, FAIL)])
def test_after_the_switch_canary_is_compared_with_stable_before_it(failures: int, outcome: str) -> None:
    """Stable failed 8 % in the last step: 11 % are allowed. What it still gets at 100 % does not count."""
    bench = Bench(step("errors", weight=50.0))
    bench.count("p1", blue=(500, 40), green=(500, 40))
    bench.judging.begin(step("errors", weight=100.0), t=10.0)
    bench.count("p1", blue=(100, 100), green=(200, failures + 2))
    assert bench.outcome(11.0) == outcome


def test_a_proxy_that_begins_anew_takes_nothing_back() -> None:
    bench = Bench(step("errors"))
    bench.count("p1", blue=(500, 0), green=(40, 4))
    bench.restart("p1")
    bench.count("p1", blue=(100, 0), green=(20, 2))
    assert bench.judging.arms == {"blue": Counts(600, 0), "green": Counts(60, 6)}
    assert bench.outcome() == FAIL


@pytest.mark.parametrize(
    ("hold", "had", "outcome"),
    [(300.0, 0, NO_DATA), (300.0, 19, INCONCLUSIVE), (300.0, 20, PASS), (0.0, 0, PASS)],
    ids=["none", "too few", "enough", "no hold, nothing asked"],
)
def test_a_step_without_checks_still_needs_its_requests(hold: float, had: int, outcome: str) -> None:
    bench = Bench(step(hold=hold, min_requests=20))
    if had:
        bench.count("p1", green=(had, 0))
    assert bench.outcome() == outcome


def test_bounds_are_measured_over_each_stretch_of_time() -> None:
    bench = Bench(step("few"))
    bench.count("p1", green=(100, 100))
    assert bench.outcome(9.9) == INCONCLUSIVE  # not yet measured
    assert bench.outcome(10.0) == FAIL  # 100 % in the first ten seconds
    bench.count("p1", green=(100, 1))
    assert bench.outcome(19.9) == FAIL
    assert bench.outcome(20.0) == PASS  # 1 % in the next ten
    assert bench.outcome(30.0) == NO_DATA  # nobody came in the last ten


@pytest.mark.parametrize(
    ("measurements", "outcome"),
    [
        ([], INCONCLUSIVE),
        ([GOOD], PASS),
        ([BAD], FAIL),
        ([LOST], ERROR),
        ([NOTHING], NO_DATA),
        ([GOOD, LOST], ERROR),
        ([GOOD, NOTHING], NO_DATA),
        ([LOST, GOOD], PASS),
    ],
)
def test_an_http_check_is_what_was_measured_last(measurements: list[Measurement], outcome: str) -> None:
    bench = Bench(step("ready"))
    for measurement in measurements:
        bench.judging.measured("ready", measurement)
    assert bench.outcome() == outcome


def test_what_is_measured_for_a_step_that_is_over_changes_nothing() -> None:
    bench = Bench(step("ready"))
    bench.judging.begin(step("errors"), t=5.0)
    bench.count("p1", blue=(100, 0), green=(100, 0))
    bench.judging.measured("ready", BAD)
    assert bench.outcome(6.0) == PASS


@pytest.mark.parametrize(
    ("green", "measurement", "outcome"),
    [
        ((100, 0), GOOD, PASS),
        ((100, 0), BAD, FAIL),
        ((100, 0), LOST, ERROR),
        ((100, 0), NOTHING, NO_DATA),
        ((40, 0), GOOD, INCONCLUSIVE),
        ((0, 0), GOOD, NO_DATA),
        ((0, 0), LOST, ERROR),
        ((100, 50), LOST, FAIL),
        ((40, 0), NOTHING, NO_DATA),
    ],
)
def test_the_worst_of_the_checks_counts(green: tuple[int, int], measurement: Measurement, outcome: str) -> None:
    bench = Bench(step("errors", "ready", min_requests=50))
    bench.count("p1", blue=(1000, 0), green=green)
    bench.judging.measured("ready", measurement)
    assert bench.outcome() == outcome


# --- the sequential judge: evidence that grows over the steps


def test_a_handful_of_failures_is_enough_and_the_reason_tells_all() -> None:
    bench = Bench(step("worse"))
    seconds = 0
    while bench.outcome() != FAIL and seconds < 8:
        seconds += 1
        bench.count("p1", blue=(95, 0), green=(5, 5))
    assert seconds <= 2, "100 % of five requests a second"
    reason = bench.judging.verdict(1.0).reason
    assert reason.startswith(f"worse: canary fails 100.00 % of {5 * seconds} requests, stable 0.00 % of {95 * seconds}")
    assert "times as often (p " in reason
    assert "a false alarm this strong happens once in" in reason


def test_what_failed_once_has_failed() -> None:
    bench = Bench(step("worse"))
    bench.count("p1", blue=(500, 0), green=(20, 20))
    reason = bench.judging.verdict(1.0).reason
    for dummy in range(50):
        bench.count("p1", blue=(5000, 0), green=(5000, 0))
    bench.judging.begin(step("worse", weight=50.0), t=60.0)
    assert (bench.outcome(), bench.judging.verdict(61.0).reason) == (FAIL, reason)


def test_the_evidence_is_carried_from_step_to_step() -> None:
    """Half of what it needs in each of two steps; and not, where the second one began anew."""
    bench, anew = Bench(step("worse")), Bench(step("worse"))
    bench.count("p1", blue=(95, 0), green=(5, 3))
    before = bench.judging.strength
    assert before and bench.outcome() != FAIL
    for each in (bench, anew):
        each.judging.begin(step("worse", weight=50.0), t=10.0)
    assert bench.judging.strength == before
    for each in (bench, anew):
        each.count("p1", blue=(95, 0), green=(5, 3))
    assert bench.outcome() == FAIL
    assert anew.outcome() != FAIL


def test_in_the_warm_up_only_what_fails_hard_counts() -> None:
    """2 % at a canary that has just been raised; the same half a minute later; and while it is being raised again."""
    found = {}
    for name in ("cold", "warm", "raising"):
        bench = Bench(step("worse"))
        bench.t = 0.0 if name == "cold" else 30.0
        if name == "raising":
            bench.judging.raising()
        for dummy in range(25):
            bench.count("p1", blue=(1900, 2), green=(100, 2))
        found[name] = bench.outcome()
    assert found == {"cold": PASS, "warm": FAIL, "raising": PASS}


def test_a_check_with_an_alpha_of_its_own_stands_for_itself() -> None:
    bench = Bench(step("alone"))
    bench.count("p1", blue=(95, 0), green=(5, 5))
    bench.count("p1", blue=(95, 0), green=(5, 2))
    assert bench.judging.strength is None
    assert bench.outcome() == INCONCLUSIVE, "enough for the watch's half, not for one in a billion"
    for dummy in range(3):
        bench.count("p1", blue=(95, 0), green=(5, 5))
    assert bench.outcome() == FAIL
    assert bench.judging.verdict(1.0).reason.startswith("alone: ")


def test_many_good_requests_convince_and_a_step_does_not_inherit_it() -> None:
    bench = Bench(step("worse"))
    bench.t = 30.0
    for dummy in range(30):
        bench.count("p1", blue=(9500, 10), green=(500, 0))
    assert bench.judging.convinced
    bench.judging.begin(step("worse", weight=50.0), t=70.0)
    assert not bench.judging.convinced
    assert not Bench(step("errors")).judging.convinced, "nothing that could say so"


def test_both_pools_failing_is_no_fault_of_canary_and_is_told() -> None:
    bench = Bench(step("worse"))
    for dummy in range(70):
        bench.count("p1", blue=(95, 0), green=(5, 0))
    assert bench.judging.common_cause == ""
    for dummy in range(20):
        bench.count("p1", blue=(95, 30), green=(5, 2))
    assert bench.outcome() != FAIL
    assert bench.judging.common_cause.startswith("both pools fail: stable ")


def test_what_is_only_learnt_is_not_judged_and_is_the_baseline_of_the_switch() -> None:
    """Nobody sends canary requests before the switch, which is no reason not to make it."""
    learns = replace(step(weight=0.0), learns=("worse",))
    bench = Bench(learns)
    bench.count("p1", blue=(2000, 40))
    assert bench.judging.verdict(1.0).outcome == PASS
    assert not bench.judging.convinced
    bench.judging.begin(step("worse", weight=100.0), 60.0)
    assert bench.outcome() == NO_DATA
    bench.count("p1", green=(100, 2))
    assert "2.00 % of 100 requests, stable 2.00 % of 2,000 before the switch" in bench.judging.verdict(2.0).reason


def test_what_is_judged_without_traffic_is_never_a_pass__control() -> None:
    bench = Bench(step("worse", weight=0.0))
    bench.count("p1", blue=(2000, 40))
    assert bench.outcome() == NO_DATA


def test_requests_that_do_not_come_as_asked_are_told_once_a_step() -> None:
    bench = Bench(step("worse", weight=5.0))
    for dummy in range(20):
        bench.count("p1", blue=(95, 0), green=(5, 0))
    assert bench.judging.remark() == ""
    bench.judging.begin(step("worse", weight=20.0), t=30.0)
    for dummy in range(20):
        bench.count("p1", blue=(95, 0), green=(5, 0))
    assert bench.judging.remark().startswith("green gets 5 % of the requests (95), asked for were 20 %")
    assert bench.judging.remark() == ""


def test_what_came_before_the_raise_says_nothing_of_the_split() -> None:
    """Each router's first counters after a raise have what the split before it did."""
    bench = Bench(step("worse", weight=5.0))
    bench.judging.begin(step("worse", weight=50.0), t=30.0)
    for router in ("p1", "p2"):
        bench.count(router, blue=(9500, 0), green=(500, 0))
    assert bench.judging.remark() == ""
    for dummy in range(20):
        bench.count("p2", blue=(50, 0), green=(50, 0))
    assert bench.judging.remark() == ""


def test_what_it_knows_is_json_for_another_machine() -> None:
    bench = Bench(step("worse"))
    bench.count("p1", blue=(95, 0), green=(5, 3))
    assert json.loads(json.dumps(bench.judging.states)) == bench.judging.states
    assert set(bench.judging.states) == {"worse"}


EVENTS = st.lists(
    st.sampled_from([GOOD, BAD, LOST, NOTHING, "restart"])
    | st.tuples(st.sampled_from(["blue", "green"]), st.integers(0, 80), st.integers(0, 80)),
    max_size=12,
)


@given(EVENTS)
def test_a_pass_has_seen_requests_and_a_good_last_answer(events: list[Any]) -> None:
    bench = Bench(step("errors", "ready", min_requests=10))
    had = {"blue": 0, "green": 0}
    last: Measurement | None = None
    for event in events:
        if event == "restart":
            bench.restart("p1")
            bench.report("p1")
        elif isinstance(event, tuple):
            pool, requests, failing = event
            bench.count("p1", **{pool: (requests, min(requests, failing))})
            had[pool] += requests
        else:
            last = event
            bench.judging.measured("ready", event)
    if bench.outcome() == PASS:
        assert last is GOOD
        assert had["green"] >= 10
        assert had["blue"] > 0
    assert {pool: counts.requests for pool, counts in bench.judging.arms.items() if counts.requests} == {
        pool: requests for pool, requests in had.items() if requests
    }
