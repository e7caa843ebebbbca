# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who dies in the middle of a rollout does not matter: traffic is back at stable, and nobody is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.rollouts.conftest import traffic
from tests.support.fleet import Fleet
from tests.support.playbook import ROOT, Playbook
from tests.support.wait import until

AT_25, BACK = [pytest.approx(25, abs=0.5)] * 2, [0.0, 0.0]


@pytest.fixture
def two() -> Iterator[Fleet]:
    """A router on this machine, and one that is reached by ssh."""
    with Fleet(routers=2, ssh=True) as running, traffic(running, 60):
        running.variables["lb1"]["ansible_connection"] = "local"
        running.spec["steps"] = [{"weight": 25, "hold": "60s"}, {"weight": 100}]
        yield running


def held(fleet: Fleet, playbook: str = "rollout") -> Playbook:
    running = fleet.start(playbook)
    running.says("read back", times=2)
    assert fleet.shares() == AT_25
    return running


def all_back(fleet: Fleet) -> None:
    until(lambda: fleet.shares() == BACK, "both routers to be back at stable")
    until(lambda: not fleet.left(), "no process of the rollout to be left")


def playbook_gets(number: signal.Signals) -> Callable[[Fleet, Playbook], None]:
    def die(fleet: Fleet, running: Playbook) -> None:
        running.process.send(number)

    return die


def watch_is_killed(fleet: Fleet, running: Playbook) -> None:
    os.kill(fleet.watch(), signal.SIGKILL)


def watch_is_told_to_end(fleet: Fleet, running: Playbook) -> None:
    os.kill(fleet.watch(), signal.SIGTERM)


def both_are_killed(fleet: Fleet, running: Playbook) -> None:
    os.kill(fleet.watch(), signal.SIGKILL)
    running.process.send(signal.SIGKILL)


#: What dies, and whether the watch lives on to write the outcome.
DEATHS = {
    "ctrl-c": (playbook_gets(signal.SIGINT), True),
    "sigterm": (playbook_gets(signal.SIGTERM), True),
    "sigkill": (playbook_gets(signal.SIGKILL), True),
    "watch-told-to-end": (watch_is_told_to_end, True),
    "watch-killed": (watch_is_killed, False),
    "both-killed": (both_are_killed, False),
}


@pytest.mark.parametrize("death", DEATHS)
def test_whoever_dies(two: Fleet, death: str) -> None:
    die, outlived = DEATHS[death]
    running = held(two)
    die(two, running)
    all_back(two)
    assert running.wait().code != 0
    if outlived:
        outcome = two.outcome()
        assert (outcome["outcome"], outcome["actor"], outcome["unconfirmed"]) == ("rolled_back", "abandoned", [])
    for router in two.routers:
        assert "reverted" in router.agent("status").stdout


def test_a_play_that_ends_without_finishing(two: Fleet) -> None:
    two.spec["steps"] = [{"weight": 25, "hold": "1s"}, {"weight": 100}]
    ended = two.play("tests/rollouts/unfinished.yml")
    assert ended.code == 0, ended.output
    assert "passed" in ended.output
    all_back(two)
    assert two.outcome()["actor"] == "abandoned"


def test_the_next_rollout_starts_from_what_the_routers_show(two: Fleet) -> None:
    both_are_killed(two, held(two))
    all_back(two)
    two.spec["steps"] = [{"weight": 25, "hold": "1s"}, {"weight": 100}]
    ended = two.play("rollout")
    assert ended.code == 0, ended.output
    assert two.shares() == [100.0, 100.0]


def test_a_watch_that_does_not_mind_its_owner__control(two: Fleet) -> None:
    two.alter("plugin_utils/_watch.py", 'self._abandon("ansible-playbook is gone")', "pass")
    running = held(two)
    running.process.kill()
    seen = watched(two)
    until(lambda: watched(two) > seen + 1, "the watch to go on watching")
    assert two.shares() == AT_25
    os.kill(two.watch(), signal.SIGTERM)
    all_back(two)


def test_an_agent_that_does_not_mind_its_connection__control(two: Fleet) -> None:
    two.alter("module_utils/agent/pump.py", "owed = self._session.close(self._ended)", 'owed = ""')
    both_are_killed(two, held(two))
    until(lambda: not two.left(), "the agents to end with their connections")
    assert two.shares() == AT_25


def test_the_output_of_a_ci_job_is_not_held(two: Fleet) -> None:
    """A CI job waits for the end of the pipe. It comes with ansible-playbook's, while the watch still lives."""
    command, environment = two.command("rollout")
    running = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None
    with running.stdout as output:
        raised = (line for line in output if ": read back" in line)
        assert next(raised) and next(raised)
        watch = two.watch()
        os.kill(watch, signal.SIGSTOP)
        running.kill()
        output.read()
        assert two.watch() == watch
        assert two.shares() == AT_25
    os.kill(watch, signal.SIGCONT)
    running.wait()
    all_back(two)


def watched(fleet: Fleet) -> float:
    """How long the present step has been held, as the watch told the first router's agent, in seconds."""
    record = json.loads((fleet.routers[0].state / "test" / "web.json").read_text(encoding="utf-8"))
    return float(record["note"]["held"])
