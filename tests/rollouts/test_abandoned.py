# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout that is abandoned: what the spec wants then, who is told, what comes after. How it dies: tests/faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fleet import Fleet
from tests.support.playbook import ROOT, Playbook
from tests.support.processes import Process
from tests.support.residents import residents
from tests.support.traffic import traffic
from tests.support.wait import until

AT_25, BACK = [pytest.approx(25, abs=0.5)] * 2, [0.0, 0.0]
#: Appends what it is told to a file.
TELL = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"


@pytest.fixture
def two() -> Iterator[Fleet]:
    """A router on this machine, and one that is reached by ssh."""
    with Fleet(routers=2, ssh=True) as running, traffic(running, 60):
        running.variables["lb1"]["ansible_connection"] = "local"
        running.spec["steps"] = [{"weight": 25, "hold": "60s"}, {"weight": 100}]
        yield running


def held(fleet: Fleet) -> Playbook:
    running = fleet.start("rollout")
    running.says("read back", times=2)
    assert fleet.shares() == AT_25
    return running


def all_back(fleet: Fleet) -> None:
    until(lambda: fleet.shares() == BACK, "both routers to be back at stable")
    until(lambda: not fleet.left(), "no process of the rollout to be left")


def both_are_killed(fleet: Fleet, running: Playbook) -> None:
    os.kill(fleet.watch(), signal.SIGKILL)
    running.process.send(signal.SIGKILL)


def states(fleet: Fleet) -> list[str]:
    return [router.record()["state"] for router in fleet.routers]


def told(path: Path) -> list[dict[str, Any]]:
    """What a notification's command was told, so far."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


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


# --- on_abandon: hold


def test_what_is_to_be_held_is_held_and_the_next_rollout_starts_from_there(two: Fleet) -> None:
    two.spec.update(on_abandon="hold", notify=[{"command": [sys.executable, "-c", TELL, str(two.directory / "told")]}])
    held(two).process.send(signal.SIGKILL)
    until(lambda: not two.left(), "no process of the rollout to be left")
    assert two.shares() == AT_25
    assert states(two) == ["held", "held"]
    assert (two.outcome()["outcome"], two.outcome()["actor"]) == ("held", "abandoned")
    (message,) = told(two.directory / "told")
    assert (message["event"], message["router"], message["actor"]) == ("held", None, "abandoned")
    two.spec.update(steps=[{"weight": 50, "hold": "1s"}, {"weight": 100}], on_abandon="rollback")
    ended = two.play("rollout")
    assert ended.code == 0, ended.output
    assert two.shares() == [100.0, 100.0]


@pytest.mark.parametrize("guard", ["session", "none"])
def test_it_is_held_without_the_watch_as_well_and_a_person_ends_it(two: Fleet, guard: str) -> None:
    two.spec.update(on_abandon="hold", guard=guard, lease="3s")
    both_are_killed(two, held(two))
    until(lambda: not two.left(), "no process of the rollout to be left")
    assert two.shares() == AT_25
    for router in two.routers:
        assert "live: blue 75 %, green 25 %" in router.agent("status").stdout
        assert router.agent("revert", "web").returncode == 0
    assert two.shares() == BACK


# --- a guard that was there before, and stays

OLDER = "its guard is of another release of zdm"


@pytest.fixture(name="residents")
def _residents(two: Fleet) -> Iterator[list[Process]]:
    with residents(two) as guards:
        yield guards


def test_a_resident_guard_takes_traffic_back_pages_and_stays(two: Fleet, residents: list[Process]) -> None:
    pages = two.directory / "told"
    two.spec.update(
        guard="resident", notify=[{"command": [sys.executable, "-c", TELL, str(pages)], "on": ["reverted"]}]
    )
    both_are_killed(two, held(two))
    until(lambda: two.shares() == BACK, "both routers to be back at stable")
    until(lambda: len(told(pages)) == 2, "both to page")
    assert {(page["event"], page["reason"]) for page in told(pages)} == {
        ("reverted", "the controller's connection ended")
    }
    assert {page["run"] for page in told(pages)} == {two.runs()[-1].name}
    until(lambda: sorted(two.left()) == sorted(guard.pid for guard in residents), "all but the guards to end")
    two.spec["steps"] = [{"weight": 25, "hold": "1s"}, {"weight": 100}]
    ended = two.play("rollout")
    assert ended.code == 0, ended.output
    assert OLDER not in ended.output
    two.alter(
        "module_utils/agent/guard.py",
        "FIRST_SECONDS, END_SECONDS = 10.0, 60.0",
        "FIRST_SECONDS, END_SECONDS = 9.0, 60.0",
    )
    two.spec["release"] = "v3"
    ended = two.play("rollout")
    assert ended.code == 0, ended.output
    assert ended.output.count(OLDER) == 2, "they are what they were started with"
    assert [guard.ended for guard in residents] == [None, None]
    assert len(told(pages)) == 2, "of what the watch sees itself they say nothing"


# --- the rest


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
