# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tenure remembers is enough for the way back, whatever the disk says; and what others wrote there is heard."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import record as records
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import UP

from .agents import WEB, Agent, ask, refusal, split

SILENCE = "nobody renewed the lease for 10 s"


def where(agent: Agent) -> tuple[str, float]:
    """What the record says, and green's share at the router."""
    return agent.state, agent.driver.share()


def fill(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*ignored: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(records, "write_whole", full)


def delete(agent: Agent) -> None:
    path(agent).unlink()


def corrupt(agent: Agent) -> None:
    path(agent).write_text('{"version": 1, ')


def newer(agent: Agent) -> None:
    path(agent).write_text('{"version": 2}')


def path(agent: Agent) -> Path:
    return Path(agent.store.directory) / "test" / "web.json"


@pytest.mark.parametrize("happens", [delete, corrupt, newer])
def test_without_its_record_a_guard_minds_and_brings_back(agent: Agent, happens: Callable[[Agent], None]) -> None:
    met = agent.at_25()
    happens(agent)
    agent.pass_time(5)
    assert agent.renewed(met)["state"] == "armed"
    agent.pass_time(10)
    assert where(agent) == ("reverted", 0)
    assert refusal(met, "arm", epoch=1, wanted=split(50))[0] == "reverted"


@pytest.mark.parametrize("happens", [delete, corrupt, newer])
def test_a_guard_that_begins_without_the_record_does_not__control(
    agent: Agent, happens: Callable[[Agent], None]
) -> None:
    agent.at_25()
    happens(agent)
    agent.start()
    agent.pass_time(20)
    assert agent.driver.share() == 25


def test_on_a_full_disk_nothing_is_raised_and_all_goes_back(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    met = agent.at_25()
    fill(monkeypatch)
    code, text = refusal(met, "arm", epoch=1, wanted=split(50))
    assert (code, "No space left on device" in text) == ("router", True)
    assert agent.driver.share() == 25
    agent.pass_time(10)
    assert agent.driver.share() == 0
    assert "could not be recorded" in agent.said[-1]
    reply = agent.renewed(met)
    assert (reply["state"], reply["reason"]) == ("reverted", SILENCE), "the run hears of it all the same"
    assert agent.tenures.minded is False


def test_another_guards_lease_is_not_minded_here(agent: Agent) -> None:
    """The directory was made anew, and a guard began there."""
    agent.at_25()
    theirs = replace(agent.record, lease=replace(agent.record.lease, epoch=7, run="r7"))
    agent.store.save(theirs)
    wrote = list(agent.driver.wrote)
    agent.pass_time(20)
    assert (agent.tenures.minded, agent.driver.wrote, agent.record) == (False, wrote, theirs)


def test_a_persons_revert_beside_it_is_seen_at_the_next_tick(agent: Agent) -> None:
    met = agent.at_25()
    ask(agent.meet(), "revert", force=True, reason="bob says", **WEB)
    agent.pass_time()
    assert (agent.tenure.lease.state, agent.tenures.minded) == ("reverted", False)
    agent.driver.weigh("green", 250)  # and what is then set is somebody's own
    agent.pass_time(20)
    assert agent.driver.share() > 0
    assert agent.renewed(met)["ended_by"] == "person"


@pytest.mark.parametrize("disk", ["well", "full"])
def test_a_stuck_one_is_told_of_once(agent: Agent, monkeypatch: pytest.MonkeyPatch, disk: str) -> None:
    agent.at_25().close()
    agent.driver.ail("blue")
    if disk == "full":
        fill(monkeypatch)
    for dummy in range(20):
        agent.pass_time(1)
    assert [event for event, dummy in agent.paged] == ["stuck"]
    agent.driver.ail("blue", UP)
    agent.pass_time(1)
    assert [event for event, dummy in agent.paged] == ["stuck", "reverted"]
