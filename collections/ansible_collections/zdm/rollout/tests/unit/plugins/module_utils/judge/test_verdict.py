# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Five outcomes, of which the worst counts; none is made into another."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import (
    ERROR,
    FAIL,
    INCONCLUSIVE,
    NO_DATA,
    PASS,
    Verdict,
    worst,
)

FROM_THE_WORST = [FAIL, ERROR, NO_DATA, INCONCLUSIVE, PASS]


@pytest.mark.parametrize(("worse", "better"), list(itertools.combinations(FROM_THE_WORST, 2)))
def test_the_worse_of_two_counts_wherever_it_stands(worse: str, better: str) -> None:
    bad, good = Verdict(worse, "bad"), Verdict(better, "good")
    assert worst([bad, good]) == worst([good, bad]) == bad


def test_of_equal_ones_the_first_is_told() -> None:
    assert worst([Verdict(PASS, ""), Verdict(FAIL, "one"), Verdict(FAIL, "two")]).reason == "one"


def test_nothing_to_judge_passes_and_says_so() -> None:
    assert worst([]) == Verdict(PASS, "no check is declared for this step")


@pytest.mark.parametrize("outcome", FROM_THE_WORST)
def test_a_verdict_survives_json(outcome: str) -> None:
    assert Verdict.from_json(Verdict(outcome, "why").to_json()) == Verdict(outcome, "why")
