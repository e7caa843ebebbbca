# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was before, of the histories that several routers keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.plugin_utils._past import Past, before


def entry(number: int, release: str, canary: str, outcome: str = "promoted") -> dict[str, Any]:
    stable = "blue" if canary == "green" else "green"
    since = f"2026-01-{number:02d}T09:00:00+00:00"
    return {
        "run": f"run{number}",
        "release": release,
        "stable": stable,
        "canary": canary,
        "outcome": outcome,
        "since": since,
    }


def past(*entries: dict[str, Any]) -> Past:
    return Past.of({"lb1": {"rollouts": list(entries)}})


V2, V3 = entry(1, "v2", "green"), entry(2, "v3", "blue")


def test_without_records_there_was_nothing() -> None:
    without: list[dict[str, Any]] = [{}, {"lb1": None}, {"lb1": {"rollouts": []}}, {"lb1": {}}]
    for records in without:
        nothing = Past.of(records)
        assert (nothing.last, nothing.promoted, list(nothing.releases()), nothing.holds("blue")) == (None, [], [], None)


def test_a_run_that_several_routers_know_is_one() -> None:
    found = Past.of({"lb1": {"rollouts": [V2, V3]}, "lb2": {"rollouts": [V2, V3]}, "new": None})
    assert [rollout.release for rollout in found.rollouts] == ["v2", "v3"]
    assert found.rollouts[0].outcomes == {"lb1": "promoted", "lb2": "promoted"}


def test_a_router_that_came_later_knows_less_and_changes_nothing() -> None:
    found = Past.of({"new": {"rollouts": [V3]}, "lb1": {"rollouts": [V2, V3]}})
    assert [rollout.release for rollout in found.rollouts] == ["v2", "v3"]
    assert list(found.releases()) == ["v3", "v2", before("v2")]


def test_where_they_differ_it_is_no_promotion() -> None:
    one, two = {"rollouts": [V2, V3]}, {"rollouts": [V2, {**V3, "outcome": "rolled_back"}]}
    found = Past.of({"lb1": one, "lb2": two})
    assert found.last is not None
    assert (found.last.outcome, found.last.promoted) == ("different", False)
    assert [rollout.release for rollout in found.promoted] == ["v2"]


@pytest.mark.parametrize(
    ("entries", "holds"),
    [
        ([V2], {"green": "v2", "blue": before("v2")}),
        ([V2, V3], {"green": "v2", "blue": "v3"}),
        ([V2, {**V3, "outcome": "rolled_back"}], {"green": "v2", "blue": None}),
        ([V2, {**V3, "outcome": "held"}], {"green": "v2", "blue": None}),
        ([{**V2, "outcome": "rolled_back"}, entry(2, "v2", "green")], {"green": "v2", "blue": before("v2")}),
        ([{**V2, "outcome": "rolled_back"}], {"green": None, "blue": None}),
        ([V2, V3, entry(3, "v4", "green", "released")], {"green": None, "blue": "v3"}),
    ],
    ids=["first", "both", "turned back", "held", "second try", "never promoted", "let go in the middle"],
)
def test_what_a_pool_has_is_what_was_promoted_there_at_last(
    entries: list[dict[str, Any]], holds: Mapping[str, str | None]
) -> None:
    found = past(*entries)
    assert {pool: found.holds(pool) for pool in holds} == holds


def test_a_pool_that_no_rollout_knew_holds_nothing_known() -> None:
    assert past(V2).holds("violet") is None


def test_each_release_counts_once_from_where_it_served_last() -> None:
    found = past(V2, V3, entry(3, "v2", "green"))
    assert list(found.releases()) == ["v2", "v3", before("v2")]


@given(st.lists(st.tuples(st.sampled_from(["v1", "v2", "v3"]), st.booleans()), max_size=8))
def test_what_holds_is_a_release_that_served(runs: list[tuple[str, bool]]) -> None:
    """Whatever happened: a pool has the newest promoted release of its own, or one that is not known."""
    pools = ["green", "blue"]
    entries: list[dict[str, Any]] = []
    for number, (release, good) in enumerate(runs, 1):
        idle = pools[len([one for one in entries if one["outcome"] == "promoted"]) % 2]
        entries.append(entry(number, release, idle, "promoted" if good else "rolled_back"))
    found = past(*entries)
    for pool in pools:
        held = found.holds(pool)
        assert held is None or held in list(found.releases())
    if found.promoted and found.last is not None and found.last.promoted:
        assert found.holds(found.last.canary) == found.last.release


def test_nobody_knows_what_a_pool_has_that_was_let_go() -> None:
    kept = past(V2, V3)
    gone = Past.of({"lb1": {"rollouts": [V2, V3], "retired": {"pool": "green"}}, "lb2": {"rollouts": [V2, V3]}})
    assert (kept.holds("green"), gone.holds("green")) == ("v2", None)
    assert gone.holds("blue") == "v3"
