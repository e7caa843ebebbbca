# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Back to a release that served before, and a rollout once more: scenarios 5, 12 and 13 over real proxies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.fleet import Fleet
from tests.support.playbook import Ended
from tests.support.traffic import traffic
from tests.support.wait import until

QUICK = [{"weight": 50}, {"weight": 100}]
GREEN, BLUE = 100.0, 0.0
#: Where the plan refuses to go to a pool that is not well.
SICK = "for name in dead(canary, live):"


def released(fleet: Fleet, release: str) -> None:
    fleet.spec["release"] = release
    ended = fleet.play("rollout")
    assert ended.code == 0, ended.output


def undo(fleet: Fleet, *arguments: str) -> Ended:
    return fleet.play("undo", *arguments, log="undo.log")


def intentions(fleet: Fleet) -> list[float]:
    """The shares of canary that the last run intended, in this order."""
    return [event["weight"] for event in fleet.events() if event["event"] == "intended" and "weight" in event]


def deploys(fleet: Fleet) -> Any:
    """From now on a hook notes what it brought where; what it noted so far."""
    noted = fleet.directory / "deployed"
    (fleet.directory / "deploy.yml").write_text(
        "- name: Note it\n  ansible.builtin.lineinfile:\n    path: %s\n    create: true\n    mode: '0600'\n"
        "    line: '{{ zdm_release }} to {{ zdm_pool }}'\n" % noted,
        encoding="utf-8",
    )
    fleet.spec["hooks"] = {"deploy": {"tasks": "deploy.yml"}}
    return lambda: Path(noted).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("proxy", ["haproxy", "envoy", "nginx"])
def test_last_weeks_release_is_back_by_one_order(proxy: str) -> None:
    with Fleet(routers=2, proxy=proxy) as fleet, traffic(fleet, 100) as clients:
        fleet.spec.update(steps=QUICK, checks={})
        released(fleet, "v2")
        assert fleet.shares() == [GREEN] * 2
        planned = undo(fleet, "--check")
        assert planned.code == 0, planned.output
        assert "release before v2, from green to blue (undo)" in planned.output
        assert fleet.shares() == [GREEN] * 2
        ended = undo(fleet)
        assert ended.code == 0, ended.output
        assert fleet.shares() == [BLUE] * 2
        assert intentions(fleet) == [100.0], "no steps"
        assert (fleet.outcome()["outcome"], fleet.outcome()["release"]) == ("promoted", "before v2")
        twice = undo(fleet)
        assert twice.code == 2
        assert "the last rollout went back itself, to before v2" in " ".join(twice.output.split())
        there = undo(fleet, "-e", "zdm_release='before v2'")
        assert there.code == 0, there.output
        assert fleet.outcome()["outcome"] == "unchanged"
        assert undo(fleet, "-e", "zdm_release=v2").code == 0
        assert fleet.shares() == [GREEN] * 2
    assert [client.result.failed for client in clients] == [0, 0]


@pytest.mark.parametrize("fleet", ["haproxy", "envoy"], indirect=True)
def test_a_release_further_back_comes_by_one_order_within_the_window_only(fleet: Fleet) -> None:
    """Scenario 12."""
    noted = deploys(fleet)
    fleet.spec.update(steps=QUICK, checks={})
    for release in ("v2", "v3", "v4"):
        released(fleet, release)
    assert fleet.shares() == [GREEN]
    fleet.spec["rollback_window"] = 3
    ended = undo(fleet, "-e", "zdm_release=v2")
    assert ended.code == 0, ended.output
    assert (fleet.shares(), intentions(fleet)) == ([BLUE], [100.0])
    assert noted() == ["v2 to green", "v3 to blue", "v4 to green", "v2 to blue"], "brought to where it no longer was"
    fleet.spec["rollback_window"] = 1
    ended = undo(fleet, "-e", "zdm_release=v3")
    assert ended.code == 0, ended.output
    assert (fleet.shares(), intentions(fleet)) == ([GREEN], [50.0, 100.0]), "a rollout in full"
    assert noted()[-1] == "v3 to green"


@pytest.mark.parametrize(
    ("fleet", "noticed"),
    [("haproxy", "before"), ("haproxy", "late"), ("envoy", "before"), ("envoy", "late")],
    indirect=["fleet"],
)
def test_nothing_goes_to_an_old_pool_that_is_not_well(fleet: Fleet, noticed: str) -> None:
    """Scenario 13: the old pool was imaged anew, fails its health check, and somebody asks for undo."""
    fleet.spec.update(steps=QUICK, checks={}, progress_deadline="2s")
    with traffic(fleet, 100) as (client,):
        released(fleet, "v2")
        if noticed == "late":  # the plan is made of what the routers show; what counts is the order's own look
            fleet.alter("plugin_utils/_obstacles.py", SICK, SICK.replace("dead(canary, live)", "()"))
        fleet.members["blue"].behave(healthy=False)
        until(lambda: fleet.routers[0].down("blue"), "the router to see that blue is not well")
        ended = undo(fleet)
        assert ended.code == 2
        said = " ".join(fleet.outcome()["reason"].split())
        expected = {"before": "a healthy member of blue", "late": "none of its members is healthy"}
        assert expected[noticed] in said, said
        assert fleet.shares() == [GREEN]
        at_blue = fleet.members["blue"].count()["requests"]
        until(lambda: client.result.requests > 0, "requests")
    assert fleet.members["blue"].count()["requests"] == at_blue
    assert client.result.failed == 0


@pytest.mark.parametrize("fleet", ["haproxy", "envoy"], indirect=True)
def test_aborted_and_tried_again_from_the_first_step(fleet: Fleet) -> None:
    """Scenario 5."""
    fleet.spec["steps"] = [{"weight": 50, "hold": "60s"}, {"weight": 100}]
    running = fleet.start("rollout")
    running.says("lb1: read back")
    assert fleet.play("pause", log="pause.log").code == 0
    running.says("paused by")
    assert fleet.play("abort", log="abort.log").code == 0
    assert running.wait().code == 2
    assert (fleet.outcome()["outcome"], fleet.outcome()["actor"], fleet.shares()) == ("rolled_back", "person", [BLUE])
    fleet.spec.update(steps=[{"weight": 50, "hold": "1s"}, {"weight": 100}], release="v9")
    ended = fleet.play("retry")
    assert ended.code == 0, ended.output
    assert (fleet.outcome()["release"], fleet.shares()) == ("v2", [GREEN]), (
        "what was aborted, not what the spec has now"
    )
    order = [
        (event["event"], event.get("weight")) for event in fleet.events() if event["event"] in ("intended", "finished")
    ]
    assert order == [("intended", 50.0), ("intended", 100.0), ("finished", None)]
    again = fleet.play("retry")
    assert again.code == 2
    assert "the last one, v2, was promoted" in " ".join(again.output.split())
