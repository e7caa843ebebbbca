# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan says what becomes of a router without the controller, and refuses a resident guard that is not there."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Record, Store
from tests.support.fleet import Fleet
from tests.support.modules import run_module

SECRET = "T0PSECRET"


@contextmanager
def guarded(state: Path, kind: str) -> Iterator[None]:
    """This process has the guard's lock of a state directory, as a guard of this kind would."""
    state.mkdir(exist_ok=True, mode=0o700)
    with (state / "guard.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("%d %s\n" % (os.getpid(), kind))
        lock.flush()
        yield


@pytest.mark.parametrize("playbook", [("plan",), ("rollout", "--check")], ids=["plan", "rollout --check"])
def test_a_resident_guard_must_be_there_before_anything_moves(playbook: tuple[str, ...]) -> None:
    with Fleet() as fleet:
        router = fleet.routers[0]
        fleet.spec["guard"] = "resident"
        fleet.spec["notify"] = [{"url": "https://hooks.example/%s" % SECRET}]
        refused = fleet.play(*playbook)
        said = " ".join(refused.output.split())
        assert refused.code == 2, refused.output
        assert 'lb1: "none", expected a resident guard on this router' in said, refused.output
        with guarded(router.state, "resident"):
            planned = fleet.play(*playbook)
        said = " ".join(planned.output.split())
        assert planned.code == 0, planned.output
        assert "all traffic back to blue within 11s (guard: resident, lease 10s)" in said
        assert "tells https://hooks.example: rolled_back" in said
        assert SECRET not in refused.output + planned.output


@pytest.mark.parametrize("kind", ["resident", "session"])
def test_the_agents_module_tells_which_guard_lives_and_no_secret_of_a_record(tmp_path: Path, kind: str) -> None:
    state = tmp_path / "state"
    told = {"to": "page", "on": ["stuck"]}
    Store(str(state)).save(Record("test", "web"))
    path = state / "test" / "web.json"
    record: dict[str, Any] = json.loads(path.read_text())
    record["terms"] = {"ttl": 10, "notify": [{"command": ["page", SECRET], "on": ["stuck"]}]}
    path.write_text(json.dumps(record))

    with guarded(state, kind):
        lives = run_module("agent_info", {"state": str(state)}, tmp_path / "home")
    dead = run_module("agent_info", {"state": str(state)}, tmp_path / "home")
    assert [answer.result["guard"] for answer in (lives, dead)] == [kind, "none"]
    assert lives.result["records"][0]["terms"]["notify"] == [told]
    assert SECRET not in lives.output
