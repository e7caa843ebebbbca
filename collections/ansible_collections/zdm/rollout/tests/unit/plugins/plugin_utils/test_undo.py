# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back to a release that served before, or why there is none."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils._past import Past, before
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._undo import Now, Serves, Way, forward, retry, undo

from .test_past import V2, V3, entry, past

GREEN, BLUE, NEITHER = Now("green", "blue"), Now("blue", "green"), Now(None, "green")
#: v1 to v4 one after the other, the first one nobody knows the name of.
FOUR = (V2, V3, entry(3, "v4", "green"))


def way(named: str, entries: Any, now: Now, window: int = 1, can_deploy: bool = True) -> Way:
    return undo(named, past(*entries), now, window, can_deploy)


def rule(named: str, entries: Any, now: Now, window: int = 1, can_deploy: bool = True) -> str:
    with pytest.raises(SpecError) as refusal:
        way(named, entries, now, window, can_deploy)
    return refusal.value.problems[0].rule


def test_the_one_before_is_still_in_its_pool() -> None:
    assert way("", [V2, V3], BLUE) == Way("v2", deploy=False, at_once=True)
    assert way("v2", [V2, V3], BLUE, can_deploy=False) == Way("v2", deploy=False, at_once=True)


def test_after_the_first_rollout_it_goes_back_to_what_nobody_named() -> None:
    assert way("", [V2], GREEN) == Way(before("v2"), deploy=False, at_once=True)


def test_within_the_window_it_is_one_order_and_else_a_rollout() -> None:
    """Scenario 12: v1 to v4 were promoted, somebody wants v2, which only the deploy hook can bring back."""
    assert way("v2", FOUR, GREEN, window=3) == Way("v2", deploy=True, at_once=True)
    assert way("v2", FOUR, GREEN, window=2) == Way("v2", deploy=True, at_once=True)
    assert way("v2", FOUR, GREEN, window=1) == Way("v2", deploy=True, at_once=False)
    assert way("v3", FOUR, GREEN, window=1) == Way("v3", deploy=False, at_once=True)


def test_a_failed_release_in_the_pool_since_has_to_be_replaced() -> None:
    failed = [V2, V3, entry(3, "v4", "green", "rolled_back")]
    assert way("", failed, BLUE) == Way("v2", deploy=True, at_once=True)
    assert rule("", failed, BLUE, can_deploy=False) == "undo.gone"


def test_what_serves_needs_nothing() -> None:
    with pytest.raises(Serves, match="release v3 serves already, from blue"):
        way("v3", [V2, V3], BLUE)


@pytest.mark.parametrize("now", [GREEN, NEITHER])
def test_where_somebody_moved_the_traffic_nothing_is_guessed(now: Now) -> None:
    assert rule("", [V2, V3], now) == "undo.moved"


def test_a_second_undo_has_to_say_where_to() -> None:
    back = [V2, V3, entry(3, "v2", "green")]
    assert rule("", back, GREEN) == "undo.twice"
    assert way("v3", back, GREEN) == Way("v3", deploy=False, at_once=True)


def test_a_release_without_a_name_is_brought_by_no_hook() -> None:
    assert rule(before("v2"), [V2, V3], BLUE, window=20) == "undo.gone"


def differing(here: Any, there: Any) -> Past:
    return Past.of({"lb1": {"rollouts": [V2, *here]}, "lb2": {"rollouts": [V2, *there]}})


def refusal_of(found: Past, now: Now) -> str:
    with pytest.raises(SpecError) as refusal:
        undo("", found, now, 1, can_deploy=True)
    return refusal.value.problems[0].rule


def test_a_promotion_here_and_none_there_leaves_it_open_what_serves() -> None:
    back, held = {**V3, "outcome": "rolled_back"}, {**V3, "outcome": "held"}
    assert refusal_of(differing([V3], [back]), GREEN) == "past.disagree"
    assert refusal_of(differing([held], [back]), GREEN) == "undo.gone", "no promotion: only its pool is not known"


def test_such_a_difference_is_forgotten_with_the_next_promotion() -> None:
    v4 = entry(3, "v4", "blue")
    found = differing([V3, v4], [{**V3, "outcome": "rolled_back"}, v4])
    assert undo("", found, BLUE, 1, can_deploy=True) == Way("v2", deploy=False, at_once=True)


@pytest.mark.parametrize(
    "entries",
    [[V2, V3], [V2, V3, entry(3, "v4", "green", "rolled_back")]],
    ids=["just now", "before another that was turned back"],
)
def test_a_rollout_of_what_serves_changes_nothing_unless_it_is_to(entries: Any) -> None:
    with pytest.raises(Serves, match="zdm_again"):
        forward("v3", past(*entries), "blue", again=False)
    assert forward("v3", past(*entries), "blue", again=True) == Way("v3", deploy=True, at_once=False)


@pytest.mark.parametrize(
    ("release", "entries", "serving"),
    [
        ("v4", [V2, V3], "blue"),
        ("v2", [V2, V3], "blue"),
        ("v3", [V2, V3], "green"),
        ("v3", [V2, V3], None),
        ("v3", [V2, {**V3, "outcome": "rolled_back"}], "green"),
        ("v3", [], "blue"),
    ],
)
def test_a_rollout_of_anything_else_is_one(release: str, entries: Any, serving: str | None) -> None:
    assert forward(release, past(*entries), serving, again=False) == Way(release, deploy=True, at_once=False)


def test_what_was_promoted_at_some_routers_only_is_rolled_out_again() -> None:
    found = differing([V3], [{**V3, "outcome": "rolled_back"}])
    assert forward("v3", found, "blue", again=False) == Way("v3", deploy=True, at_once=False)
    assert forward("v2", found, "green", again=False) == Way("v2", deploy=True, at_once=False)


@pytest.mark.parametrize("outcome", ["rolled_back", "held", "released"])
def test_retry_takes_the_release_that_did_not_make_it(outcome: str) -> None:
    assert retry(past(V2, {**V3, "outcome": outcome})) == Way("v3", deploy=True, at_once=False)
