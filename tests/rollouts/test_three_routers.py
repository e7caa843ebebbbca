# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three routers, reached by ssh: what one of them cannot do, none of them does."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.support.fleet import Fleet
from tests.support.playbook import Playbook
from tests.support.wait import until

ALL_BACK, ALL_MOVED, ALL_AT_25 = [0.0] * 3, [100.0] * 3, [pytest.approx(25, abs=0.5)] * 3
HOLD = [{"weight": 25, "hold": "60s"}, {"weight": 100}]


def held(fleet: Fleet) -> Playbook:
    """A rollout in the middle of its first step: green has 25 % on all routers."""
    fleet.spec["steps"] = HOLD
    running = fleet.start("rollout")
    running.says("read back", times=3)
    assert fleet.shares() == ALL_AT_25
    return running


def turned_back(fleet: Fleet, running: Playbook, actor: str, reason: str) -> dict[str, Any]:
    """The play failed, the outcome tells who and why, and no process is left."""
    ended = running.wait()
    assert ended.code == 2, ended.output
    outcome = fleet.outcome()
    assert (outcome["outcome"], outcome["actor"]) == ("rolled_back", actor), outcome
    assert reason in outcome["reason"]
    assert reason in ended.output
    until(lambda: not fleet.left(), "no process of the rollout to be left")
    return outcome


def test_each_step_is_read_back_everywhere_before_the_next(three: Fleet) -> None:
    three.spec["steps"] = [{"weight": weight, "hold": "1s"} for weight in (10, 50)] + [{"weight": 100}]
    ended = three.play("rollout")
    assert ended.code == 0, ended.output
    assert three.shares() == ALL_MOVED
    assert three.outcome()["outcome"] == "promoted"
    changes = [event for event in three.events() if event["event"] in ("intended", "observed")]
    steps = [changes[index : index + 4] for index in range(0, len(changes), 4)]
    assert [step[0]["weight"] for step in steps] == [10, 50, 100]
    for intended, *observed in steps:
        assert intended["event"] == "intended"
        assert {event["router"] for event in observed} == {"lb1", "lb2", "lb3"}
        assert [event["share"] for event in observed] == [pytest.approx(intended["weight"], abs=0.5)] * 3


@pytest.mark.parametrize("three", ["haproxy", "envoy", "nginx"], indirect=True)
def test_a_host_that_dies_in_a_step_takes_the_others_back(three: Fleet) -> None:
    three.alter("plugin_utils/_routers.py", "REVERT_AGAIN = 30.0, 0.3", "REVERT_AGAIN = 5.0, 0.3")
    three.spec["lease"] = "5s"
    running = held(three)
    sshd = three.routers[1].sshd
    assert sshd is not None
    sshd.cut()
    # Its own guard brings lb2 back too: the end of its connection is all that it needs to know.
    until(lambda: three.routers[1].share() == 0, "lb2 to be back by its own guard")
    until(lambda: three.shares() == ALL_BACK, "all routers to be back")
    outcome = turned_back(three, running, "router", "lb2: ")
    assert outcome["unconfirmed"] == ["lb2"]
    three.spec["routers_ignore"] = [{"router": "lb2", "reason": "its host is dead"}]
    three.spec["steps"] = [{"weight": 25, "hold": "1s"}, {"weight": 100}]
    without = three.play("rollout", log="without.log")
    assert without.code == 0, without.output
    assert three.shares() == [100.0, 0.0, 100.0]
    assert "its host is dead" in str(three.events()[0])


def test_a_guard_that_is_killed_is_replaced_for_the_way_back(three: Fleet) -> None:
    running = held(three)
    os.kill(three.guard(three.routers[1]), signal.SIGKILL)
    outcome = turned_back(three, running, "guard", "lb2: the guard on the router is gone")
    assert three.shares() == ALL_BACK
    assert outcome["unconfirmed"] == []


def test_a_proxy_that_crashes_in_a_step_takes_the_others_back(three: Fleet) -> None:
    running = held(three)
    three.routers[2].haproxy.kill()
    until(lambda: three.shares() == [0, 0, -1], "the other two to be back")
    three.routers[2].haproxy.start()
    outcome = turned_back(three, running, "router", "lb3: ")
    assert three.shares() == ALL_BACK
    assert outcome["unconfirmed"] == []


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_a_bad_release_at_one_router_is_turned_back_at_all(three: Fleet, protected: bool) -> None:
    if not protected:
        three.alter("plugin_utils/_watch.py", "self._for_all(self.orders.revert, order.reason)", "pass")
    three.spec["reflex"] = "disabled"
    running = held(three)
    three.members["green"].behave(fail=1.0)
    running.says("REVERTING all routers to blue (verdict)")
    if protected:
        turned_back(three, running, "verdict", "errors: canary fails")
        assert three.shares() == ALL_BACK
    else:
        assert three.shares() == ALL_AT_25


def test_a_router_whose_canary_is_down_holds_all_until_the_deadline(three: Fleet) -> None:
    three.spec["progress_deadline"] = "2s"
    three.routers[0].haproxy.ask("set server web/green state maint")
    running = three.start("rollout")
    running.says("lb1: waiting: green would get 25 % of web, but none of its members is healthy")
    turned_back(three, running, "router", "lb1")
    assert three.shares() == ALL_BACK


def test_a_router_that_cannot_be_reached_stops_it_before_anything_moves(three: Fleet) -> None:
    sshd = three.routers[2].sshd
    assert sshd is not None
    sshd.cut()
    before = [router.weights() for router in three.routers]
    ended = three.play("rollout")
    assert ended.code != 0
    assert "no channel to lb3" in ended.output
    assert three.outcome()["outcome"] == "refused"
    assert [router.weights() for router in three.routers] == before
    until(lambda: not three.left(), "no process of the rollout to be left")


def test_one_that_is_left_out_by_name_is_left_alone(three: Fleet) -> None:
    three.spec["routers_ignore"] = [{"router": "lb3", "reason": "its disk is being replaced"}]
    sshd = three.routers[2].sshd
    assert sshd is not None
    sshd.cut()
    ended = three.play("rollout")
    assert ended.code == 0, ended.output
    assert three.shares() == [100, 100, 0]
    assert "its disk is being replaced" in ended.output
    assert "its disk is being replaced" in str(three.events()[0])


def test_a_person_at_one_router_ends_it_at_all(three: Fleet) -> None:
    running = held(three)
    ordered = three.routers[1].agent("revert", "web")
    assert ordered.returncode == 0, ordered.stderr
    assert three.routers[1].share() == 0
    turned_back(three, running, "person", "lb2: it went back to stable: ordered on the router")
    assert three.shares() == ALL_BACK
