# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reflex on traffic of a seeded router: how soon it fires, that it does not, and what it says."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from math import log
from statistics import median

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.reflex import Reflex, share_of
from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts

ALPHA, SAMPLE = 5e-4, 0.1


@dataclass
class Router:
    """1,000 requests a second; ``weight`` is canary's share in percent. Failures come in bursts of mean size ``burst``
    (geometric), which hit one pool each."""

    seed: int
    weight: float = 10.0
    base: float = 0.001
    burst: float = 1.0
    rate: float = 1000.0
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def sample(self, canary: float | None = None, stable: float | None = None) -> tuple[Counts, Counts]:
        """What came in 100 ms; ``canary``, ``stable``: their rates of failures, where not the base's."""
        part = self.rate * SAMPLE * self.weight / 100
        return self._pool(part, canary), self._pool(self.rate * SAMPLE - part, stable)

    def _pool(self, mean: float, rate: float | None) -> Counts:
        requests = max(0, round(self.random.gauss(mean, mean**0.5)))
        if rate is not None:
            return Counts(requests, sum(self.random.random() < rate for dummy in range(requests)))
        failures, at = 0, self._gap()
        while at < requests:
            failures, at = failures + 1, at + 1
            while self.random.random() >= 1 / self.burst:
                failures += 1
            at += self._gap()
        return Counts(requests, min(failures, requests))

    def _gap(self) -> int:
        """Tries until the next burst begins."""
        return int(log(1 - self.random.random()) / log(1 - self.base / self.burst))


@pytest.mark.parametrize("guards", [1, 10, 30])
def test_a_rollouts_alpha_is_enough_for_the_watch_and_all_guards(guards: int) -> None:
    assert ALPHA / 2 + guards * share_of(ALPHA, guards) == pytest.approx(ALPHA)
    assert share_of(ALPHA, 1) == ALPHA / 2


def fired(reflex: Reflex, router: Router, good: float, canary: float) -> tuple[int, float]:
    """Failed requests at canary, and seconds, from the onset (``good`` seconds after the start) until it fires."""
    state, t, failed = reflex.start(), 0.0, 0
    while t < good:
        state, why = reflex.weigh(state, *router.sample(), t)
        assert not why
        t += SAMPLE
    why, onset = "", t
    while not why:
        news = router.sample(canary)
        failed += news[0].failures
        state, why = reflex.weigh(state, *news, t)
        t += SAMPLE
    return failed, t - onset


@pytest.mark.parametrize("guards", [1, 30])
def test_a_canary_that_fails_everything_is_found_within_20_requests_and_a_sample(guards: int) -> None:
    reflex = Reflex(share_of(ALPHA, guards))
    for seed in range(30):
        failed, dummy = fired(reflex, Router(seed), good=0.37 * seed, canary=1.0)
        assert failed <= 20 + Router(seed).rate * Router(seed).weight / 100 * SAMPLE


def test_a_canary_that_fails_a_fifth_is_found_in_a_second() -> None:
    reflex = Reflex(share_of(ALPHA, 1))
    seconds = sorted(fired(reflex, Router(seed), good=0.21 * seed, canary=0.2)[1] for seed in range(60))
    assert median(seconds) <= 1.0
    assert seconds[int(0.95 * len(seconds))] <= 2.0


BASES = (0.001, 0.01, 0.1)


def four_steps(reflex: Reflex, router: Router, seconds: float, uneven: bool = False, alone: bool = False) -> str:
    """Why it fired on two pools that are alike, from 1 to 50 %, with an outage of both in each step; '' if it did not.

    ``uneven``: the counters are read now and then only, on average each third sample.
    """
    state, t, held = reflex.start(), 0.0, (Counts(), Counts())
    for router.weight in (1, 5, 25, 50):
        outage, rate = t + router.random.uniform(0, seconds / 2), router.random.uniform(0.2, 1.0)
        end = t + seconds
        while t < end:
            both = rate if outage <= t < outage + seconds / 4 else None
            news = router.sample(both, both)
            held = held[0] + news[0], held[1] + news[1]
            t += SAMPLE
            if uneven and router.random.random() < 2 / 3:
                continue
            state, why = reflex.weigh(state, *held, t, alone)
            held = Counts(), Counts()
            if why:
                return why
    return ""


@pytest.mark.parametrize("uneven", [False, True], ids=["even", "uneven"])
@pytest.mark.parametrize("burst", [1.0, 2.0])
@pytest.mark.parametrize("base", BASES)
def test_two_pools_that_are_alike_never_make_it_fire(base: float, burst: float, uneven: bool) -> None:
    for seed in range(4):
        assert not four_steps(Reflex(share_of(ALPHA, 1)), Router(seed, base=base, burst=burst), 40.0, uneven)


def test_control_held_against_an_earlier_time_an_outage_of_both_makes_it_fire() -> None:
    assert "before the switch" in four_steps(Reflex(share_of(ALPHA, 1)), Router(0), 40.0, alone=True)


def test_control_bursts_that_the_dispersion_does_not_cover_make_it_fire() -> None:
    def errs(dispersion: float) -> int:
        """In how many rollouts; bursts of mean size 8 (geometric) have a dispersion of 2 * 8 - 1."""
        reflex = Reflex(share_of(ALPHA, 1), dispersion)
        return sum(bool(four_steps(reflex, Router(seed, base=0.01, burst=8.0), 20.0)) for seed in range(8))

    assert errs(1.0) > 0
    assert errs(15.0) == 0


@pytest.mark.parametrize(("least", "fires"), [(5, True), (6, True), (7, False)])
def test_it_never_fires_on_fewer_failures_than_it_must_see(least: int, fires: bool) -> None:
    reflex = Reflex(alpha=0.01, min_failures=least)
    state = reflex.start()
    for tick in range(100):
        state, dummy = reflex.weigh(state, Counts(100, 1), Counts(900, 9), float(tick))
    # The failures of good times do not count among them.
    assert bool(reflex.weigh(state, Counts(6, 6), Counts(600, 0), 100.0)[1]) is fires


def test_it_says_the_numbers_that_decided() -> None:
    reflex = Reflex(share_of(ALPHA, 1))
    state = reflex.start()
    for tick in range(100):
        state, why = reflex.weigh(state, Counts(5, 0), Counts(95, 0), tick * SAMPLE)
    state, why = reflex.weigh(state, Counts(4, 4), Counts(76, 0), 10.0)
    assert why == ""
    state, why = reflex.weigh(state, Counts(8, 8), Counts(152, 1), 10.1)
    assert why.startswith("canary failed 12 of 12 requests, stable 1 of 228; evidence 1 : ")
    assert why.endswith(", wanted 1 : 4000")
    why = reflex.weigh(state, Counts(1000, 1000), Counts(19000, 1), 10.2)[1]
    assert "evidence 1 : 10^" in why


def test_after_the_switch_it_says_what_stable_had_before() -> None:
    reflex = Reflex(share_of(ALPHA, 1))
    state, dummy = reflex.weigh(reflex.start(), Counts(500, 1), Counts(500, 1), 0.0)
    why = reflex.weigh(state, Counts(30, 30), Counts(3, 3), 0.1, alone=True)[1]
    assert why.startswith("canary failed 30 of 30 requests, stable 1 of 500 before the switch; evidence 1 : ")


def test_a_state_from_json_decides_alike() -> None:
    reflex, router = Reflex(share_of(ALPHA, 1)), Router(3)
    state = reflex.start()
    for tick in range(50):
        news = router.sample(canary=0.15)
        other = reflex.weigh(json.loads(json.dumps(state)), *news, tick * SAMPLE)
        state, why = reflex.weigh(state, *news, tick * SAMPLE)
        assert other == (state, why)
