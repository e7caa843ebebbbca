# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: stable is read from the live routers, and every share is one that each router can hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import (
    DOWN,
    UNCHECKED,
    UP,
    MemberState,
    Scale,
    Traffic,
)
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import UNFINISHED, LiveRouter, Plan, plan, share_of
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._spec import parse

from .example import EXAMPLE, PER_POOL, PER_SERVER, example, fleet_of, live_of, plan_of

BLUE, GREEN, HALF = {"blue": 100, "green": 0}, {"blue": 0, "green": 100}, {"blue": 50, "green": 50}
#: The record of a rollout that was left in the middle; see UNFINISHED.
LEFT_AT_GREEN = {"state": "armed", "stable": "green"}


def planned(change: Mapping[str, Any], records: Mapping[str, Mapping[str, Any]]) -> Plan:
    """The plan for an example whose routers have these records."""
    varied = example(change)
    spec = parse(varied["spec"])
    fleet = fleet_of(varied, spec)
    live = {
        name: LiveRouter(found.traffic, records.get(name)) for name, found in live_of(varied["live"], fleet).items()
    }
    return plan(spec, fleet, live)


def refused(change: Mapping[str, Any], records: Mapping[str, Mapping[str, Any]] | None = None) -> list[tuple[str, str]]:
    with pytest.raises(SpecError) as refusal:
        planned(change, records or {})
    return [(problem.rule, problem.key) for problem in refusal.value.problems]


@pytest.mark.parametrize(("shown", "stable", "canary"), [(BLUE, "blue", "green"), (GREEN, "green", "blue")])
@pytest.mark.parametrize("initial", ["blue", "green"])
def test_stable_is_the_pool_that_serves_whatever_the_spec_says(
    shown: Mapping[str, float], stable: str, canary: str, initial: str
) -> None:
    found = planned({"live.p1": shown, "live.p2": shown, "spec.initial": initial}, {"p1": LEFT_AT_GREEN})
    assert (found.stable, found.canary) == (stable, canary)
    assert [step.weight for step in found.steps] == [5, 50, 100]
    assert not any(step.settle for step in found.steps)


@pytest.mark.parametrize(
    ("p1", "p2", "initial", "records", "stable"),
    [
        (HALF, HALF, "green", {}, "green"),
        (BLUE, HALF, "blue", {}, "blue"),
        (BLUE, HALF, None, {"p2": LEFT_AT_GREEN}, "green"),
        (BLUE, GREEN, None, {"p1": LEFT_AT_GREEN, "p2": LEFT_AT_GREEN}, "green"),
        (HALF, HALF, "blue", {"p1": {"state": "reverted", "stable": "green"}}, "green"),
        (HALF, HALF, "blue", {"p1": {"state": "idle", "stable": "green"}}, "blue"),
        (HALF, HALF, "blue", {"p1": {"state": "armed", "stable": "gone"}}, "blue"),
    ],
    ids=[
        "initial",
        "one shows it, initial says the same",
        "a record",
        "they disagree, the records do not",
        "a record before initial",
        "a finished record says nothing",
        "a record of pools that are no more",
    ],
)
def test_routers_that_show_anything_else_are_settled_first(
    p1: Any, p2: Any, initial: str | None, records: Mapping[str, Any], stable: str
) -> None:
    said = {"spec.initial": initial} if initial else {}
    found = planned({"live.p1": p1, "live.p2": p2, **said}, records)
    settle, *rest = found.steps
    assert found.stable == stable
    assert (settle.settle, settle.weight, settle.hold, settle.checks) == (True, 0, 0, ())
    assert [(step.index, step.weight, step.settle) for step in rest] == [(1, 5, False), (2, 50, False), (3, 100, False)]


@pytest.mark.parametrize(
    ("change", "records", "problems"),
    [
        ({"live.p1": HALF}, {}, [("plan.unsettled", "p1")]),
        ({"live.p1": HALF, "live.p2": HALF}, {}, [("plan.unsettled", "p1"), ("plan.unsettled", "p2")]),
        ({"live.p1": BLUE, "live.p2": GREEN}, {}, [("plan.disagree", "routers")]),
        ({"live.p1": BLUE, "live.p2": GREEN, "spec.initial": "blue"}, {}, [("plan.disagree", "routers")]),
        ({"live.p1": BLUE, "live.p2": HALF, "spec.initial": "green"}, {}, [("plan.disagree", "routers")]),
        (
            {"live.p1": HALF, "live.p2": HALF, "spec.initial": "blue"},
            {"p1": LEFT_AT_GREEN, "p2": {"state": "armed", "stable": "blue"}},
            [("plan.unsettled", "p1"), ("plan.unsettled", "p2")],
        ),
    ],
    ids=[
        "one is unsettled",
        "both are",
        "they disagree",
        "they disagree: initial does not decide",
        "one disagrees with initial",
        "the records disagree: initial does not decide",
    ],
)
def test_nobody_guesses_which_pool_is_stable(
    change: Mapping[str, Any], records: Mapping[str, Any], problems: list[tuple[str, str]]
) -> None:
    assert refused(change, records) == problems


def test_an_ignored_router_has_no_say_and_no_part() -> None:
    ignored = {"spec.routers_ignore": [{"router": "p2", "reason": "being replaced"}]}
    varied = example(ignored, without=("live.p2",))
    found = plan_of(varied)
    assert (list(found.routers), found.ignored) == (["p1"], {"p2": "being replaced"})


def test_a_member_that_would_take_traffic_once_it_is_up_keeps_a_router_from_being_settled() -> None:
    varied = example()
    spec = parse(varied["spec"])
    fleet = fleet_of(varied, spec)
    live = live_of(varied["live"], fleet)
    lurking = replace(
        live["p1"].traffic,
        members=tuple(
            replace(member, weight=1, health=DOWN) if member.name == "w2-green" else member
            for member in live["p1"].traffic.members
        ),
    )
    with pytest.raises(SpecError, match="w2-green would take some as soon as up"):
        plan(spec, fleet, {**live, "p1": LiveRouter(lurking, None)})


def test_weights_that_give_no_share_are_not_all_traffic() -> None:
    varied = example()
    spec = parse(varied["spec"])
    fleet = fleet_of(varied, spec)
    live = live_of(varied["live"], fleet)
    traffic = live["p1"].traffic
    members = tuple(replace(member, weight=0) for member in traffic.members)
    nothing = replace(traffic, held=False, split={"blue": 0.0, "green": 0.0}, members=members)
    with pytest.raises(SpecError) as refusal:
        plan(spec, fleet, {**live, "p1": LiveRouter(nothing, None)})
    assert [problem.rule for problem in refusal.value.problems] == ["plan.unsettled"]


def test_a_pool_that_is_down_is_the_one_that_serves_where_no_other_would() -> None:
    varied = example({"spec.on_sick_stable": "leave"})
    spec = parse(varied["spec"])
    fleet = fleet_of(varied, spec)
    live = live_of(varied["live"], fleet, {"p1": "blue"})
    dark = replace(live["p1"].traffic, held=False, split={"blue": 0.0, "green": 0.0})
    found = plan(spec, fleet, {**live, "p1": LiveRouter(dark, None)})
    assert (found.stable, [step.weight for step in found.steps]) == ("blue", [100.0])
    assert "p1: blue has no healthy member, so all goes to green in one step, with no way back" in found.warnings


def test_a_pool_that_the_spec_does_not_know_may_not_take_part() -> None:
    """Its members are not zdm's, so only the split tells of it."""
    assert refused({"live.p1": {"blue": 95, "green": 0, "old": 5}}) == [("plan.unsettled", "p1")]


def test_a_refused_share_is_named_as_the_spec_counts_its_steps() -> None:
    """Also when a step comes first that the spec does not have."""
    steps = [{"weight": 5, "hold": "5m"}, {"weight": 99.9, "hold": "5m"}, {"weight": 100, "hold": "5m"}]
    for change in ({}, {"live.p1": HALF, "live.p2": HALF, "spec.initial": "blue"}):
        assert refused({"spec.steps": steps, **change}) == [("plan.share", "steps[1].weight")]


def test_the_plan_says_what_each_router_really_gives() -> None:
    found = plan_of(
        example({"spec.steps": [{**EXAMPLE["spec"]["steps"][0], "weight": 0.37}, *EXAMPLE["spec"]["steps"][1:]]})
    )
    assert found.routers["p1"].held == {"0.37": round(100 / 257, 3), "50": 50.0, "100": 100.0}
    assert found.routers["p2"].held == {"0.37": 0.37, "50": 50.0, "100": 100.0}
    assert found.live == {"p1": BLUE, "p2": BLUE}
    assert found.duration == 3 * 300


@pytest.mark.parametrize("state", UNFINISHED)
def test_a_rollout_that_was_left_in_the_middle_says_which_pool_was_stable(state: str) -> None:
    found = planned({"live.p1": HALF, "live.p2": HALF}, {"p1": {"state": state, "stable": "green"}})
    assert found.stable == "green"


@pytest.mark.parametrize(
    ("guard", "there", "missing"),
    [
        ("resident", {"p1": "resident", "p2": "resident"}, []),
        ("resident", {"p1": "resident", "p2": "session"}, ["p2"]),
        ("resident", {}, ["p1", "p2"]),
        ("session", {}, []),
        ("session", {"p1": "resident"}, []),
    ],
)
def test_a_resident_guard_that_is_missing_is_named_before_anything_moves(
    guard: str, there: Mapping[str, str], missing: list[str]
) -> None:
    varied = example({"spec.guard": guard})
    spec = parse(varied["spec"])
    fleet = fleet_of(varied, spec)
    live = {
        name: replace(found, guard=there.get(name, "none")) for name, found in live_of(varied["live"], fleet).items()
    }
    try:
        plan(spec, fleet, live)
        problems = []
    except SpecError as error:
        problems = [(problem.rule, problem.key, problem.value) for problem in error.problems]
    assert problems == [("plan.guard", name, there.get(name, "none")) for name in missing]


def test_whether_there_is_a_way_back_is_in_the_plan() -> None:
    varied = example({"spec.on_sick_stable": "leave"})
    spec = parse(varied["spec"])
    fleet = fleet_of(varied, spec)
    live = live_of(varied["live"], fleet)
    members = tuple(
        replace(member, health=DOWN) if member.pool == "blue" else member for member in live["p1"].traffic.members
    )
    found = plan(spec, fleet, {**live, "p1": replace(live["p1"], traffic=replace(live["p1"].traffic, members=members))})
    assert {name: router.way_back for name, router in found.routers.items()} == {"p1": False, "p2": True}


def test_a_plan_survives_json() -> None:
    found = planned({"live.p1": HALF, "spec.initial": "blue"}, {})
    assert Plan.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    ("health", "warned"),
    [
        ({"w1-green": DOWN}, []),
        ({"w1-green": DOWN, "w2-green": UNCHECKED}, []),
        ({"w1-green": DOWN, "w2-green": DOWN}, ["p1: green has no healthy"]),
        ({"w1-blue": DOWN, "w2-blue": DOWN}, ["p1: blue has no healthy"]),
    ],
    ids=["one of two", "one is not checked", "canary", "stable"],
)
def test_a_pool_without_a_healthy_member_is_a_warning(health: Mapping[str, str], warned: list[str]) -> None:
    varied = example({"spec.on_sick_stable": "leave"})
    spec = parse(varied["spec"])
    fleet = fleet_of(varied, spec)
    live = live_of(varied["live"], fleet)
    members = tuple(replace(member, health=health.get(member.name, UP)) for member in live["p1"].traffic.members)
    live["p1"] = LiveRouter(replace(live["p1"].traffic, members=members), None)
    assert [text.partition(" member")[0] for text in plan(spec, fleet, live).warnings] == warned


@pytest.mark.parametrize(
    ("hosts", "compare", "warned"),
    [(["w1"], "stable", True), (["w1", "w2"], "stable", False), (["w1"], None, False)],
    ids=["one", "two", "nothing is compared"],
)
def test_a_release_on_one_host_cannot_be_told_from_it(hosts: list[str], compare: str | None, warned: bool) -> None:
    check = {"signal": "router", "compare": compare} if compare else {"signal": "router", "max": 1}
    found = planned({"groups.web": hosts, "spec.checks": {"errors": check}}, {})
    assert ["green has one member" in text for text in found.warnings] == [True] * warned


@pytest.mark.parametrize("costs", ["a reload", ""], ids=["each costs a reload", "they cost nothing"])
@pytest.mark.parametrize("steps", [4, 5])
def test_many_steps_that_cost_something_are_a_warning(costs: str, steps: int) -> None:
    weights = [*range(10, 10 * steps, 10), 100]
    varied = example({"spec.steps": [{"weight": weight, "hold": "5m"} for weight in weights]})
    spec = parse(varied["spec"])
    fleet = fleet_of(varied, spec)
    live = live_of(varied["live"], fleet)
    live["p1"] = LiveRouter(replace(live["p1"].traffic, costs=costs), None)
    told = [text for text in plan(spec, fleet, live).warnings if "changes of the split" in text]
    assert [text.partition(" are")[0] for text in told] == (["p1: 5 steps"] if costs and steps == 5 else [])


def traffic(scale: Scale, stable: tuple[str, ...], canary: tuple[str, ...]) -> Traffic:
    """Pools of members with these healths."""
    members = [MemberState(f"b{index}", "blue", health, 1) for index, health in enumerate(stable)]
    members += [MemberState(f"g{index}", "green", health, 0) for index, health in enumerate(canary)]
    return Traffic(tuple(members), BLUE, scale)


@pytest.mark.parametrize(
    ("scale", "stable", "canary", "weight", "share"),
    [
        (PER_POOL, (UP,), (UP,), 0.01, 0.01),
        (Scale("pool", 100), (UP,), (UP,), 0.4, 1.0),
        (PER_SERVER, (UP,), (UP,), 0.01, 100 / 257),
        (PER_SERVER, (UP, UP), (UP,), 0.01, 100 / 513),
        (PER_SERVER, (UP, UP), (UP, DOWN), 0.01, 100 / 513),
        (PER_SERVER, (UP, UP), (UP, UNCHECKED), 0.01, 200 / 514),
        (PER_SERVER, (UP, UP), (DOWN, DOWN), 0.01, 200 / 514),
        (PER_SERVER, (DOWN, DOWN), (UP, UP), 0.01, 200 / 514),
    ],
    ids=[
        "the finest of Envoy",
        "a pool gets at least one part",
        "one to 256",
        "one to 512",
        "a member that is down takes nothing",
        "one that is not checked does",
        "before the release: as if all were up",
        "stable is down: as if all were up",
    ],
)
def test_the_share_follows_from_scale_and_live_members(
    scale: Scale, stable: tuple[str, ...], canary: tuple[str, ...], weight: float, share: float
) -> None:
    wanted = {"blue": 100 - weight, "green": weight}
    assert share_of(traffic(scale, stable, canary), wanted, "green") == pytest.approx(share)


#: Hundredths of a percent, where routers have their limits.
EXTREME = st.integers(1, 300) | st.integers(9700, 9999)


@given(EXTREME, st.integers(1, 4), st.integers(1, 4), st.sampled_from([PER_SERVER, Scale("pool", 100)]))
def test_the_share_that_a_refusal_names_is_not_refused(hundredths: int, blue: int, green: int, scale: Scale) -> None:
    live = {"p1": LiveRouter(traffic(scale, (UP,) * blue, (UP,) * green), None)}

    def advice(weight: float) -> float | None:
        """What the plan says to write instead of this weight; None where it is fine."""
        varied = example(
            {"spec.steps": [{"weight": weight}, {"weight": 100}], "groups.proxies": ["p1"]}, ("spec.checks",)
        )
        spec = parse(varied["spec"])
        try:
            plan(spec, fleet_of(varied, spec), live)
        except SpecError as error:
            return float(error.problems[0].next_step.rpartition(" ")[2])
        return None

    better = advice(hundredths / 100)
    assert better is None or advice(better) is None
