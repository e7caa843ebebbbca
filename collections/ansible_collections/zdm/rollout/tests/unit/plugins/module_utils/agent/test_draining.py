# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Until when a pool without traffic is left alone."""

from __future__ import annotations

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import draining


@pytest.mark.parametrize(
    ("left", "waited", "is_over"),
    [(3, 0.0, False), (3, 29.9, False), (3, 30.0, True), (0, 0.0, True), (None, 0.0, True)],
    ids=["something is under way", "still", "for too long", "nothing is", "nobody can say"],
)
def test_it_is_over(left: int | None, waited: float, is_over: bool) -> None:
    assert draining.over(left, waited, 30.0) is is_over


def test_it_looks_until_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "AGAIN_SECONDS", 0.001)
    counts = iter([2, 1, 0])
    assert draining.drain(lambda: next(counts), 60.0) == 0
    assert next(counts, "all were asked for") == "all were asked for"


def test_what_is_left_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "AGAIN_SECONDS", 0.001)
    assert draining.drain(lambda: 2, 0.01) == 2
