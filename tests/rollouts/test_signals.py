# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What members say of themselves, over a real rollout: their own counters, how long they take, what they answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.fleet import Fleet
from tests.support.traffic import traffic
from tests.support.wait import until

SEQUENTIAL = {"compare": "stable", "warm_up": 0, "dispersion": 1, "every": "1s"}
CHECKS: dict[str, dict[str, Any]] = {
    "errors": {
        "signal": "metrics",
        "requests": "http_requests_total",
        "failures": 'http_requests_total{code=~"5.."}',
        **SEQUENTIAL,
    },
    "latency": {"signal": "metrics", "histogram": "http_request_duration_seconds", **SEQUENTIAL},
    "few": {
        "signal": "metrics",
        "requests": "http_requests_total",
        "failures": 'http_requests_total{code=~"5.."}',
        "max": 1,
        "every": "1s",
    },
    "taken": {"signal": "metrics", "value": "http_request_duration_seconds_sum", "max": 1000, "every": "1s"},
    "ready": {"signal": "http", "path": "/ready", "from": "controller", "every": "1s"},
}
LONG = [{"weight": 25, "hold": "60s"}, {"weight": 100}]


def judged_by(fleet: Fleet, *names: str, **spec: Any) -> None:
    fleet.spec.update(checks={name: CHECKS[name] for name in names}, reflex="disabled", **spec)


def enough_of_stable(fleet: Fleet) -> None:
    """What stable usually takes is known from 200 requests on."""
    until(lambda: fleet.members["blue"].count()["requests"] > 200, "stable to have had requests")


def test_a_good_release_passes_them_all(fleet: Fleet) -> None:
    enough_of_stable(fleet)
    judged_by(fleet, *CHECKS, steps=[{"weight": 50, "hold": "3s"}, {"weight": 100, "hold": "3s"}])
    ended = fleet.play("rollout")
    assert ended.code == 0, ended.output
    assert fleet.outcome()["outcome"] == "promoted"
    judged = [event for event in fleet.events() if event["event"] == "judged" and event.get("done")]
    assert len(judged) == 2


@pytest.mark.parametrize(
    ("check", "behaviour", "said"),
    [
        ("errors", {"fail": 0.3}, "canary fails "),
        ("latency", {"slow": 0.2}, "canary takes more than "),
        ("few", {"fail": 0.3}, "expected at most 1"),
        ("ready", {"healthy": False}, "from the controller: status 503"),
    ],
)
def test_a_bad_release_is_turned_back_by_what_its_members_say(
    fleet: Fleet, check: str, behaviour: dict[str, Any], said: str
) -> None:
    enough_of_stable(fleet)
    judged_by(fleet, check, steps=LONG)
    running = fleet.start("rollout")
    running.says("lb1: read back")
    fleet.members["green"].behave(**behaviour)
    ended = running.wait()
    assert ended.code == 2, ended.output
    outcome = fleet.outcome()
    assert (outcome["actor"], fleet.shares()) == ("verdict", [0.0]), outcome
    assert outcome["reason"].startswith(f"{check}: ")
    assert said in outcome["reason"]


def test_a_page_without_what_was_asked_for_is_an_error_and_no_pass(fleet: Fleet) -> None:
    judged_by(fleet, "taken", steps=[{"weight": 25, "hold": "2s"}, {"weight": 100}], error_deadline="3s")
    fleet.spec["checks"]["taken"] = {**CHECKS["taken"], "value": "queue_depth"}
    ended = fleet.play("rollout")
    assert ended.code == 2, ended.output
    assert "queue_depth is not on the page" in fleet.outcome()["reason"]
    assert fleet.shares() == [0.0]


@pytest.mark.parametrize("proxy", ["haproxy", "envoy", "nginx"])
def test_a_slow_release_is_turned_back_by_what_the_routers_saw(proxy: str) -> None:
    """It answers everything, and well; stable's usual time is of requests before the rollout, or of its first ones."""
    with Fleet(proxy=proxy) as fleet, traffic(fleet, 200):
        enough_of_stable(fleet)
        fleet.spec.update(
            checks={"pace": {"signal": "router", "of": "latency", **SEQUENTIAL}}, reflex="disabled", steps=LONG
        )
        running = fleet.start("rollout")
        running.says("lb1: read back")
        fleet.members["green"].behave(slow=0.1)
        ended = running.wait()
        assert ended.code == 2, ended.output
        assert (fleet.outcome()["actor"], fleet.shares()) == ("verdict", [0.0]), fleet.outcome()
        assert fleet.outcome()["reason"].startswith("pace: canary takes more than ")
