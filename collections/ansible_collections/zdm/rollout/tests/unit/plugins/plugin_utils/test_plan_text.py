# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline that the operator reads holds all that will be enforced, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import Plan, plan
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan_text import DURABLE, timeline
from ansible_collections.zdm.rollout.plugins.plugin_utils._spec import parse

from .example import example, fleet_of, live_of, plan_of

STEPS = [
    {"weight": 5, "hold": "5m", "min_requests": 200, "checks": ["errors"]},
    {"weight": 50, "hold": "1h", "min_requests": 0, "checks": []},
    {"weight": 100},
]
SECRET = "T0PSECRET"
WITHOUT = ("spec.checks.ready",)


def lines(change: Mapping[str, Any] | None = None, plan: Plan | None = None) -> list[str]:
    varied = example({"spec.steps": STEPS, **(change or {})}, WITHOUT)
    return [line.strip() for line in timeline(plan or plan_of(varied), parse(varied["spec"]))]


def test_each_step_is_told_with_the_earliest_time_and_what_it_is_judged_by() -> None:
    assert lines()[:5] == [
        "web in production: release 2.4.0, from blue to green",
        "0s  green 5 %, hold 5m, judged by errors, at least 200 requests",
        "5m  green 50 %, hold 1h, judged by nothing",
        "1h5m  green 100 %, no hold",
        "1h5m  promoted at the earliest, blue without traffic",
    ]


def test_an_approval_is_told_with_what_is_done_without_it() -> None:
    steps = [
        {"weight": 5, "approve": True},
        {"weight": 50, "hold": "1h", "checks": ["errors"], "approve": {"timeout": "4h"}},
        {"weight": 100, "approve": {"timeout": "4h", "on_timeout": "promote"}},
    ]
    text = lines({"spec.steps": steps})
    assert text[1] == "0s  green 5 %, no hold, then somebody has to promote it"
    assert text[2].endswith(", then somebody has to promote it within 4h, or all goes back")
    assert text[3].endswith("no hold, then somebody has to promote it within 4h, or it goes on")


def test_a_switch_is_told_with_what_is_looked_at_before() -> None:
    varied = example({"spec.strategy": "blue_green", "spec.bake": "1h"}, ("spec.steps",))
    text = [line.strip() for line in timeline(plan_of(varied), parse(varied["spec"]))]
    assert text[1] == (
        "0s  green is looked at without traffic, hold 30s, judged by ready, to learn how blue does for errors"
    )
    assert text[2].startswith("30s  green 100 %, hold 1h, judged by errors, ready")


def test_tasks_come_before_any_traffic() -> None:
    text = lines({"spec.hooks": {"deploy": {"tasks": "deploy.yml"}}})
    assert text[1] == "first: deploy.yml on each member of green, before any traffic"


def test_settling_is_told_as_such() -> None:
    half = {"blue": 50, "green": 50}
    text = lines({"live.p1": half, "live.p2": half, "spec.initial": "green"})
    assert text[0].endswith("from green to blue")
    assert text[1].startswith("0s  all traffic to green")


def test_a_router_that_gives_another_share_is_told_with_it() -> None:
    steps = [{"weight": 0.37, "hold": "5m"}, {"weight": 100, "hold": "5m"}]
    text = lines({"spec.steps": steps})
    # The least that 1 to 256 gives is 0.389 %; Envoy's ten thousandths hold 0.37.
    assert text[1].startswith("0s  green 0.37 % (really p1 0.39 %), hold 5m")


@pytest.mark.parametrize("durable", DURABLE)
def test_what_each_router_can_and_cannot_promise_is_told(durable: str) -> None:
    plan = plan_of(example({"spec.steps": STEPS}, WITHOUT))
    p1 = replace(plan.routers["p1"], durable=durable, promises=("sessions may move",), warnings=("leastconn",))
    text = lines(plan=replace(plan, routers={**plan.routers, "p1": p1}))
    start = text.index(f"p1: now blue 100 %, green 0 %; {DURABLE[durable]}")
    assert text[start + 1 : start + 3] == ["not promised: sessions may move", "warning: leastconn"]
    assert text[start + 3].startswith("if the controller dies: all traffic back to blue")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, "all traffic back to blue within 11s (guard: session, lease 10s)"),
        ({"spec.lease": "1m"}, "all traffic back to blue within 1m1s (guard: session, lease 1m)"),
        ({"spec.on_abandon": "hold"}, "green keeps its share, state held (guard: session, lease 10s)"),
        (
            {"spec.guard": "none", "spec.on_abandon": "hold"},
            "green keeps its share, and nobody minds it (guard: none)",
        ),
    ],
    ids=["session", "a longer lease", "hold", "none"],
)
def test_what_becomes_of_each_router_without_the_controller_is_told(change: Mapping[str, Any], told: str) -> None:
    text = lines(change)
    assert [line for line in text if line.startswith("if the controller dies")] == [f"if the controller dies: {told}"]


def test_a_resident_guard_is_told_of_as_such() -> None:
    varied = example({"spec.steps": STEPS, "spec.guard": "resident"}, WITHOUT)
    spec = parse(varied["spec"])
    fleet = fleet_of(varied, spec)
    live = {name: replace(found, guard="resident") for name, found in live_of(varied["live"], fleet).items()}
    text = timeline(plan(spec, fleet, live), spec)
    assert text[-1].endswith("within 11s (guard: resident, lease 10s)")


def test_a_router_that_has_nothing_to_go_back_to_is_told_of_as_such() -> None:
    plan = plan_of(example({"spec.steps": STEPS}, WITHOUT))
    p1 = replace(plan.routers["p1"], way_back=False)
    told = [line for line in lines(plan=replace(plan, routers={**plan.routers, "p1": p1})) if "controller" in line]
    assert ["but not before blue has a healthy member" in line for line in told] == [True, False]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {},
            "reflex: a router where green fails hard takes all of them back to blue, checks or not"
            " (alpha 0.0005, dispersion 2, from 5 failures on)",
        ),
        ({"spec.reflex": {"alpha": 0.01, "min_failures": 9}}, "(alpha 0.01, dispersion 2, from 9 failures on)"),
        ({"spec.reflex": "disabled"}, "reflex: none, only the checks turn a bad release back"),
        ({"spec.guard": "none", "spec.on_abandon": "hold"}, "reflex: none, only the checks turn a bad release back"),
        ({}, "put back once; the second time within a minute all routers go back"),
        ({"spec.on_foreign_change": "pause"}, "put back once; the second time within a minute the rollout is paused"),
        (
            {"spec.notify": [{"command": ["/usr/local/bin/page", SECRET], "on": ["stuck", "held"]}]},
            "tells /usr/local/bin/page: stuck, held",
        ),
        (
            {"spec.notify": [{"url": f"https://hooks.example:8443/{SECRET}?{SECRET}", "on": ["stuck"]}]},
            "tells https://hooks.example:8443: stuck",
        ),
    ],
)
def test_what_is_done_without_being_asked_is_told(change: Mapping[str, Any], told: str) -> None:
    text = lines(change)
    assert [line for line in text if line.endswith(told)] != []
    assert SECRET not in "\n".join(text)


def test_routers_that_are_alike_are_told_of_once() -> None:
    plan = plan_of(example({"spec.steps": STEPS}, WITHOUT))
    same = replace(plan, routers=dict.fromkeys(plan.routers, plan.routers["p1"]))
    told = [line for line in lines(plan=same) if ": now blue 100 %, green 0 %" in line]
    assert [line.partition(":")[0] for line in told] == ["p1, p2"]
    other = replace(same, live={**same.live, "p2": {"blue": 99.0, "green": 1.0}})
    told = [line for line in lines(plan=other) if ": now " in line]
    assert [line.partition(":")[0] for line in told] == ["p1", "p2"]


def test_who_is_left_out_is_told_with_the_reason() -> None:
    varied = example({"spec.routers_ignore": [{"router": "p2", "reason": "being replaced"}]}, ("live.p2",))
    assert "p2 is left out: being replaced" in [
        line.strip() for line in timeline(plan_of(varied), parse(varied["spec"]))
    ]


def test_warnings_are_told() -> None:
    varied = example({"spec.steps": [{"weight": 100}]}, ("spec.checks",))
    plan = plan_of(varied)
    assert plan.warnings
    assert {f"  warning: {text}" for text in plan.warnings} <= set(timeline(plan, parse(varied["spec"])))
