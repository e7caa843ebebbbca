# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of canary's members to a probe: good, bad, lost, or nobody to ask."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Measurement
from ansible_collections.zdm.rollout.plugins.plugin_utils.signals.http import measure


def answer(status: int = 200, body: Any = "") -> dict[str, Any]:
    return {"status": status, "body": body if isinstance(body, str) else json.dumps(body), "seconds": 0.01}


def kind(measurement: Measurement) -> str:
    """The one thing that a measurement says."""
    said = [
        name
        for name, is_said in (
            ("good", measurement.good is True),
            ("bad", measurement.good is False),
            ("error", measurement.error),
            ("no_data", measurement.no_data),
        )
        if is_said
    ]
    assert len(said) == 1
    assert measurement.value is None
    return said[0]


@pytest.mark.parametrize(
    ("expect", "reply", "said", "because"),
    [
        (None, answer(200), "good", "as expected"),
        (None, answer(204), "good", "as expected"),
        (None, answer(199), "bad", "status 199, expected 2xx"),
        (None, answer(301), "bad", "status 301, expected 2xx"),
        (503, answer(503), "good", "as expected"),
        (200, answer(204), "bad", "status 204, expected 200"),
        (None, {"status": None, "failure": "connection refused"}, "bad", "connection refused"),
        ("status == 'ok'", answer(200, {"status": "ok"}), "good", "as expected"),
        ("status == 'ok'", answer(200, {"status": "no"}), "bad", "is false, expected true"),
        ("status", answer(200, {"status": "ok"}), "bad", 'is "ok", expected true'),  # a text is not yet true
        ("live", answer(200, {}), "bad", "is null, expected true"),
        ("live", answer(200, {"live": 1}), "bad", "is 1, expected true"),
        ("live", answer(500, {"live": True}), "bad", "status 500, expected 2xx"),
        ("live", answer(200, "live: true"), "bad", "the body is not JSON"),
        ("live", answer(200, "[" * 8000), "bad", "the body is not JSON"),
        ("lag < `5`", answer(200, {"lag": 4.5}), "good", "as expected"),
        ("lag < `5`", answer(200, {"lag": "low"}), "bad", "cannot be evaluated"),
        ("contains(tags, `5`)", answer(200, {"tags": "5"}), "bad", "cannot be evaluated"),
        ("floor(lag) == `0`", answer(200, '{"lag": Infinity}'), "bad", "cannot be evaluated"),
        ("nothing(lag)", answer(200, {"lag": 1}), "bad", "Unknown function"),
    ],
)
def test_an_answer_is_as_expected_or_says_what_is_wrong(
    expect: int | str | None, reply: dict[str, Any], said: str, because: str
) -> None:
    measurement = measure("/ready", expect, {("p1", "w1"): reply})
    assert kind(measurement) == said
    assert because in measurement.text


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        ({}, "no_data"),
        ({("p1", "w1"): answer(), ("p2", "w1"): answer()}, "good"),
        ({("p1", "w1"): answer(), ("p2", "w1"): answer(500)}, "bad"),
        ({("p1", "w1"): answer(), ("p2", "w1"): {"error": "channel lost"}}, "error"),
        ({("p1", "w1"): answer(500), ("p2", "w1"): {"error": "channel lost"}}, "error"),
    ],
    ids=["nobody to ask", "all good", "one bad", "one lost", "one bad, one lost"],
)
def test_all_routers_and_members_must_agree_that_it_is_good(replies: Any, said: str) -> None:
    assert kind(measure("/ready", None, replies)) == said


def test_who_is_bad_is_named_with_who_says_so() -> None:
    replies = {("p1", "w1"): answer(), ("p1", "w2"): answer(500), ("p2", "w2"): answer(502)}
    text = measure("/ready", None, replies).text
    assert text == "/ready of w2 from p1: status 500, expected 2xx; w2 from p2: status 502, expected 2xx"


EXPRESSIONS = st.sampled_from(
    ["a", "a < `1`", "a > b", "contains(a, b)", "sort(a)", "max_by(a, &b)", "ceil(a)", "length(a)", "&a", "a[?b > `1`]"]
)
BODIES = st.text(max_size=10) | st.dictionaries(
    st.sampled_from("ab"),
    st.none()
    | st.booleans()
    | st.floats()
    | st.text(max_size=3)
    | st.lists(
        st.integers() | st.text(max_size=2) | st.dictionaries(st.just("b"), st.integers() | st.text(max_size=1))
    ),
).map(json.dumps)


@given(EXPRESSIONS, BODIES)
def test_no_body_brings_the_prober_down(expression: str, body: str) -> None:
    assert kind(measure("/ready", expression, {("p1", "w1"): answer(200, body)})) in ("good", "bad")
