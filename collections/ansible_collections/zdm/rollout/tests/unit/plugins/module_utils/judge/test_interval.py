# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interval of the ratio: what it holds at all times, computed exactly, and what it says where little is known."""

from __future__ import annotations

from math import exp, fsum, inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts
from ansible_collections.zdm.rollout.plugins.module_utils.judge.interval import interval, log_e


@pytest.mark.parametrize("ratio", [0.2, 1.0, 3.0])
def test_the_evidence_against_the_true_ratio_is_worth_1_however_many_failures_there_were(ratio: float) -> None:
    """Failure by failure each is canary's with theta(r); all ways in which twelve of them can come."""
    canary, stable = 100, 900
    theta = ratio * canary / (ratio * canary + stable)

    def worth(log_r: float) -> float:
        total = 0.0
        ways = {0: 1.0}
        for failed in range(1, 13):
            after: dict[int, float] = {}
            for ones, p in ways.items():
                after[ones] = after.get(ones, 0.0) + p * (1 - theta)
                after[ones + 1] = after.get(ones + 1, 0.0) + p * theta
            ways = after
            total = fsum(
                p * exp(log_e(log_r, Counts(canary, ones), Counts(stable, failed - ones))) for ones, p in ways.items()
            )
        return total

    assert worth(log(ratio)) == pytest.approx(1.0, abs=1e-9)
    assert worth(log(ratio * 10)) > 1.3, "the control: against another one"


@pytest.mark.parametrize(
    ("canary", "stable"),
    [(Counts(), Counts(9, 1)), (Counts(9, 1), Counts()), (Counts(9), Counts(99))],
)
def test_where_there_is_nothing_to_go_by_it_is_everything(canary: Counts, stable: Counts) -> None:
    assert interval(canary, stable) == (0.0, inf)


def test_one_side_alone_gives_one_bound() -> None:
    low, high = interval(Counts(100, 20), Counts(1900, 0))
    assert low > 5
    assert high == inf
    low, high = interval(Counts(1000, 0), Counts(1000, 40))
    assert low == 0.0
    assert high < 0.5


@given(st.integers(1, 500), st.integers(1, 500), st.integers(500, 10**6), st.integers(500, 10**6))
def test_it_holds_what_was_seen_and_widens_with_the_dispersion(ec: int, eb: int, nc: int, nb: int) -> None:
    canary, stable = Counts(nc, ec), Counts(nb, eb)
    low, high = interval(canary, stable)
    assert low <= (ec / nc) / (eb / nb) <= high
    wider = interval(canary, stable, dispersion=3.0)
    assert wider[0] <= low
    assert wider[1] >= high


def test_more_of_the_same_makes_it_narrower() -> None:
    few, many = interval(Counts(100, 4), Counts(1900, 38)), interval(Counts(10000, 400), Counts(190000, 3800))
    assert few[0] < many[0] < 2.0 < many[1] < few[1]
