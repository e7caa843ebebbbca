# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A message is one line that names the key, the value, what was expected and the next step."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SHOWN, Problem, SpecError, printable, shown
from ansible_collections.zdm.rollout.plugins.plugin_utils._rules import RULES, problem

#: Ends the line, and has a terminal write over what was said before.
TRICK = "a\n\x1b[2Jb"


def test_the_text_is_in_the_order_in_which_it_is_read() -> None:
    found = Problem("steps[0].weight", 101, "at most 100", "correct weight")
    assert found.text() == "steps[0].weight: 101, expected at most 100; correct weight"


def test_an_error_holds_a_line_for_each_problem() -> None:
    problems = [problem("key.missing", "service", what="a name"), problem("key.empty", "health")]
    assert str(SpecError(problems)).splitlines() == [found.text() for found in problems]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        ("5m", '"5m"'),
        ("Größe", '"Größe"'),
        (TRICK, r'"a\n\u001b[2Jb"'),
        (True, "true"),
        (2.1, "2.1"),
        ({"a": 1}, "a mapping"),
        ([1], "a list"),
        (datetime.date(2026, 2, 3), '"2026-02-03"'),
        (10**400, "a number beyond all bounds"),
    ],
)
def test_a_value_is_shown_as_it_was_written_or_as_what_it_is(value: Any, text: str) -> None:
    assert shown(value) == text


def test_a_long_value_is_cut() -> None:
    assert shown("x" * 1000) == '"' + "x" * (SHOWN - 1) + "…"


@given(st.text())
def test_what_is_printable_stays_and_all_else_is_escaped(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(text) == text or not text.isprintable()


def test_neither_key_nor_value_nor_words_order_the_terminal() -> None:
    found = problem("step.check", "steps[0]." + TRICK, TRICK, checks=TRICK, hint=TRICK)
    assert found.text().isprintable()
    assert found.text().count("[2Jb") == 4


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_says_what_was_expected_and_what_to_do(rule: str) -> None:
    assert RULES[rule].expected.strip()
    assert RULES[rule].next_step.strip()
