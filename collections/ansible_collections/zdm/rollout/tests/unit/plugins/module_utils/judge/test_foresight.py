# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a bad release will take to be found is what it then takes, within what chance does to it."""

from __future__ import annotations

import random
from math import inf, log
from statistics import median

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts, Evidence, Sequential
from ansible_collections.zdm.rollout.plugins.module_utils.judge.foresight import seconds_to_find

WANTED = -log(5e-4 / 2)
#: Requests a second, and canary's share of them.
RATE, SHARE, GOOD = 100, 0.05, 0.001


def foreseen(failing: float, **other: float) -> float:
    usual = {"good": GOOD, "rate": RATE, "share": SHARE, "dispersion": 1.0}
    return seconds_to_find(failing, wanted=WANTED, ratio=1.25, points=0.001, **{**usual, **other})


def found(failing: float, dispersion: float, seed: int) -> float:
    """Seconds that the judge itself needs, of a seeded stream."""
    chance, judge = random.Random(seed), Sequential(1, dispersion=dispersion)
    canary, stable = round(RATE * SHARE), round(RATE * (1 - SHARE))
    state, t = judge.start(), 0
    while judge.log_e(state) < WANTED and t < 5000:
        t += 1
        news = [
            Counts(requests, sum(chance.random() < rate for dummy in range(requests)))
            for requests, rate in ((canary, failing), (stable, GOOD))
        ]
        state, _verdict = judge.weigh(state, Evidence(news[0], news[1], t=float(t)))
    return t


@pytest.mark.parametrize(("failing", "dispersion"), [(1.0, 1.0), (0.2, 1.0), (0.05, 1.0), (0.05, 2.0), (0.02, 1.0)])
def test_it_is_what_the_judge_then_needs(failing: float, dispersion: float) -> None:
    """The median of eleven, which are about twice as long or half as long each."""
    expected = foreseen(failing, dispersion=dispersion)
    needed = median(found(failing, dispersion, seed) for seed in range(11))
    assert expected / 2 <= needed <= expected * 2 + 1


def test_more_of_anything_is_found_sooner() -> None:
    times = [foreseen(0.02), foreseen(0.05), foreseen(0.05, rate=2 * RATE), foreseen(0.2, rate=2 * RATE)]
    assert times == sorted(times, reverse=True)
    assert foreseen(0.05) < foreseen(0.05, dispersion=2.0)
    assert foreseen(0.02) < foreseen(0.02, good=0.01)


@pytest.mark.parametrize(
    "never",
    [
        foreseen(GOOD),
        foreseen(1.2 * GOOD),
        foreseen(0.5, rate=0.0),
        foreseen(0.5, share=1.0),
    ],
    ids=["good", "within the margin", "no requests", "no stable"],
)
def test_what_is_never_found_takes_for_ever(never: float) -> None:
    assert never == inf
