# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent on a router: its file is copied only when it differs, and it runs as who the inventory says."""

from __future__ import annotations

import os
import stat

import pytest

from tests.support.fleet import Fleet
from tests.support.traffic import traffic
from tests.support.wait import until


def test_it_is_copied_only_when_it_differs(fleet: Fleet) -> None:
    path = fleet.routers[0].state / "zdm-agent.pyz"
    assert fleet.play("rollout").code == 0
    first = path.stat()
    assert stat.S_IMODE(first.st_mode) == 0o700
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    assert fleet.play("rollout", "-e", "zdm_release=v3").code == 0
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)

    good = path.read_bytes()
    path.write_bytes(b"an older one")
    assert fleet.play("rollout", "-e", "zdm_release=v4").code == 0
    assert path.read_bytes() == good
    assert fleet.outcome()["release"] == "v4"
    assert os.access(path, os.X_OK)


#: What Ansible shows of the module that finds the agent, and does more than that.
MODULE = "modules/agent_info.py"


def test_one_that_is_there_is_started_without_a_module_unless_another_could_have_written_it(fleet: Fleet) -> None:
    path = fleet.routers[0].state / "zdm-agent.pyz"
    first = fleet.play("rollout", "-vvv")
    assert first.code == 0
    assert MODULE in first.output
    again = fleet.play("rollout", "-vvv", "-e", "zdm_release=v3")
    assert again.code == 0
    assert MODULE not in again.output

    path.chmod(0o770)
    open_ = fleet.play("rollout", "-vvv", "-e", "zdm_release=v4")
    assert open_.code == 0
    assert MODULE in open_.output


@pytest.mark.skipif(os.getuid() != 0, reason="su asks everybody but root for a password")
@pytest.mark.parametrize("ssh", [False, True], ids=["local", "ssh"])
def test_it_runs_as_the_user_that_become_says(ssh: bool) -> None:
    with Fleet(ssh=ssh) as fleet, traffic(fleet, 100):
        fleet.variables["lb1"].update(ansible_become=True, ansible_become_method="su")
        fleet.spec["steps"] = [{"weight": 25, "hold": "60s"}, {"weight": 100}]
        running = fleet.start("rollout")
        running.says("lb1: read back")
        assert fleet.processes("BECOME-SUCCESS")
        running.process.kill()
        until(lambda: fleet.shares() == [0.0], "the agent to be told of the end through su")
        until(lambda: not fleet.left(), "no process of the rollout to be left")
