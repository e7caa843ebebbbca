# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence that canary is not worse: its guarantee computed exactly, with a control, and what it takes."""

from __future__ import annotations

import itertools
from math import log

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts
from ansible_collections.zdm.rollout.plugins.module_utils.judge.promotion import ALTERNATIVES, Promotion, gain

from .exact import RATES, ROUNDING, SIZES, expected


def largest(less: float) -> float:
    """The largest E[L] with canary at r*p_b + d less ``less``."""
    return max(
        expected(lambda c, s, a=a: gain(a, 1.25, 0.02, c, s), canary, p_c, stable, rate)  # type: ignore[misc]
        for a, (canary, stable), rate in itertools.product(ALTERNATIVES, SIZES, RATES)
        if 0.0 <= (p_c := 1.25 * rate + 0.02 - less) <= 1.0
    )


def test_a_batch_is_worth_at_most_1_where_canary_is_worse_than_it_may_be() -> None:
    assert largest(0.0) <= 1 + ROUNDING
    assert largest(0.1) > 1.05, "the control: better than that"


def requests_until(rate: float, promote: float) -> int:
    """Canary's requests until it is shown that it is no worse; both fail with ``rate``, stable has 19 times as many."""
    judge, had, due = Promotion(1.25, 0.001), 0, [0.0, 0.0]
    state = judge.start()
    while had < 200000:
        had += 100
        due = [due[0] + 100 * rate, due[1] + 1900 * rate]
        state = judge.weigh(state, (Counts(100, int(due[0])), Counts(1900, int(due[1]))), 1.0)
        due = [each - int(each) for each in due]
        if judge.log_e(state) >= promote:
            return had
    return had


def test_a_good_release_is_shown_to_be_good_after_thousands_of_requests_and_not_before() -> None:
    assert 4000 <= requests_until(0.001, -log(0.05)) <= 14000


@pytest.mark.parametrize("worse", [0.01, 0.002])
def test_a_bad_one_never_is(worse: float) -> None:
    judge = Promotion(1.25, 0.001)
    state = judge.start()
    for dummy in range(300):
        state = judge.weigh(state, (Counts(1000, round(1000 * (0.00125 + worse))), Counts(19000, 19)), 1.0)
    assert judge.log_e(state) < 0
