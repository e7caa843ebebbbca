# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The share map's words and lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _haproxy_share as share
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Member, Service

MEMBER = (Member("a", "127.0.0.1", 80),)
WEB = Service("web", "test", {"blue": MEMBER, "green": MEMBER})
THREE = Service("web", "test", {"blue": MEMBER, "green": MEMBER, "red": MEMBER})


@pytest.mark.parametrize(
    ("split", "word"),
    [
        ({"blue": 95.0, "green": 5.0}, "blue:green:500"),
        ({"blue": 99.99, "green": 0.01}, "blue:green:1"),
        ({"green": 100.0}, "blue:green:10000"),
        ({"blue": 100.0, "green": 0.0}, "blue:green:0"),
    ],
)
def test_a_split_is_one_word(split: dict[str, float], word: str) -> None:
    assert share.value(share.weights(WEB, split)) == word


def test_the_word_names_the_two_pools_that_share() -> None:
    assert share.value(share.weights(THREE, {"green": 30.0, "red": 70.0})) == "green:red:7000"
    with pytest.raises(ValueError, match="more than two pools at once"):
        share.weights(THREE, {"blue": 10.0, "green": 20.0, "red": 70.0})


@given(st.integers(0, 10000))
def test_what_is_written_is_read(part: int) -> None:
    split = {"blue": 100 - part / 100, "green": part / 100}
    assert share.parse_value(share.value(share.weights(WEB, split))) == {"blue": 10000 - part, "green": part}


@pytest.mark.parametrize("word", ["", "abc", "500", "blue:500", "blue:green:", "blue:green:-1", "blue:green:10001"])
def test_what_is_no_share_is_none(word: str) -> None:
    assert share.parse_value(word) is None


@pytest.mark.parametrize(
    ("split", "said"),
    [({"blue": 90.0}, "sums to 90"), ({"blue": 50.0, "red": 50.0}, "pool 'red': service web has blue and green")],
)
def test_what_is_no_split_is_refused(split: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        share.weights(WEB, split)


def test_one_line_is_changed_and_the_others_stay() -> None:
    before = "# a remark\npay x:y:1\n  web   blue:green:0\nweb.match green\nweb blue:green:9\n"
    after = share.with_value(before, "web", "blue:green:500")
    assert after == "# a remark\npay x:y:1\nweb blue:green:500\nweb.match green\n"
    assert share.values(after, "web") == ["blue:green:500"]
    assert share.with_value("", "web", "w") == "web w\n"
    assert share.with_value("pay p\n", "web", "w") == "pay p\nweb w\n"


def test_what_haproxy_shows_is_read_by_the_whole_key() -> None:
    reply = "0x55b6 web blue:green:500\n0x55b7 web.match green\n0x55b8 webs x"
    assert share.shown(reply, "web") == ["blue:green:500"]
    assert share.shown("Unknown map identifier. Please use #<id> or <file>.", "web") == []


@pytest.mark.parametrize(
    ("targets", "word"),
    [
        ({}, "blue:green:500"),
        ({"match": "green"}, "blue:green:500:green:"),
        ({"preview": "green"}, "blue:green:500::green"),
        ({"match": "green", "preview": "blue"}, "blue:green:500:green:blue"),
    ],
)
def test_where_rules_lead_stands_in_the_same_word(targets: dict[str, str], word: str) -> None:
    parts = {"blue": 9500, "green": 500}
    assert share.value(parts, targets) == word
    assert (share.parse_value(word), share.parse_targets(word)) == (parts, targets)
