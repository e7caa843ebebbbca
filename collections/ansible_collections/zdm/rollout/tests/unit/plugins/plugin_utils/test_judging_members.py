# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judging of what members say of themselves: their own counts, and how long their requests take."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import (
    ERROR,
    FAIL,
    INCONCLUSIVE,
    NO_DATA,
    PASS,
    Histogram,
)
from ansible_collections.zdm.rollout.plugins.plugin_utils._judging import Judging

from .example import spec_of
from .test_judging import ALPHA, POOL_OF, step

COUNTED = {"signal": "metrics", "requests": "all", "failures": "bad"}
CHECKS: dict[str, Any] = {
    "worse": {**COUNTED, "compare": "stable", "dispersion": 1, "warm_up": 0},
    "few": {**COUNTED, "max": 1},
    "slow": {"signal": "metrics", "histogram": "taken", "compare": "stable", "dispersion": 1, "warm_up": "30s"},
    "depth": {"signal": "metrics", "value": "queue_depth", "max": 5},
    "routers": {"signal": "router", "compare": "stable"},
}
FAST, SLOW = (0.0, 0.1), (0.4, 0.5)


class Members:
    """Two members of stable and one of canary, with the totals that they have on their pages."""

    def __init__(self, *checks: str) -> None:
        self.judging = Judging("blue", "green", spec_of({"checks": CHECKS}).checks, POOL_OF, ALPHA)
        self.t = 0.0
        self.totals: dict[str, dict[str, list[int]]] = {
            "blue": {"b1": [900, 9], "b2": [900, 9]},
            "green": {"g1": [50, 5]},
        }
        self.times: dict[str, dict[str, dict[tuple[float, float], int]]] = {
            "blue": {"b1": {FAST: 990, (0.1, 0.2): 10}},
            "green": {"g1": {SLOW: 70}},
        }
        self.judging.begin(step(*checks), t=0.0)

    def count(self, name: str, member: str = "g1", requests: int = 0, failures: int = 0) -> str:
        pool = "green" if member.startswith("g") else "blue"
        total = self.totals[pool].setdefault(member, [0, 0])
        total[0] += requests
        total[1] += failures
        self.t += 1.0
        said = {
            pool: {each: {"requests": had[0], "failures": had[1]} for each, had in members.items()}
            for pool, members in self.totals.items()
        }
        self.judging.counted_by_members(name, said, self.t)
        return self.judging.verdict(self.t).outcome

    def time(self, blue: int = 0, fast: int = 0, slow: int = 0) -> str:
        self.times["blue"]["b1"][FAST] += blue
        green = self.times["green"]["g1"]
        green[FAST] = green.get(FAST, 0) + fast
        green[SLOW] += slow
        self.t += 1.0
        pools = self.times.items()
        totals = {pool: {each: Histogram(dict(bins)) for each, bins in counted.items()} for pool, counted in pools}
        self.judging.timed("slow", totals, self.t)
        return self.judging.verdict(self.t).outcome


def test_what_members_had_counted_before_is_no_evidence() -> None:
    assert Members("worse").count("worse") == NO_DATA


def test_their_counts_are_compared_with_those_of_stables_members() -> None:
    members = Members("worse")
    members.count("worse")
    members.count("worse", "b1", 500, 0)
    members.count("worse", "b2", 500, 0)
    assert members.count("worse", "g1", 50, 0) == PASS
    assert members.count("worse", "g1", 20, 20) == INCONCLUSIVE, "it waits for a request of stable"
    assert members.count("worse", "b2", 200, 0) == FAIL
    reason = members.judging.verdict(members.t).reason
    assert reason.startswith("worse: canary fails 28.57 % of 70 requests, stable 0.00 % of 1,200")


def test_what_the_routers_count_is_another_check() -> None:
    members = Members("worse", "routers")
    members.count("worse")
    members.count("worse", "b1", 500, 0)
    members.count("worse", "g1", 50, 0)
    assert members.judging.verdict(members.t).reason == "routers: canary has had no request"


def test_a_member_that_is_read_later_starts_from_what_it_shows() -> None:
    members = Members("worse")
    members.count("worse")
    members.count("worse", "b1", 500, 0)
    members.count("worse", "g1", 50, 0)
    assert members.count("worse", "g2", 70, 70) == PASS, "its page says nothing of when they failed"
    members.count("worse", "g2", 20, 20)
    assert members.count("worse", "b1", 100, 0) == FAIL


def test_a_member_that_begins_anew_takes_nothing_back() -> None:
    members = Members("worse")
    members.count("worse")
    members.count("worse", "b1", 500, 0)
    members.totals["green"]["g1"] = [0, 0]
    assert members.count("worse", "g1", 20, 20) == FAIL
    assert "100.00 % of 20 requests" in members.judging.verdict(members.t).reason


def test_after_the_switch_they_are_held_against_stables_members_before() -> None:
    """Stable failed 10 % in the step before: so does canary now, and then all."""
    members = Members("worse")
    members.count("worse")
    members.count("worse", "b1", 1000, 100)
    members.count("worse", "g1", 1000, 100)
    members.judging.begin(step("worse", weight=100.0), t=members.t)
    assert members.count("worse", "g1", 500, 50) == PASS
    assert "10.00 % of 1,000 before the switch" in members.judging.verdict(members.t).reason
    members.t += 30.0  # bets are made anew from time to time
    members.count("worse")
    assert members.count("worse", "g1", 60, 60) == FAIL


def test_bounds_are_those_of_each_look() -> None:
    members = Members("few")
    members.count("few")
    assert members.count("few", "g1", 100, 1) == PASS
    assert members.count("few", "g1", 100, 2) == FAIL
    assert members.count("few", "g1", 100, 0) == PASS
    assert members.count("few") == NO_DATA


@pytest.mark.parametrize("name", ["worse", "few", "slow", "depth"])
def test_a_page_that_cannot_be_read_is_an_error_until_it_can(name: str) -> None:
    members = Members(name)
    members.judging.unread(name, "g1 does not answer")
    verdict = members.judging.verdict(100.0)
    assert (verdict.outcome, verdict.reason) == (ERROR, f"{name}: g1 does not answer")
    if name in ("worse", "few"):
        assert members.count(name, "g1", 100, 0) != ERROR


def test_slower_requests_are_found_against_what_stable_took_before() -> None:
    members = Members("slow")
    assert members.time() == NO_DATA
    members.t = 30.0
    assert members.time(blue=300, fast=60) == PASS
    assert members.time(blue=300, slow=60) == FAIL
    reason = members.judging.verdict(members.t).reason
    assert reason.startswith(
        "slow: canary takes more than 110 ms in 50.00 % of 120 requests, stable more than 100 ms in 0."
    )


def test_slower_requests_of_a_cold_canary_are_forgiven() -> None:
    members = Members("slow")
    members.time()
    assert members.time(blue=300, slow=60) == PASS
    assert members.t < 30.0


def test_latency_and_errors_share_the_alpha() -> None:
    """Each alone would need more than both together have."""
    members = Members("worse", "slow")
    strength = members.judging.strength
    assert strength is not None
    assert strength.log_e == pytest.approx(0.0), "two parts of nothing"
    members.t = 30.0
    members.time()
    members.time(blue=300, slow=60)
    assert members.judging.strength is not None
    assert members.judging.strength.check == "slow"


def test_what_comes_late_is_still_of_the_cold_canary() -> None:
    """Envoy's histograms are brought up to date at times: what is new in them may be older than the warm-up's end."""
    found = {}
    for lag in (0.0, 5.0):
        members = Members("slow")
        members.time()
        members.t = 31.0
        members.times["blue"]["b1"][FAST] += 300
        members.times["green"]["g1"][SLOW] += 60
        totals = {
            pool: {each: Histogram(dict(bins)) for each, bins in counted.items()}
            for pool, counted in members.times.items()
        }
        members.judging.timed("slow", totals, members.t, lag)
        found[lag] = members.judging.verdict(members.t).outcome
    assert found == {0.0: FAIL, 5.0: PASS}
