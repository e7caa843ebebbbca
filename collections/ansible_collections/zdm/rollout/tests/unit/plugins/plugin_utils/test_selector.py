# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selectors of time series: how they are written, what they find, what is wrong with one."""

from __future__ import annotations

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils._selector import Matcher, Selector, parse


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("up", Selector("up")),
        (" job:errors:rate5m {} ", Selector("job:errors:rate5m")),
        ('up{job="web"}', Selector("up", (Matcher("job", "=", "web"),))),
        (
            'up{ job = "web" , code=~"5..", code!~"50[1-3]", at!="",}',
            Selector(
                "up",
                (
                    Matcher("job", "=", "web"),
                    Matcher("code", "=~", "5.."),
                    Matcher("code", "!~", "50[1-3]"),
                    Matcher("at", "!=", ""),
                ),
            ),
        ),
        (r'up{path="a\"b,}\\c"}', Selector("up", (Matcher("path", "=", 'a"b,}\\c'),))),
    ],
)
def test_it_is_read_as_it_is_written(text: str, selector: Selector) -> None:
    assert parse(text) == selector
    if '"a' not in text:
        assert parse(str(selector)) == selector


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("5xx", "it is not a name"),
        ("up[5m]", "it is not a name"),
        ("sum(up)", "it is not a name"),
        ("up{job}", "'job' does not begin with a label"),
        ("up{job='web'}", "does not begin with a label"),
        ('up{job="web" code="1"}', "does not begin with a label"),
        ('up{code=~"["}', "'[' is no regular expression"),
    ],
)
def test_what_is_wrong_is_said(text: str, reason: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse(text)
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("up", True),
        ('up{code="500"}', True),
        ('up{code="50"}', False),
        ('up{code=~"50"}', False),  # the whole value
        ('up{code=~"5.."}', True),
        ('up{code!~"4.."}', True),
        ('up{code!~"5.."}', False),
        ('up{code!="500"}', False),
        ('up{job=""}', True),  # a label that is not there
        ('up{job!=""}', False),
        ('up{code="500",job="web"}', False),
    ],
)
def test_it_finds_what_prometheus_would(text: str, found: bool) -> None:
    assert parse(text).matches({"code": "500"}) is found
