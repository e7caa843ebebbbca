# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What serves now is sick: nothing is raised on that, unless somebody says that the new release is what helps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fleet import Fleet
from tests.support.traffic import traffic
from tests.support.wait import until


@pytest.fixture(params=["haproxy", "envoy", "nginx"])
def service(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    with Fleet(proxy=request.param) as running:
        running.spec.update(checks={}, min_requests=0)
        yield running


def blue_dies(fleet: Fleet) -> None:
    fleet.members["blue"].kill()
    until(lambda: fleet.routers[0].down("blue"), "the router to see blue go")


def test_a_sick_release_is_left_for_a_good_one_where_that_is_said(service: Fleet) -> None:
    """Scenario 4."""
    service.spec.update(steps=[{"weight": 50, "hold": "1s"}, {"weight": 100, "hold": "1s"}])
    blue_dies(service)
    refused = service.play("rollout")
    assert refused.code == 2, "without a word of it nobody leaves what he could not go back to"
    assert "expected a healthy member in blue, which serves now" in " ".join(refused.output.split())
    assert service.shares() == [0.0]
    service.spec["on_sick_stable"] = "leave"
    ended = service.play("rollout")
    assert ended.code == 0, ended.output
    assert service.shares() == [100.0]
    with traffic(service, 50) as (client,):
        until(lambda: len(client.result.records) > 20, "requests after the rollout")
    assert client.result.failed == 0


def test_nothing_is_raised_once_there_is_no_way_back(service: Fleet) -> None:
    service.spec["steps"] = [{"weight": 25, "hold": "8s"}, {"weight": 50, "hold": "1s"}, {"weight": 100}]
    running = service.start("rollout")
    running.says("read back, green has 25 %")
    blue_dies(service)
    running.says("paused by watch: there is nothing to go back to (lb1: ")
    assert "raising green to 50 %" not in running.output
    assert service.play("promote", log="promote.log").code == 0
    ended = running.wait()
    assert ended.code == 0, "a person said so: " + ended.output
    assert service.shares() == [100.0]


def test_with_leave_it_goes_on__control(service: Fleet) -> None:
    service.spec["steps"] = [{"weight": 25, "hold": "8s"}, {"weight": 50, "hold": "1s"}, {"weight": 100}]
    service.spec["on_sick_stable"] = "leave"
    running = service.start("rollout")
    running.says("read back, green has 25 %")
    blue_dies(service)
    ended = running.wait()
    assert ended.code == 0, ended.output
    assert "there is nothing to go back to" not in ended.output
