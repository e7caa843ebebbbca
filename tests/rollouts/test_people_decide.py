# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rollout stops for people: approvals, too little evidence, a source that is down, a fail that pauses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.fleet import Fleet
from tests.support.playbook import Playbook

AT_25 = pytest.approx(25, abs=0.5)
#: Value of a gauge that every member has: a check that has data and passes, as long as its page is there.
SCRAPED = {"signal": "metrics", "value": "http_request_duration_seconds_sum", "max": 1000, "every": "1s"}


def ordered(fleet: Fleet) -> list[tuple[str, bool]]:
    """People's orders in the journal, each with whether anything was done for it."""
    return [
        (event["verb"], event["done"]) for event in fleet.events() if event["event"] == "ordered" and "verb" in event
    ]


def pauses(fleet: Fleet) -> list[Mapping[str, Any]]:
    return [event for event in fleet.events() if event["event"] == "intended" and event.get("pause")]


def promote(fleet: Fleet, *arguments: str) -> None:
    ended = fleet.play("promote", *arguments, log="promote.log")
    assert ended.code == 0, ended.output


def ends(running: Playbook, code: int) -> None:
    ended = running.wait()
    assert ended.code == code, ended.output


@pytest.mark.parametrize("fleet", ["haproxy", "envoy"], indirect=True)
def test_each_promotion_acts_once_and_a_gate_stays_shut_until_its_own(fleet: Fleet) -> None:
    fleet.spec["steps"] = [
        {"weight": 25, "hold": "24h"},
        {"weight": 50, "hold": "1s", "approve": {"timeout": "24h"}},
        {"weight": 100},
    ]
    running = fleet.start("rollout")
    running.says(": read back")
    promote(fleet)
    running.says("step 2 of 3: paused by watch: it waits for approval")
    running.says("on any router, promote: zdm-agent promote web, abort: zdm-agent revert web")
    assert fleet.shares() == [pytest.approx(50, abs=0.5)]
    promote(fleet)
    ends(running, 0)
    assert fleet.shares() == [100.0]
    assert ordered(fleet) == [("promote", True)] * 2
    assert len(pauses(fleet)) == 1


def test_what_waits_for_approval_can_be_aborted(fleet: Fleet) -> None:
    fleet.spec.update(checks={}, steps=[{"weight": 25, "approve": True}, {"weight": 100}])
    running = fleet.start("rollout")
    running.says("it waits for approval")
    assert fleet.play("abort", log="abort.log").code == 0
    assert fleet.shares() == [0.0]
    ends(running, 2)
    assert (fleet.outcome()["outcome"], fleet.outcome()["actor"]) == ("rolled_back", "person")


def test_what_nobody_approves_in_time_goes_back(fleet: Fleet) -> None:
    fleet.spec.update(checks={}, steps=[{"weight": 25, "approve": {"timeout": "2s"}}, {"weight": 100}])
    ended = fleet.play("rollout")
    assert ended.code == 2, ended.output
    assert fleet.outcome()["reason"] == "nobody approved it within 2 s"
    assert fleet.shares() == [0.0]


def test_promoted_in_full_no_gate_opens_and_no_hold_begins(fleet: Fleet) -> None:
    fleet.spec["steps"] = [
        {"weight": 25, "hold": "24h"},
        {"weight": 50, "hold": "24h", "approve": True},
        {"weight": 100, "hold": "24h"},
    ]
    running = fleet.start("rollout")
    running.says(": read back")
    promote(fleet, "-e", "zdm_full=true")
    ends(running, 0)
    assert fleet.shares() == [100.0]
    assert ordered(fleet) == [("promote_full", True)]
    assert pauses(fleet) == []
    seen = [event["share"] for event in fleet.events() if event["event"] == "observed" and "share" in event]
    assert seen == [AT_25, pytest.approx(50, abs=0.5), 100.0], "each share was still read back"


@pytest.mark.parametrize("fleet", ["haproxy", "envoy"], indirect=True)
def test_too_few_requests_pause_it_once_and_a_promotion_goes_on(fleet: Fleet) -> None:
    fleet.spec.update(
        steps=[{"weight": 25, "hold": "2s", "min_requests": 1000000}, {"weight": 100}], on_inconclusive="pause"
    )
    running = fleet.start("rollout")
    running.says("paused by watch: inconclusive at the end of the hold")
    running.says("paused by watch", times=3)
    assert fleet.shares() == [AT_25]
    (pause,) = pauses(fleet)
    assert "1000000 requests are needed" in pause["reason"]
    promote(fleet)
    ends(running, 0)
    assert len(pauses(fleet)) == 1
    assert fleet.shares() == [100.0]


@pytest.mark.parametrize("fleet", ["haproxy", "envoy"], indirect=True)
def test_a_source_that_is_down_stops_the_advance_and_nothing_else(fleet: Fleet) -> None:
    fleet.spec.update(checks={"taken": SCRAPED}, steps=[{"weight": 25, "hold": "2s"}, {"weight": 100}])
    fleet.members["green"].behave(blind=True)
    running = fleet.start("rollout")
    running.says("now error", times=1)
    running.says("error", times=4)
    assert fleet.shares() == [AT_25]
    fleet.members["green"].behave(blind=False)
    ends(running, 0)
    assert fleet.shares() == [100.0]


@pytest.mark.parametrize(("policy", "code", "share"), [("rollback", 2, 0.0), ("pause", 0, 100.0)])
def test_a_source_that_stays_down_does_what_was_declared(fleet: Fleet, policy: str, code: int, share: float) -> None:
    fleet.spec.update(
        checks={"taken": SCRAPED},
        steps=[{"weight": 25, "hold": "2s"}, {"weight": 100}],
        error_deadline="3s",
        on_error=policy,
    )
    fleet.members["green"].behave(blind=True)
    running = fleet.start("rollout")
    if policy == "pause":
        running.says("paused by watch: error for 3 s: taken: ")
        assert fleet.shares() == [AT_25]
        promote(fleet)
    ends(running, code)
    assert fleet.shares() == [share]


def test_a_release_that_fails_may_be_kept_for_a_look_and_leaves_only_by_an_abort(fleet: Fleet) -> None:
    fleet.spec.update(on_fail="pause", reflex="disabled", steps=[{"weight": 25, "hold": "60s"}, {"weight": 100}])
    running = fleet.start("rollout")
    running.says(": read back")
    fleet.members["green"].behave(fail=0.5)
    running.says("paused by watch: errors: canary fails")
    promote(fleet)
    running.says("not done: it has failed")
    assert fleet.shares() == [AT_25]
    assert fleet.play("abort", log="abort.log").code == 0
    ends(running, 2)
    assert fleet.shares() == [0.0]
    assert ordered(fleet)[0] == ("promote", False)


def test_a_locked_service_starts_no_rollout_until_somebody_unlocks_it(fleet: Fleet) -> None:
    fleet.spec.update(checks={}, steps=[{"weight": 100}])
    locked = fleet.play("lock", "-e", "zdm_reason='schema change'", log="lock.log")
    assert locked.code == 0, locked.output
    refused = fleet.play("rollout")
    assert refused.code == 2
    said = " ".join(fleet.outcome()["reason"].split())
    assert "web is locked by" in said and "schema change" in said and "unlock" in said
    assert fleet.shares() == [0.0]
    assert fleet.play("unlock", log="unlock.log").code == 0
    ended = fleet.play("rollout")
    assert ended.code == 0, ended.output
    assert fleet.play("lock", "-e", "zdm_reason='schema change'", log="lock.log").code == 0
    planned = fleet.play("plan", "-e", "zdm_again=true", log="plan.log")
    assert planned.code == 2
    assert "no lock on the routers: lb1 was locked at" in " ".join(planned.output.split())
    assert "schema change" in fleet.routers[0].agent("status").stdout
