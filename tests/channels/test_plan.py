# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A router that no channel reaches: the plan says so, and the rollout ends before anything moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.accounts import TYPED, need_accounts
from tests.support.fleet import Fleet
from tests.support.playbook import Ended
from tests.support.sshd import RunningSshd

from .handed import PLUGINS

WHY = "no channel to lb1: connection 'borrowed' is not supported for the agent"


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """One router, whose connection works with Ansible and is unknown to zdm."""
    with Fleet() as running:
        running.variables["lb1"]["ansible_connection"] = "borrowed"
        yield running


def play(fleet: Fleet, playbook: str, *arguments: str) -> Ended:
    ended = fleet.start(playbook, *arguments, ANSIBLE_CONNECTION_PLUGINS=str(PLUGINS / "connection")).wait()
    return Ended(ended.code, " ".join(ended.output.replace("''", "'").split()))


@pytest.mark.parametrize("playbook, arguments", [("plan", ()), ("rollout", ("--check",))], ids=["plan", "check mode"])
def test_the_plan_refuses_it_and_so_would_the_rollout(fleet: Fleet, playbook: str, arguments: tuple[str, ...]) -> None:
    planned = play(fleet, playbook, *arguments)
    assert planned.code == 2
    assert WHY in planned.output
    assert "cannot be read" not in planned.output, "Ansible itself must be able to read this router"


def test_the_plan_refuses_a_password_that_only_ansible_could_type(fleet: Fleet) -> None:
    need_accounts()
    host = RunningSshd(fleet.directory / "host", accounts=True)
    try:
        login = {"ansible_user": TYPED.name, "ansible_password": TYPED.password}
        become = {"ansible_become": True, "ansible_become_password": TYPED.password}
        unshared = {"ansible_ssh_args": "-o ControlMaster=no"}
        fleet.variables["lb1"].update({**host.variables, **login, **become, **unshared})
        planned = play(fleet, "plan")
    finally:
        host.stop()
    assert planned.code == 2
    assert "no channel to lb1: this host asks for a password" in planned.output
    assert "leave ControlPersist on" in planned.output


def test_the_rollout_is_refused_before_anything_moves(fleet: Fleet) -> None:
    assert play(fleet, "rollout").code == 2
    assert fleet.outcome()["outcome"] == "refused"
    assert fleet.outcome()["reason"].startswith(WHY)
    assert not fleet.routers[0].state.exists(), "no agent was installed"
    assert fleet.shares() == [0.0]


def test_control_by_a_connection_that_it_knows_it_is_planned(fleet: Fleet) -> None:
    fleet.variables["lb1"]["ansible_connection"] = "local"
    planned = play(fleet, "plan")
    assert planned.code == 0, planned.output
    assert "no channel" not in planned.output
