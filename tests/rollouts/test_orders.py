# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People who give orders to a rollout that is under way, from another shell than the one that it runs in."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.fleet import Fleet
from tests.support.playbook import Ended, Playbook
from tests.support.traffic import traffic
from tests.support.wait import until

AT_25, BACK = pytest.approx(25, abs=0.5), 0.0
LONG = [{"weight": 25, "hold": "60s"}, {"weight": 100}]
#: A hold in seconds, and the requests a second that each router gets.
HOLD, RATE = 6, 60
SHORT = [{"weight": 25, "hold": "%ds" % HOLD}, {"weight": 100}]


def held(fleet: Fleet, *arguments: str) -> Playbook:
    """A rollout whose first step is read back on all routers, and holds."""
    running = fleet.start("rollout", *arguments)
    running.says(": read back", times=len(fleet.routers))
    assert fleet.shares() == [AT_25] * len(fleet.routers)
    return running


def order(fleet: Fleet, verb: str, *arguments: str, **environment: str) -> Ended:
    return fleet.play(verb, *arguments, log="%s.log" % verb, **environment)


def ordered(fleet: Fleet) -> list[dict[str, Any]]:
    """People's orders in the journal."""
    return [event for event in fleet.events() if event["event"] == "ordered" and "verb" in event]


def note(fleet: Fleet) -> dict[str, Any]:
    """What the watch told the first router's agent of the rollout at last."""
    record = json.loads((fleet.routers[0].state / "test" / "web.json").read_text(encoding="utf-8"))
    return dict(record["note"] or {})


@pytest.fixture
def two() -> Iterator[Fleet]:
    """Two routers reached by ssh."""
    with Fleet(routers=2, ssh=True) as running, traffic(running, RATE):
        running.spec["steps"] = LONG
        yield running


# --- abort


def test_paused_at_a_step_and_then_aborted(two: Fleet) -> None:
    running = held(two)
    assert order(two, "pause", "-e", "zdm_reason='odd latency'").code == 0
    running.says("abort: zdm-agent revert web")
    assert two.shares() == [AT_25] * 2
    aborted = order(two, "abort", "-e", "zdm_reason='we stop for today'")
    assert aborted.code == 0, aborted.output
    assert two.shares() == [BACK] * 2, "the order itself brings it about"
    assert running.wait().code == 2
    outcome = two.outcome()
    assert (outcome["outcome"], outcome["actor"], outcome["unconfirmed"]) == ("rolled_back", "person", [])
    assert "abort, by" in outcome["reason"]
    assert "we stop for today" in outcome["reason"]
    assert [(event["verb"], event["done"]) for event in ordered(two)] == [("pause", True)]


def test_an_abort_needs_neither_the_controller_nor_its_journal(two: Fleet) -> None:
    """The watch is stopped: it hears nothing, answers nothing, and its lease lives."""
    two.spec["lease"] = "120s"
    running = held(two)
    watch = two.watch()
    os.kill(watch, signal.SIGSTOP)
    try:
        ended = order(two, "abort", ZDM_STATE=str(two.directory / "elsewhere"))
        assert ended.code == 0, ended.output
        assert two.shares() == [BACK] * 2
        for router in two.routers:
            assert "abort, by" in router.agent("status").stdout
    finally:
        os.kill(watch, signal.SIGCONT)
    assert running.wait().code == 2
    assert two.outcome()["actor"] == "person"
    assert two.shares() == [BACK] * 2, "a watch that wakes up raises nothing again"


def test_an_abort_is_done_where_it_can_be_and_fails_where_it_cannot(two: Fleet) -> None:
    running = held(two)
    cut_off = two.routers[1]
    assert cut_off.sshd is not None
    two.variables["lb2"]["ansible_port"] = 9
    ended = order(two, "abort")
    assert ended.code == 2
    assert "lb1: web: all traffic is at blue" in ended.output
    said = " ".join(ended.output.split())
    assert "lb2: NOT DONE: " in said
    assert "lb2 did not confirm that all traffic is back at stable" in said
    # The rollout itself still reaches it, and a router that went back takes the others along.
    assert running.wait().code == 2
    assert two.shares() == [BACK] * 2


def test_check_mode_shows_what_an_abort_would_change(fleet: Fleet) -> None:
    fleet.spec["steps"] = LONG
    held(fleet)
    shown = order(fleet, "abort", "--check", "--diff")
    assert shown.code == 0, shown.output
    assert "all traffic would go to blue" in shown.output
    assert "+++ after: weight of server web/green" in shown.output
    assert fleet.shares() == [AT_25]
    assert order(fleet, "abort").code == 0
    assert fleet.shares() == [BACK]


@pytest.mark.parametrize("verb", ["abort", "pause", "resume", "promote"])
def test_a_limit_is_refused(verb: str, fleet: Fleet) -> None:
    ended = order(fleet, verb, "--limit", "lb1")
    assert (ended.code, "would cut off routers" in " ".join(ended.output.split())) == (2, True)


# --- pause, resume, promote


def served(fleet: Fleet) -> int:
    """Requests that the first router has answered so far."""
    return int(fleet.routers[0].haproxy.rows()["BACKEND"]["stot"])


def test_nothing_moves_in_a_pause_until_it_is_resumed(two: Fleet) -> None:
    """On the routers' hosts themselves, without Ansible."""
    two.spec["steps"] = SHORT
    first, second = two.routers
    running = held(two)
    seen = served(two)
    assert first.agent("pause", "web").returncode == 0
    running.says("on any router, resume: zdm-agent resume web")
    until(lambda: served(two) > seen + 2 * HOLD * RATE, "the traffic of twice the hold", 60)
    assert two.shares() == [AT_25] * 2
    assert note(two)["state"] == "paused"
    assert note(two)["held"] < HOLD
    assert "step 1 of 2, paused: held" in second.agent("status").stdout
    assert second.agent("resume", "web").returncode == 0
    ended = running.wait()
    assert ended.code == 0, ended.output
    assert two.shares() == [100.0] * 2
    assert [(event["verb"], event["done"]) for event in ordered(two)] == [("pause", True), ("resume", True)]


def test_nothing_moves_in_a_pause__control(two: Fleet) -> None:
    two.alter("plugin_utils/_rollout_state.py", "return replace(rollout, state=PAUSED, pause=", "return rollout or (")
    two.spec["steps"] = SHORT
    running = held(two)
    assert two.routers[0].agent("pause", "web").returncode == 0
    assert running.wait().code == 0, "nobody has resumed it"


def test_a_rollout_is_paused_resumed_and_promoted_by_playbooks(two: Fleet) -> None:
    running = held(two)
    assert order(two, "pause", "-e", "zdm_reason='let me see'").code == 0
    running.says("let me see; on any router, resume: zdm-agent resume web")
    assert order(two, "resume").code == 0
    running.says("orders: resume")
    running.says("now pass")
    assert two.shares() == [AT_25] * 2
    assert order(two, "promote").code == 0
    ended = running.wait()
    assert ended.code == 0, ended.output
    assert two.shares() == [100.0] * 2
    told = [(event["verb"], event["done"]) for event in ordered(two)]
    assert told == [("pause", True), ("resume", True), ("promote", True)], "left at two routers, each counts once"


def test_a_release_that_fails_in_a_pause_goes_back(two: Fleet) -> None:
    running = held(two)
    assert order(two, "pause").code == 0
    running.says("paused by")
    two.members["green"].behave(fail=1.0)
    assert running.wait().code == 2
    assert two.outcome()["actor"] in ("verdict", "guard")
    assert two.shares() == [BACK] * 2


def test_a_promotion_takes_nothing_from_a_fail(two: Fleet) -> None:
    running = held(two)
    two.members["green"].behave(fail=1.0)
    order(two, "promote")
    assert running.wait().code == 2
    assert two.shares() == [BACK] * 2


def test_one_router_that_takes_it_is_enough(two: Fleet) -> None:
    running = held(two)
    two.variables["lb2"]["ansible_port"] = 9
    paused = order(two, "pause")
    assert paused.code == 0, paused.output
    assert "lb2: NOT DONE: " in paused.output
    running.says("paused by")
    assert two.shares() == [AT_25] * 2


@pytest.mark.parametrize("verb", ["pause", "resume", "promote"])
def test_without_a_rollout_there_is_nothing_to_order(verb: str, fleet: Fleet) -> None:
    assert fleet.play("rollout").code == 0
    ended = order(fleet, verb)
    said = " ".join(ended.output.split())
    assert ended.code == 2
    assert "no rollout of web is under way here, so there is nothing to %s" % verb in said
    assert "No router took the order" in said
    assert fleet.shares() == [100.0]
