# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pool a rule leads to follows from the split alone."""

from __future__ import annotations

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers.rules import (
    COOKIE,
    HEADER,
    MATCH,
    PREVIEW,
    Rule,
    kept,
    read,
    targets,
)

BOTH = {MATCH: (Rule(HEADER, "x-canary", "insider"),), PREVIEW: (Rule(COOKIE, "look", "1"),)}


def split(green: float) -> dict[str, float]:
    return {"blue": 100.0 - green, "green": green}


@pytest.mark.parametrize(
    ("green", "stable", "armed", "expected"),
    [
        (0, "blue", False, {PREVIEW: "green"}),
        (0, "blue", True, {PREVIEW: "green", MATCH: "green"}),
        (25, "blue", True, {PREVIEW: "green", MATCH: "green"}),
        (25, "blue", False, {PREVIEW: "green"}),
        # Canary has everything: the old pool is what a preview is for, and nobody has to be led to canary.
        (100, "blue", True, {PREVIEW: "blue"}),
        (100, "green", False, {PREVIEW: "blue"}),
        (0, "green", True, {PREVIEW: "green"}),
    ],
)
def test_where_rules_lead(green: float, stable: str, armed: bool, expected: dict[str, str]) -> None:
    assert targets(BOTH, split(green), stable, armed) == expected


def test_without_rules_nothing_leads_anywhere() -> None:
    assert targets({}, split(25), "blue", True) == {}


@pytest.mark.parametrize("green", [0.0, 5.0, 50.0, 75.0, 100.0])
@pytest.mark.parametrize("stable", ["blue", "green"])
@pytest.mark.parametrize("armed", [False, True])
def test_a_service_made_known_again_keeps_what_a_rollout_has_in_its_hands(
    green: float, stable: str, armed: bool
) -> None:
    shown = targets(BOTH, split(green), stable, armed)
    assert kept(BOTH, split(green), shown) == shown


def test_a_rule_that_is_new_is_in_force_once_the_service_is_made_known() -> None:
    assert kept(BOTH, split(0), {}) == {PREVIEW: "green"}
    assert kept(BOTH, split(100), {}) == {PREVIEW: "blue"}


def test_rules_travel() -> None:
    assert read({name: [rule.to_json() for rule in rules] for name, rules in BOTH.items()}) == BOTH
