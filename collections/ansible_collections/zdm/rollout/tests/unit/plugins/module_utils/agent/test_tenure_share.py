# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A share that moved while it was on loan: what members moved is put right, and what somebody else set is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import deviation
from ansible_collections.zdm.rollout.plugins.module_utils.agent.session import Session
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import DOWN, UP

from .agents import WEB, Agent, ask, split

MINUTE = deviation.AGAIN_SECONDS


def later(agent: Agent, met: Session, seconds: float) -> dict[str, Any]:
    """The last reply after so long, in which the run went on renewing."""
    end = agent.t + seconds
    reply: dict[str, Any] = {}
    while agent.t < end - 0.05:
        agent.pass_time(min(5.0, end - agent.t))
        reply = agent.renewed(met)
    return reply


def ticked(agent: Agent, met: Session) -> dict[str, Any]:
    agent.pass_time()
    return agent.renewed(met)


# --- members


def falls_out(agent: Agent) -> None:
    agent.driver.members["blue-1"] = replace(agent.driver.members["blue-1"], health=DOWN)


def comes_back(agent: Agent) -> None:
    agent.driver.members["blue-1"] = replace(agent.driver.members["blue-1"], health=UP)


@pytest.mark.parametrize(
    ("happens", "corrections"),
    [([], 0), ([falls_out], 1), ([falls_out, comes_back], 2)],
    ids=["nothing", "a member falls out", "and comes back"],
)
def test_what_members_move_is_put_right(agent: Agent, happens: list[Callable[[Agent], None]], corrections: int) -> None:
    met = agent.at_25()
    for happening in happens:
        happening(agent)
        agent.pass_time()
    reply = ticked(agent, met)
    assert (reply["corrections"], reply["foreign"], reply["failure"]) == (corrections, [], "")
    assert agent.driver.share() == pytest.approx(25, abs=0.1)
    assert reply["traffic"]["split"]["green"] == pytest.approx(25, abs=0.1)


def test_a_correction_does_not_prolong_what_was_meant_for_so_long(agent: Agent) -> None:
    met = agent.at_25()
    ask(met, "arm", epoch=1, wanted=split(25), max_hold=2)
    agent.pass_time(1.5)
    falls_out(agent)
    assert ticked(agent, met)["corrections"] == 1
    agent.pass_time(0.4)
    assert (agent.state, agent.record.lease.reason) == ("reverted", "the split was in force for longer than was meant")


def test_what_cannot_be_put_right_is_said_and_tried_again(agent: Agent) -> None:
    met = agent.at_25()
    falls_out(agent)
    agent.driver.broken = {"write"}
    said = "members came or went, and it could not be put right: write: the proxy says no"
    assert (ticked(agent, met)["failure"], agent.state) == (said, "armed")
    agent.driver.broken = set()
    reply = ticked(agent, met)
    assert (reply["failure"], reply["corrections"]) == ("", 1)


def test_what_is_over_is_not_put_right(agent: Agent) -> None:
    agent.at_25()
    falls_out(agent)
    agent.t += 10
    wrote = len(agent.driver.wrote)
    agent.pass_time()
    assert agent.driver.wrote[wrote:] == ["revert"]


def test_what_is_no_longer_on_loan_is_not_put_right(agent: Agent) -> None:
    met = agent.at_25()
    ask(agent.meet(), "revert", reason="bob says", force=True, **WEB)
    wrote = list(agent.driver.wrote)
    agent.driver.weigh("green", 500)
    falls_out(agent)
    assert ticked(agent, met)["corrections"] == 0
    assert agent.driver.wrote == wrote


def test_a_proxy_that_cannot_be_read_is_said_and_forgotten(agent: Agent) -> None:
    met = agent.at_25()
    agent.driver.broken = {"read"}
    reply = ticked(agent, met)
    assert (reply["failure"], reply["state"]) == ("read: the proxy says no", "armed")
    agent.driver.broken = set()
    assert ticked(agent, met)["failure"] == ""


# --- somebody else

LESS, MORE = 0, 500  # of 125 for each member of green
POLICIES = ("rollback", "pause")


@pytest.mark.parametrize("weight", [LESS, MORE])
@pytest.mark.parametrize("policy", POLICIES)
def test_somebody_elses_split_is_put_back_at_the_next_tick_and_told_of(agent: Agent, policy: str, weight: int) -> None:
    met = agent.at_25(on_foreign_change=policy)
    agent.driver.weigh("green", weight)
    shown = agent.driver.share()
    reply = ticked(agent, met)
    assert (agent.driver.share(), reply["state"], reply["corrections"]) == (25, "armed", 0)
    (foreign,) = reply["foreign"]
    assert (foreign["number"], foreign["at"], foreign["put_back"]) == (1, "noon", True)
    assert foreign["shown"]["green"] == shown
    assert "web: somebody else set {'blue': " in agent.said[-1]
    assert later(agent, met, 5)["foreign"] == [foreign], "told of, not found, again"


@pytest.mark.parametrize("weight", [LESS, MORE])
def test_the_second_time_within_a_minute_ends_the_rollout(agent: Agent, weight: int) -> None:
    met = agent.at_25()
    agent.driver.weigh("green", weight)
    agent.pass_time()
    later(agent, met, MINUTE - 1)
    agent.driver.weigh("green", weight)
    reply = ticked(agent, met)
    assert (reply["state"], reply["ended_by"], agent.driver.share()) == ("reverted", "guard", 0)
    assert reply["reason"].startswith("somebody else changed the split again, to {'blue': ")
    assert [foreign["put_back"] for foreign in reply["foreign"]] == [True, False]


def test_after_a_minute_it_is_put_back_once_more__control(agent: Agent) -> None:
    met = agent.at_25()
    agent.driver.weigh("green", LESS)
    agent.pass_time()
    later(agent, met, MINUTE)
    agent.driver.weigh("green", LESS)
    reply = ticked(agent, met)
    assert (reply["state"], agent.driver.share()) == ("armed", 25)
    assert [foreign["number"] for foreign in reply["foreign"]] == [1, 2]


def paused(agent: Agent, weight: int) -> Session:
    """Somebody has set it twice within a minute, where that is to be a pause."""
    met = agent.at_25(on_foreign_change="pause")
    for dummy in range(2):
        agent.driver.weigh("green", weight)
        agent.pass_time()
    return met


def test_where_that_is_a_pause_less_is_left_to_people(agent: Agent) -> None:
    met = paused(agent, LESS)
    for dummy in range(3):
        reply = later(agent, met, MINUTE)
        assert (agent.driver.share(), reply["state"]) == (0, "armed"), "for as long as it stands"
    assert [foreign["put_back"] for foreign in reply["foreign"]] == [True, False], "told of once"


def test_and_once_the_run_has_armed_anew_it_is_put_back_again(agent: Agent) -> None:
    met = paused(agent, LESS)
    ask(met, "arm", epoch=1, wanted=split(25))
    later(agent, met, MINUTE)
    agent.driver.weigh("green", LESS)
    agent.pass_time()
    assert agent.driver.share() == 25


def test_and_more_than_was_given_is_never_left(agent: Agent) -> None:
    met = paused(agent, MORE)
    assert agent.driver.share() == 25
    for dummy in range(3):
        agent.driver.weigh("green", MORE)
        reply = ticked(agent, met)
    assert (agent.driver.share(), reply["state"]) == (25, "armed")
    assert [foreign["number"] for foreign in reply["foreign"]] == [1, 2, 3, 4, 5]


def test_the_last_of_many_are_told_of(agent: Agent) -> None:
    met = agent.at_25(on_foreign_change="pause")
    for dummy in range(15):
        agent.driver.weigh("green", MORE)
        reply = ticked(agent, met)
    assert [foreign["number"] for foreign in reply["foreign"]] == list(range(6, 16))


def test_what_a_reload_did_is_somebody_elses_and_put_back(agent: Agent) -> None:
    """The weights of the proxy's own file, and its counters from nothing."""
    met = agent.at_25()
    agent.driver.weigh("blue", 1000)
    agent.driver.weigh("green", 0)
    agent.driver.tries = {name: replace(tries, requests=0, failures=0) for name, tries in agent.driver.tries.items()}
    reply = ticked(agent, met)
    assert (agent.driver.share(), reply["state"], len(reply["foreign"])) == (25, "armed", 1)


def test_what_cannot_be_put_back_is_not_counted_as_the_first_time(agent: Agent) -> None:
    met = agent.at_25()
    agent.driver.weigh("green", LESS)
    agent.driver.broken = {"write"}
    for dummy in range(3):
        reply = ticked(agent, met)
    assert (reply["foreign"], reply["state"]) == ([], "armed")
    assert reply["failure"].endswith("and it could not be put right: write: the proxy says no")
    agent.driver.broken = set()
    assert len(ticked(agent, met)["foreign"]) == 1
    assert agent.driver.share() == 25
