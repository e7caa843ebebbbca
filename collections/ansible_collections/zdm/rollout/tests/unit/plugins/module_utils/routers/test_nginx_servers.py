# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``server`` lines of a file: other weights, and everything else to the letter."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _nginx_servers as lines
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Member

WORD = st.sampled_from(["weight=7", "down", "max_fails=3", "fail_timeout=2s", "backup", "max_conns=10"])
BETWEEN = st.sampled_from(["\n", "\n# a comment; server 10.9.9.9:9 weight=3;\n", " ", "\n\n"])


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A file of servers, and their endpoints."""
    count = draw(st.integers(1, 5))
    text = draw(BETWEEN)
    for number in range(count):
        words = draw(st.lists(WORD, max_size=4, unique=True))
        blank = draw(st.sampled_from([" ", "  ", "\n    "]))
        text += (
            "server" + blank + blank.join(["10.0.0.%d:80" % number, *words]) + draw(st.sampled_from(["", " "])) + ";"
        )
        text += draw(BETWEEN)
    return text, ["10.0.0.%d:80" % number for number in range(count)]


@given(files(), st.data())
def test_the_weights_are_those_that_were_asked_for_and_nothing_else_differs(
    file: tuple[str, list[str]], data: st.DataObject
) -> None:
    text, endpoints = file
    wanted = {endpoint: data.draw(st.integers(0, lines.TOP)) for endpoint in endpoints}
    after = lines.rewritten(text, wanted)
    assert {server.endpoint: server.weight for server in lines.of(after)} == wanted
    assert without(after) == without(text)
    assert lines.rewritten(after, wanted) == after


def without(text: str) -> str:
    """The text without what zdm may set and without blanks; comments as they are."""
    kept = [
        line if line.startswith("#") else re.sub(r"\s+(weight=\d+|down)(?=[\s;])", "", line) for line in joined(text)
    ]
    return re.sub(r"\s+", "", "\n".join(kept))


def joined(text: str) -> list[str]:
    """Lines, those that go on joined."""
    return re.sub(r"\n    ", " ", text).splitlines()


def test_a_weight_outlives_the_word_down() -> None:
    text = lines.rewritten("server 10.0.0.1:80 weight=3;", {"10.0.0.1:80": 0})
    assert text == "server 10.0.0.1:80 weight=3 down;"
    assert lines.rewritten(text, {"10.0.0.1:80": 5}) == "server 10.0.0.1:80 weight=5;"


PARTS = {
    "equal": ("server a:1; server b:1;", {"a:1": 1, "b:1": 1}),
    "one is larger": ("server a:1 weight=20; server b:1 weight=10;", {"a:1": 2, "b:1": 1}),
    "all rest": ("server a:1 weight=4 down; server b:1 weight=2 down;", {"a:1": 2, "b:1": 1}),
    "one is down for its operator": ("server a:1 weight=4; server b:1 weight=2 down;", {"a:1": 1, "b:1": 0}),
}


@pytest.mark.parametrize("case", PARTS)
def test_parts(case: str) -> None:
    text, parts = PARTS[case]
    assert lines.parts({server.endpoint: server for server in lines.of(text)}) == parts


def test_endpoints() -> None:
    text = "server 10.0.0.1; server [::1]; server [::1]:81; server name; server unix:/run/app.sock;"
    found = [server.endpoint for server in lines.of(text)]
    assert found == ["10.0.0.1:80", "[::1]:80", "[::1]:81", "name:80", "unix:/run/app.sock"]
    assert lines.endpoint_of(Member("m", "::1", 81)) == "[::1]:81"
