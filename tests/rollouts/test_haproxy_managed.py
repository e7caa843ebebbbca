# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollouts over HAProxies whose configuration is zdm's own: what only they can do, and what all can."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fleet import Fleet
from tests.support.traffic import traffic
from tests.support.wait import until

ERRORS = {"signal": "router", "of": "errors", "compare": "stable", "warm_up": 0}
PACE = {"signal": "router", "of": "latency", "compare": "stable", "warm_up": 0}
HOLD = [{"weight": 25, "hold": "60s"}, {"weight": 100}]


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """Two routers, each reached by ssh."""
    with Fleet(routers=2, ssh=True, proxy="haproxy-managed") as running:
        yield running


def test_a_good_release_goes_from_a_twentieth_to_all(fleet: Fleet) -> None:
    """Nothing has to be said of a log: its own configuration has one for the check of latency."""
    fleet.spec["steps"] = [
        {"weight": 0.5, "hold": "1s", "min_requests": 0},
        {"weight": 5, "hold": "2s"},
        {"weight": 100},
    ]
    fleet.spec["checks"] = {"errors": ERRORS, "pace": PACE}
    with traffic(fleet, 200) as clients:
        ended = fleet.play("rollout")
    assert ended.code == 0, ended.output
    assert fleet.outcome()["outcome"] == "promoted"
    assert fleet.shares() == [100.0] * 2
    assert [client.result.failed for client in clients] == [0, 0]
    assert all(router.haproxy.map.read_text() == "web blue:green:10000\n" for router in fleet.routers)
    again = fleet.play("rollout", log="again.log")
    assert (again.code, fleet.outcome()["outcome"]) == (0, "unchanged"), again.output


def test_a_bad_release_is_turned_back(fleet: Fleet) -> None:
    fleet.members["green"].behave(fail=1.0)
    fleet.spec["steps"] = [{"weight": 5, "hold": "60s"}, {"weight": 100}]
    with traffic(fleet, 200) as clients:
        ended = fleet.play("rollout")
    assert ended.code == 2, ended.output
    assert fleet.outcome()["outcome"] == "rolled_back"
    assert fleet.shares() == [0.0] * 2
    assert all(router.haproxy.map.read_text() == "web blue:green:0\n" for router in fleet.routers)
    failed = sum(client.result.failed for client in clients)
    answers = fleet.members["green"].count()["statuses"]
    assert failed == int(answers["500"]), "only what the bad release itself answered may fail"


def test_a_reload_and_a_crash_in_a_rollout_change_nothing(fleet: Fleet) -> None:
    """Whoever reloads HAProxy (for a new certificate) does not end a rollout, nor does its service manager."""
    fleet.spec["steps"] = HOLD
    running = fleet.start("rollout")
    running.says("lb2: read back")
    fleet.routers[0].haproxy.reload()
    assert fleet.shares() == [25.0] * 2
    fleet.routers[1].kill()
    fleet.routers[1].start()
    held = fleet.held()
    until(lambda: fleet.held() > held + 1, "the watch to go on")
    assert fleet.shares() == [25.0] * 2
    assert not [event for event in fleet.events() if event.get("foreign")]
    assert fleet.play("abort", log="abort.log").code == 0
    running.wait()
    assert fleet.shares() == [0.0] * 2


def test_a_split_changed_by_somebody_else_is_put_back(fleet: Fleet) -> None:
    fleet.spec["steps"] = HOLD
    running = fleet.start("rollout")
    running.says("lb2: read back")
    fleet.routers[0].meddle(90)
    until(lambda: fleet.shares() == [25.0] * 2, "the share to be put back")
    until(lambda: [event for event in fleet.events() if event.get("foreign")], "it to be journalled")
    assert fleet.routers[0].agent("revert", "web").returncode == 0
    running.wait()
    assert fleet.shares() == [0.0] * 2
