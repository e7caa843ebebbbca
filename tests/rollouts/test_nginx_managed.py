# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollouts over nginxs whose files for services are zdm's own: what only they can do, and what all can."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fleet import Fleet
from tests.support.traffic import traffic
from tests.support.wait import until

HOLD = [{"weight": 25, "hold": "60s"}, {"weight": 100}]


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """Two routers, each reached by ssh."""
    with Fleet(routers=2, ssh=True, proxy="nginx") as running:
        yield running


def test_a_plan_says_what_would_be_and_changes_nothing(fleet: Fleet) -> None:
    before = [router.nginx.files() for router in fleet.routers]
    ended = fleet.play("plan")
    assert ended.code == 0, ended.output
    said = " ".join(ended.output.split())
    assert "not promised: another set of members needs a reload" in said
    assert "+green=250" in said, "the first change, as a diff"
    assert [router.nginx.files() for router in fleet.routers] == before


def test_a_bad_release_is_turned_back(fleet: Fleet) -> None:
    """By what the access logs say: nginx itself counts nothing."""
    fleet.members["green"].behave(fail=1.0)
    fleet.spec["steps"] = [{"weight": 5, "hold": "60s"}, {"weight": 100}]
    with traffic(fleet, 200) as clients:
        ended = fleet.play("rollout")
    assert ended.code == 2, ended.output
    assert fleet.outcome()["outcome"] == "rolled_back"
    assert fleet.shares() == [0.0] * 2
    failed = sum(client.result.failed for client in clients)
    answers = fleet.members["green"].count()["statuses"]
    assert failed == int(answers["500"]), "only what the bad release itself answered may fail"


def test_a_reload_and_a_crash_in_a_rollout_change_nothing(fleet: Fleet) -> None:
    """Whoever reloads nginx (for a new certificate) does not end a rollout, nor does its service manager."""
    fleet.spec["steps"] = HOLD
    running = fleet.start("rollout")
    running.says("lb2: read back")
    fleet.routers[0].nginx.reload()
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
