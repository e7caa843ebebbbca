# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The threshold judge: what fails, what passes, and what is neither."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils.judge import (
    ERROR,
    FAIL,
    INCONCLUSIVE,
    NO_DATA,
    PASS,
    Bounds,
    Comparison,
    Counts,
    Evidence,
    Measurement,
    Verdict,
)

ERROR_NOW, NOTHING_NOW = Measurement("no answer", error=True), Measurement("nothing", no_data=True)


def compared(canary: tuple[int, int], stable: tuple[int, int], min_requests: int = 50) -> Verdict:
    """The verdict over (requests, failures) of both."""
    judge = Comparison(min_requests)
    return judge.weigh(judge.start(), Evidence(Counts(*canary), Counts(*stable)))[1]


@pytest.mark.parametrize(
    ("canary", "stable", "outcome"),
    [
        # Stable fails 7.2 %: 1.25 times that and a point are 10 %. At the limit is not above it.
        ((50, 5), (1000, 72), PASS),
        ((50, 5), (1000, 71), FAIL),  # 7.1 % allow 9.875 %
        # Stable fails nothing: a point is allowed.
        ((500, 5), (1000, 0), PASS),  # 1 %
        ((499, 5), (1000, 0), FAIL),  # 1.002 %
        # Four failures are not yet five, whatever their share.
        ((50, 4), (1000, 0), PASS),
        ((50, 5), (1000, 0), FAIL),
        # Forty-nine requests are not yet fifty; but they are no pass either.
        ((49, 49), (1000, 0), INCONCLUSIVE),
        ((50, 50), (1000, 0), FAIL),
        # Stable fails all: nothing is worse, and 126 % is not to be had.
        ((50, 50), (1000, 1000), PASS),
        ((0, 0), (1000, 0), NO_DATA),
        ((1000, 1000), (0, 0), INCONCLUSIVE),
        ((0, 0), (0, 0), NO_DATA),
    ],
)
def test_canary_fails_where_it_is_worse_by_more_than_is_allowed(
    canary: tuple[int, int], stable: tuple[int, int], outcome: str
) -> None:
    assert compared(canary, stable).outcome == outcome


@pytest.mark.parametrize(
    ("canary", "min_requests", "outcome"),
    [
        ((99, 0), 100, INCONCLUSIVE),
        ((100, 0), 100, PASS),
        ((60, 60), 100, FAIL),  # who fails need not have all of its requests
        ((10, 0), 10, PASS),
        ((10, 10), 10, INCONCLUSIVE),  # ten that fail are too few to say so, and no reason to go on
        ((49, 1), 10, INCONCLUSIVE),
        ((50, 1), 10, PASS),
        ((1, 0), 0, PASS),
        ((0, 0), 0, NO_DATA),
    ],
)
def test_a_pass_needs_its_requests(canary: tuple[int, int], min_requests: int, outcome: str) -> None:
    assert compared(canary, (1000, 0), min_requests).outcome == outcome


def test_the_reason_holds_the_numbers_that_decided() -> None:
    reason = compared((200, 20), (1000, 20)).reason
    assert reason == "canary fails 10.00 % of 200 requests, stable 2.00 % of 1,000; at most 3.50 % is allowed"


BATCHES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=8
)


@given(BATCHES)
def test_in_how_many_pieces_the_evidence_comes_does_not_matter(batches: list[tuple[int, int, int, int]]) -> None:
    judge = Comparison(50)
    state = judge.start()
    canary, stable = Counts(), Counts()
    verdict = Verdict(INCONCLUSIVE, "")
    for requests, failing, stable_requests, stable_failing in batches:
        news = (
            Counts(requests, min(requests, failing)),
            Counts(stable_requests, min(stable_requests, stable_failing)),
        )
        canary, stable = canary + news[0], stable + news[1]
        state, verdict = judge.weigh(json.loads(json.dumps(state)), Evidence(*news))
    assert verdict == judge.weigh(judge.start(), Evidence(canary, stable))[1]


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 400), st.integers(0, 400), st.integers(0, 100))
def test_the_verdict_follows_from_the_counts(
    requests: int, failing: int, stable_requests: int, stable_failing: int, min_requests: int
) -> None:
    """Counted in whole numbers: share > 1.25 * stable + 1 is 400 * f * R > (500 * F + 4 * R) * r."""
    failures, stable_failures = min(requests, failing), min(stable_requests, stable_failing)
    outcome = compared((requests, failures), (stable_requests, stable_failures), min_requests).outcome
    worse = 400 * failures * stable_requests > (500 * stable_failures + 4 * stable_requests) * requests
    close = 400 * failures * stable_requests == (500 * stable_failures + 4 * stable_requests) * requests
    if not requests:
        assert outcome == NO_DATA
    elif not stable_requests:
        assert outcome == INCONCLUSIVE
    elif not close:
        assert (outcome == FAIL) == (worse and requests >= 50 and failures >= 5)
        assert outcome != PASS or (requests >= min_requests and not (worse and requests < 50))


def test_after_the_switch_the_baseline_is_what_stable_had_before() -> None:
    judge = Comparison(50)
    state = judge.start()
    for dummy in range(3):  # the same baseline each time: it does not grow
        state, verdict = judge.weigh(state, Evidence(Counts(100, 3), Counts(200, 4), baseline=True))
    # 2 % before the switch allow 3.5 %; 9 of 300 are 3 %.
    assert verdict == Verdict(PASS, "canary fails 3.00 % of 300 requests, stable 2.00 % of 200 before the switch")


def bounded(judge: Bounds, measurements: list[Measurement]) -> list[str]:
    """The outcome after each measurement."""
    state, outcomes = judge.start(), []
    for measurement in measurements:
        state, verdict = judge.weigh(json.loads(json.dumps(state)), Evidence(measurement=measurement))
        outcomes.append(verdict.outcome)
    return outcomes


@pytest.mark.parametrize(
    ("minimum", "maximum", "value", "outcome"),
    [
        (None, 2.0, 2.0, PASS),
        (None, 2.0, 2.01, FAIL),
        (None, 2.0, 0.0, PASS),
        (1.0, None, 1.0, PASS),
        (1.0, None, 0.99, FAIL),
        (1.0, None, 100.0, PASS),
        (1.0, 2.0, 1.5, PASS),
        (1.0, 2.0, 0.5, FAIL),
        (1.0, 2.0, 2.5, FAIL),
    ],
)
def test_bounds_belong_to_what_is_within(
    minimum: float | None, maximum: float | None, value: float, outcome: str
) -> None:
    assert bounded(Bounds(minimum, maximum, 1), [Measurement("x", value=value)]) == [outcome]


def test_the_reason_names_the_bounds_that_were_left() -> None:
    judge = Bounds(1.0, 2.5, 1)
    verdict = judge.weigh(judge.start(), Evidence(measurement=Measurement("canary fails 3 %", value=3.0)))[1]
    assert verdict.reason == "canary fails 3 %; expected at least 1 and at most 2.5"


GOOD, BAD = Measurement("fine", good=True), Measurement("poor", good=False)


@pytest.mark.parametrize(
    ("in_a_row", "measurements", "outcomes"),
    [
        (1, [GOOD, BAD, GOOD], [PASS, FAIL, PASS]),
        (2, [GOOD, GOOD, GOOD], [INCONCLUSIVE, PASS, PASS]),
        (2, [BAD, BAD], [INCONCLUSIVE, FAIL]),
        (2, [BAD, GOOD, BAD, GOOD], [INCONCLUSIVE] * 4),
        (3, [BAD, BAD, GOOD, BAD, BAD, BAD], [INCONCLUSIVE] * 5 + [FAIL]),
        (2, [GOOD, NOTHING_NOW, GOOD, GOOD], [INCONCLUSIVE, NO_DATA, INCONCLUSIVE, PASS]),
        (2, [BAD, ERROR_NOW, BAD, BAD], [INCONCLUSIVE, ERROR, INCONCLUSIVE, FAIL]),
        (2, [GOOD, GOOD, ERROR_NOW], [INCONCLUSIVE, PASS, ERROR]),
        (2, [GOOD, GOOD, NOTHING_NOW], [INCONCLUSIVE, PASS, NO_DATA]),
    ],
)
def test_so_many_in_a_row_must_agree_and_what_is_missing_breaks_the_row(
    in_a_row: int, measurements: list[Measurement], outcomes: list[str]
) -> None:
    assert bounded(Bounds(None, None, in_a_row), measurements) == outcomes


def test_before_the_first_measurement_nothing_is_known() -> None:
    judge = Bounds(None, 1.0, 1)
    assert judge.weigh(judge.start(), Evidence())[1].outcome == INCONCLUSIVE


def test_counts_of_requests_do_not_change_what_was_measured() -> None:
    judge = Bounds(None, 1.0, 1)
    state, verdict = judge.weigh(judge.start(), Evidence(measurement=Measurement("x", value=5.0)))
    assert judge.weigh(state, Evidence(Counts(100, 0), Counts(100, 0))) == (state, verdict)
