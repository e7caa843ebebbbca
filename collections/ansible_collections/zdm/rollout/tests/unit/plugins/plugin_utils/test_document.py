# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A spec's file becomes the document that its author wrote, or is refused; never anything in between."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.plugin_utils import _document
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError


def load(text: str) -> Any:
    return _document.load(text.encode(), "web.yml")


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("-1", -1), ("0.5", 0.5), ("true", True), ("on", True), ("~", None), ("5m", "5m"), ('"5"', "5")],
)
def test_plain_values_are_what_yaml_makes_of_them(text: str, value: Any) -> None:
    found = load(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["1:30", "1:30:00", "1:30.5", "-1:30", "2026-02-30", "0b_", "9" * 5000])
def test_what_is_no_number_or_day_after_all_stays_text(text: str) -> None:
    assert load(text) == text


def test_the_clock_would_be_a_number_without_that() -> None:
    assert yaml.safe_load("hold: 1:30") == {"hold": 90}


@pytest.mark.parametrize("tag", ["int", "float", "bool", "null", "timestamp"])
def test_a_tag_does_not_make_a_value_of_a_word(tag: str) -> None:
    assert load(f"!!{tag} word") == "word"


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("a: 1\nb: 2\na: 3", "a", 3),
        ("checks:\n  errors: {max: 1, max: 2}", "checks.errors.max", 2),
        ("steps:\n- weight: 1\n- {hold: 1,\n   hold: 2}", "steps[1].hold", 4),
        ("a: &x {b: 1, b: 2}\nc: *x", "a.b", 1),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_place(text: str, key: str, line: int) -> None:
    with pytest.raises(SpecError) as refusal:
        load(text)
    assert [(problem.rule, problem.key) for problem in refusal.value.problems] == [("yaml.twice", key)]
    assert f"(line {line})" in str(refusal.value)


def test_the_value_of_a_key_that_stands_twice_is_not_told() -> None:
    with pytest.raises(SpecError) as refusal:
        load("notify:\n- url: https://hooks.example/T0PSECRET\n  url: https://hooks.example/T0PSECRET")
    assert "T0PSECRET" not in str(refusal.value)
    assert 'notify[0].url: "url"' in str(refusal.value)


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "true", "On", "NO"])
def test_a_key_that_yaml_takes_for_a_truth_is_the_word_that_was_written(word: str) -> None:
    assert yaml.safe_load(f"{word}: 1") in ({True: 1}, {False: 1})
    assert load(f"{word}: 1") == {word: 1}
    assert load(f"a: [{{{word}: 1}}]") == {"a": [{word: 1}]}


def test_a_word_and_its_quoted_twin_are_one_key() -> None:
    with pytest.raises(SpecError, match="each key once"):
        load('on: 1\n"on": 2')


def test_a_merged_key_may_be_written_again() -> None:
    assert load("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}")["b"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"a: [1", "line 1"),
        (b"a: 1\n\tb: 2", "line 2"),
        (b"--- 1\n--- 2", "another document"),
        (b"a: !vault x", "'!vault'"),
        (b"a: *gone", "undefined alias 'gone'"),
        (b"? [a]\n: 1", "unhashable key"),
        (b"a: \xff", "invalid start byte"),
        (b"[" * 5000, "nested too deep"),
    ],
)
def test_what_is_no_yaml_is_refused_with_the_reason_in_one_line(text: bytes, reason: str) -> None:
    with pytest.raises(SpecError) as refusal:
        _document.load(text, "web.yml")
    assert [problem.rule for problem in refusal.value.problems] == ["yaml.syntax"]
    assert reason in str(refusal.value)
    assert str(refusal.value).startswith('zdm_spec: "web.yml"')
    assert "\n" not in str(refusal.value)


PIECES = st.sampled_from(list("[]{}:,-?&*!|>%@`'\"#\n\t ~=.0129abxo_") + ["&a ", "*a", "<<: ", "!!int ", "- ", ": "])


@given(st.binary(max_size=30) | st.lists(PIECES, max_size=25).map(lambda pieces: "".join(pieces).encode()))
@settings(max_examples=400)
def test_any_bytes_are_a_document_or_refused(text: bytes) -> None:
    try:
        _document.load(text, "web.yml")
    except SpecError as error:
        assert error.problems


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(codec="ascii"), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc1:", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
@settings(max_examples=100)
def test_what_was_written_comes_back(document: Any) -> None:
    assert load(yaml.safe_dump(document)) == document
