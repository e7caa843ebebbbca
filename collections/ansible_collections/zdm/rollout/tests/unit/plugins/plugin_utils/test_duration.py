# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations: both ways, and nothing that only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.plugin_utils import _duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("15m", 900), ("2h", 7200), ("1h30m", 5400), ("1h0m1s", 3601), ("90", 90), ("0.25s", 0.25), ("0", 0)],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert _duration.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "1:30", "5 m", "5M", "-5s", "1m1h", "1.5h", "1e3", "5m ", "٣s", "inf"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        _duration.parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (0.25, "0.25s"), (60, "1m"), (90, "1m30s"), (3600, "1h"), (5401.5, "1h30m1.5s")]
)
def test_a_duration_is_written_the_shortest_way(seconds: float, text: str) -> None:
    assert _duration.text(seconds) == text


@given(st.integers(0, 10**11))
def test_what_is_written_is_read_as_the_same(milliseconds: int) -> None:
    assert _duration.parse(_duration.text(milliseconds / 1000)) == milliseconds / 1000
