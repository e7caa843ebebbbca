# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of version 1 are read by all that read records; one of a newer version is refused and left as it is."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import LATER, Store
from ansible_collections.zdm.rollout.plugins.plugin_utils._past import Past
from tests.support.fleet import Fleet
from tests.support.traffic import traffic
from tests.upgrades.frozen import PRESENT, STATES, installed, left_behind, record, text, words

STEPS = [{"weight": 50}, {"weight": 100}]
NEWER = "has version 2, this agent knows 1: a newer agent wrote it, use that one"


def test_there_is_one_of_each_state() -> None:
    assert {record(state)["state"] for state in STATES} == {"idle", "leased", "armed", "reverted", "held", "stuck"}
    assert all(record(state)["version"] == 1 for state in STATES)
    assert all(LATER[0] not in record(state) for state in STATES), "what came later is not in them"


@pytest.mark.parametrize("state", STATES)
def test_nothing_of_it_is_lost_when_it_is_read_and_written(state: str) -> None:
    frozen = record(state)
    with TemporaryDirectory() as directory:
        path = Path(directory) / "test" / "web.json"
        path.parent.mkdir()
        path.write_text(json.dumps(frozen), encoding="utf-8")
        store = Store(directory)
        store.save(store.load("test", "web"))
        written: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert {**written, **frozen} == written
    assert set(written) - set(frozen) == {*LATER, "parked", "parked_for"}


def test_its_history_is_the_past_of_an_undo() -> None:
    past = Past.of({"lb1": record("held"), "lb2": None})
    assert [(rollout.release, rollout.outcome) for rollout in past.rollouts] == [
        ("v2", "promoted"),
        ("v3", "rolled_back"),
        ("v4", "rolled_back"),
        ("v4", "held"),
    ]
    assert list(past.releases()) == ["v2", "before v2"]
    assert not past.retired


@pytest.mark.parametrize("state", STATES)
def test_the_present_agent_goes_on_where_version_1_was_left(state: str) -> None:
    """What was owed is paid, and the next run takes over; a person can end it on the router as well."""
    frozen = record(state)
    with Fleet() as fleet:
        agent = installed(fleet, PRESENT)
        left_behind(fleet, state)
        assert ("web in test: %s" % state) in agent.command("status").stdout
        said = agent.command("revert", "web")
        assert (said.returncode == 0) == (state != "idle"), said.stderr
        assert said.returncode == 0 or "nothing to revert" in said.stderr
        assert fleet.shares() == [100.0]

        left_behind(fleet, state)
        with agent.connect() as watch:
            watch.hello()
            run = {"run": "r9", "owner": "bob@desk", "release": "v9", "stable": "green", "canary": "blue"}
            reply = watch.ask("acquire", service=agent.service.to_json(), **run)
            assert fleet.shares() == [100.0], "green was stable in all of them"
            assert reply["epoch"] == frozen["epoch"] + 1
            took = reply["took_over"] or {}
            assert took.get("run") == (None if frozen["ended_by"] == "run" else frozen["run"])
            with_it = len(frozen["rollouts"]) + (state in ("leased", "armed"))
            assert len(agent.record["rollouts"]) == with_it
            watch.hang_up()


def test_one_in_the_middle_whose_guard_is_dead_is_taken_over() -> None:
    """What was on loan goes back to green, which is its stable, before the new rollout raises blue."""
    with Fleet() as fleet, traffic(fleet, 100) as (client,):
        fleet.spec.update(steps=STEPS, checks={})
        left_behind(fleet, "armed")
        assert fleet.shares() == [pytest.approx(75, abs=0.5)]
        status = installed(fleet, PRESENT).command("status").stdout
        assert "release v4 of run" in status
        assert "NO GUARD MINDS IT: end it with zdm-agent revert web" in status
        ended = fleet.play("rollout", "-e", "zdm_release=v5")
        assert ended.code == 0, ended.output
        assert "took over from run %s of ann@desk" % record("armed")["run"] in words(ended.output)
        assert fleet.shares() == [0.0]
        found = [(rollout["release"], rollout["outcome"]) for rollout in fleet.routers[0].record()["rollouts"]]
        assert found == [("v2", "promoted"), ("v3", "rolled_back"), ("v4", "rolled_back"), ("v5", "promoted")]
    assert client.result.failed == 0


def test_a_history_and_the_ways_back_and_forward() -> None:
    with Fleet() as fleet, traffic(fleet, 100) as (client,):
        fleet.spec.update(steps=STEPS, checks={})
        left_behind(fleet, "held")
        agent = installed(fleet, PRESENT)
        assert agent.command("history", "web").stdout == text("history.txt"), "as version 1 told it"
        left_behind(fleet, "reverted")
        retry = fleet.play("retry", "--check")
        assert retry.code == 0, retry.output
        assert "release v4, from green to blue (retry)" in words(retry.output)
        left_behind(fleet, "idle")
        undo = fleet.play("undo")
        assert undo.code == 0, undo.output
        assert fleet.shares() == [0.0]
        assert fleet.outcome()["release"] == "before v2"
    assert client.result.failed == 0


def test_a_newer_one_is_refused_by_everybody_and_left_as_it_is() -> None:
    with Fleet() as fleet:
        fleet.spec.update(steps=STEPS, checks={})
        path = left_behind(fleet, "idle", version=2, brings={"more": 1})
        before = path.read_bytes()
        agent = installed(fleet, PRESENT)
        for verb in ("status", "history web", "revert web", "pause web", "lock web"):
            said = agent.command(*verb.split())
            assert (said.returncode, NEWER in said.stderr) == (1, True), said.stderr
        agent.file.write_bytes(b"the agent that wrote it")
        for verb in ("status", "rollout", "abort"):
            ended = fleet.play(verb)
            assert ended.code == 2, "%s: %s" % (verb, ended.output)
            assert NEWER in words(ended.output), ended.output
        assert path.read_bytes() == before
        assert agent.file.read_bytes() == b"the agent that wrote it", "nor is the agent put back to an older one"
        assert fleet.shares() == [100.0]
        left_behind(fleet, "idle", brings={"more": 1})  # the control: the same record, of version 1
        agent.file.write_bytes(PRESENT)
        assert agent.command("lock", "web").returncode == 0
        assert json.loads(path.read_text(encoding="utf-8"))["locked"]
