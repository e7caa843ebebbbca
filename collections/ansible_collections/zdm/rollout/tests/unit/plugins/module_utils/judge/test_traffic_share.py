# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the split is what was asked for."""

from __future__ import annotations

from math import exp, fsum, inf, log

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts
from ansible_collections.zdm.rollout.plugins.module_utils.judge.traffic_share import log_e

from .exact import ROUNDING, outcomes


def worth(asked: float, real: float, requests: int = 60) -> float:
    """E[E] over all ways in which so many requests can fall."""
    return fsum(
        p * exp(log_e(asked, Counts(ones.failures), Counts(requests - ones.failures)))
        for ones, p in outcomes(requests, real)
    )


@pytest.mark.parametrize("asked", [0.01, 0.05, 0.5, 0.95])
def test_it_is_worth_at_most_1_where_the_split_is_as_asked(asked: float) -> None:
    assert worth(asked, asked) <= 1 + ROUNDING
    assert worth(asked, 0.2) > 2, "the control: another split"


def test_twice_the_share_is_found_and_a_little_more_is_not() -> None:
    wanted = -log(1e-4)
    assert log_e(0.05, Counts(100), Counts(900)) > wanted
    assert log_e(0.05, Counts(5400), Counts(94600)) == -inf, "as far off as the plan allows"
    assert log_e(0.05, Counts(4), Counts(50)) < wanted, "a few requests say nothing"


@pytest.mark.parametrize("asked", [0.0, 1.0])
def test_all_or_nothing_is_no_share(asked: float) -> None:
    assert log_e(asked, Counts(10), Counts(10)) == -inf


def test_without_requests_there_is_nothing_to_say() -> None:
    assert log_e(0.5, Counts(), Counts()) == -inf
