# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tenure's way to its end: what ends a lease, what is tried again until it is done, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import tenure as room
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import UP

from .agents import RUN, WEB, Agent, ask, refusal, split

SILENCE = "nobody renewed the lease for 10 s"
REFLEX = {"alpha": 0.0005, "dispersion": 2.0, "min_failures": 5}


def where(agent: Agent) -> tuple[str, float]:
    """What the record says, and green's share at the router."""
    return agent.state, agent.driver.share()


# --- time


@pytest.mark.parametrize("ttl", [3.0, 10.0])
def test_what_nobody_renews_goes_back_when_its_time_is_over(agent: Agent, ttl: float) -> None:
    agent.at_25(ttl=ttl)
    agent.pass_time(ttl - 0.1)
    assert where(agent) == ("armed", 25)
    agent.pass_time(0.1)
    assert where(agent) == ("reverted", 0)
    assert agent.record.lease.reason == "nobody renewed the lease for %g s" % ttl
    assert agent.said == ["web: reverted: " + agent.record.lease.reason]


def test_the_run_is_shown_what_was_read_back(agent: Agent) -> None:
    met = agent.at_25()
    agent.pass_time()
    agent.pass_time(10)
    reply = agent.renewed(met)
    assert (reply["state"], reply["traffic"]["split"]) == ("reverted", {"blue": 100.0, "green": 0.0})


def test_what_is_renewed_stays(agent: Agent) -> None:
    met = agent.at_25()
    for dummy in range(30):
        agent.pass_time(1)
        assert agent.renewed(met)["state"] == "armed"
    assert where(agent) == ("armed", 25)


def test_a_renewal_is_worth_what_is_left_of_it(agent: Agent) -> None:
    met = agent.at_25()
    began = agent.t
    agent.pass_time(9)
    ask(met, "renew", epoch=1, t=began + 4)
    agent.pass_time(4.9)
    assert agent.state == "armed"
    agent.pass_time(0.1)
    assert agent.state == "reverted"


def test_the_end_of_the_connection_leaves_it_a_second(agent: Agent) -> None:
    agent.at_25().close()
    agent.pass_time(0.9)
    assert where(agent) == ("armed", 25)
    agent.pass_time(0.1)
    assert where(agent) == ("reverted", 0)


def test_another_connection_that_renews_within_it_saves_the_lease(agent: Agent) -> None:
    agent.at_25().close()
    agent.pass_time(0.9)
    agent.renewed(agent.meet(), **WEB)
    agent.pass_time(9)
    assert where(agent) == ("armed", 25)


def test_a_connection_that_did_not_renew_last_ends_nothing(agent: Agent) -> None:
    met, other = agent.at_25(), agent.meet()
    agent.renewed(other, **WEB)
    agent.renewed(met)
    other.close()
    agent.pass_time(5)
    assert agent.state == "armed"


def test_a_split_is_in_force_no_longer_than_was_meant(agent: Agent) -> None:
    met = agent.meet()
    ask(met, "acquire", run="r1", **RUN)
    ask(met, "arm", epoch=1, wanted=split(25), max_hold=5)
    for dummy in range(4):
        agent.pass_time(1)
        agent.renewed(met)
    agent.pass_time(0.9)
    assert agent.state == "armed"
    agent.pass_time(0.1)
    assert (agent.state, "longer than was meant" in agent.record.lease.reason) == ("reverted", True)


def test_what_is_abandoned_is_held_where_that_was_wanted(agent: Agent) -> None:
    agent.at_25(on_expiry="hold").close()
    agent.pass_time(1)
    assert where(agent) == ("held", 25)
    assert agent.tenures.minded is False


def test_and_what_the_guard_decides_itself_is_not_held(agent: Agent) -> None:
    agent.at_25(on_expiry="hold")
    agent.tenures.end("the guard was told to end (signal 15)")
    agent.pass_time()
    assert where(agent) == ("reverted", 0)
    assert agent.record.lease.reason == "the guard was told to end (signal 15)"


# --- an end that cannot be brought about


def refuse(agent: Agent) -> None:
    agent.driver.broken = {"revert"}


def fall_ill(agent: Agent) -> None:
    agent.driver.ail("blue")


def recover(agent: Agent) -> None:
    agent.driver.broken = set()
    agent.driver.ail("blue", UP)


ILL = "blue would get 100 % of web, but none of its members is healthy (down: blue-1, blue-2): nothing was changed"


def test_a_proxy_that_refuses_is_asked_again_until_it_does_it(agent: Agent) -> None:
    agent.at_25().close()
    refuse(agent)
    agent.pass_time(1)
    assert where(agent) == ("armed", 25)
    tries = agent.driver.calls.count("revert")
    agent.pass_time(room.AGAIN_SECONDS - 0.1)
    assert agent.driver.calls.count("revert") == tries, "not at each tick"
    agent.pass_time(0.1)
    assert agent.driver.calls.count("revert") == tries + 1
    assert agent.said == ["web: REVERT NOT DONE, tried again: revert: the proxy says no"], "said once"
    agent.pass_time(room.SAY_AGAIN_SECONDS)
    assert len(agent.said) == 2, "and again after a while"
    recover(agent)
    agent.pass_time(room.AGAIN_SECONDS)
    assert where(agent) == ("reverted", 0)
    assert agent.record.lease.reason == "the controller's connection ended"


def test_a_stable_that_is_sick_gets_nothing_and_is_asked_again(agent: Agent) -> None:
    agent.at_25().close()
    fall_ill(agent)
    agent.pass_time(1)
    assert agent.state == "stuck"
    assert agent.driver.wrote == ["write"]
    assert agent.record.lease.reason == ILL
    assert agent.said == ["web: STUCK, tried again: " + ILL]
    tries = agent.driver.calls.count("changes")
    agent.pass_time(room.AGAIN_SECONDS - 0.1)
    assert agent.driver.calls.count("changes") == tries, "not at each tick"
    for dummy in range(5):
        agent.pass_time(room.AGAIN_SECONDS)
    assert agent.driver.calls.count("changes") == tries + 5
    assert (agent.state, agent.tenures.minded) == ("stuck", True)
    recover(agent)
    agent.pass_time(room.AGAIN_SECONDS)
    assert where(agent) == ("reverted", 0)
    assert agent.record.lease.reason == "the controller's connection ended", "why it was owed, not what kept it back"
    (rollout,) = agent.record.rollouts
    assert rollout["outcome"] == "rolled_back"


def test_a_run_that_is_stuck_is_told_and_can_only_revert(agent: Agent) -> None:
    met = agent.at_25()
    fall_ill(agent)
    agent.pass_time(10)
    reply = agent.renewed(met)
    assert (reply["state"], reply["reason"], reply["ended_by"]) == ("stuck", ILL, "guard")
    assert refusal(met, "arm", epoch=1, wanted=split(50))[0] == "reverted"
    recover(agent)
    assert ask(met, "revert", epoch=1, reason="go")["ok"]
    assert where(agent) == ("reverted", 0)


@pytest.mark.parametrize("trouble", [refuse, fall_ill])
def test_a_revert_of_the_run_that_cannot_be_done_is_owed(agent: Agent, trouble: Callable[[Agent], None]) -> None:
    met = agent.at_25()
    trouble(agent)
    assert refusal(met, "revert", epoch=1, reason="bad")[0] in ("router", "sick")
    recover(agent)
    agent.renewed(met)
    agent.pass_time()
    assert where(agent) == ("reverted", 0)
    assert agent.record.lease.reason == "bad"


def test_a_raise_to_a_sick_canary_is_refused_and_not_done_later(agent: Agent) -> None:
    met = agent.at_25()
    agent.driver.ail("green")
    assert refusal(met, "arm", epoch=1, wanted=split(50))[0] == "sick"
    wrote = list(agent.driver.wrote)
    agent.driver.ail("green", UP)
    for dummy in range(3):
        agent.pass_time(1)
        agent.renewed(met)
    assert agent.driver.wrote == wrote
    assert ask(met, "arm", epoch=1, wanted=split(50))["traffic"]["split"]["green"] == 50
    agent.driver.weigh("green", 0)
    agent.pass_time()
    assert agent.driver.share() == 50, "from then on it is put right as before"


def test_what_was_refused_would_be_done_if_it_were_minded__control(agent: Agent) -> None:
    met, armed = agent.at_25(), agent.tenure._armed
    agent.driver.ail("green")
    assert refusal(met, "arm", epoch=1, wanted=split(50))[0] == "sick"
    agent.tenure._armed = armed
    agent.driver.ail("green", UP)
    agent.pass_time()
    assert agent.driver.share() == 50


# --- the reflex


def failing(agent: Agent, met: Any, rounds: int = 20) -> None:
    """Canary fails all that it gets, stable nothing."""
    for dummy in range(rounds):
        agent.driver.try_("green", 10, 10)
        agent.driver.try_("blue", 30)
        agent.pass_time()
        if agent.state == "armed":
            agent.renewed(met)


def test_a_canary_that_fails_hard_goes_back_whoever_renews(agent: Agent) -> None:
    failing(agent, agent.at_25(reflex=REFLEX))
    assert where(agent) == ("reverted", 0)
    assert agent.record.lease.reason.startswith("reflex: canary failed ")
    assert agent.record.lease.ended_by == "guard"
    assert agent.paged == [], "the watch is there to say it"


def test_without_a_reflex_it_is_not_the_guards_business__control(agent: Agent) -> None:
    failing(agent, agent.at_25())
    assert where(agent) == ("armed", 25)


def test_the_reflex_does_not_move_anything_to_a_stable_that_is_sick(agent: Agent) -> None:
    met = agent.at_25(reflex=REFLEX)
    fall_ill(agent)
    failing(agent, met)
    assert agent.state == "stuck"
    assert "revert" not in agent.driver.wrote
    assert agent.paged == [], "the watch is there to say it"


def test_what_stable_fails_as_well_is_not_canarys_fault(agent: Agent) -> None:
    met = agent.at_25(reflex=REFLEX)
    for failing_now in (False, True):
        for dummy in range(20):
            agent.driver.try_("green", 10, 10 if failing_now else 0)
            agent.driver.try_("blue", 30, 30 if failing_now else 0)
            agent.pass_time()
            agent.renewed(met)
    assert where(agent) == ("armed", 25)


def test_where_canary_has_it_all_it_is_held_against_what_stable_had_before(agent: Agent) -> None:
    met = agent.at_25(reflex=REFLEX)
    for dummy in range(20):
        agent.driver.try_("green", 10)
        agent.driver.try_("blue", 30)
        agent.pass_time()
        agent.renewed(met)
    ask(met, "arm", epoch=1, wanted=split(100))
    for dummy in range(20):
        agent.driver.try_("green", 40, 40)
        agent.pass_time()
    assert where(agent) == ("reverted", 0)
    assert "before the switch" in agent.record.lease.reason


# --- who is told


def test_people_are_told_when_nobody_else_is_there_to_do_it(agent: Agent) -> None:
    agent.at_25()
    agent.pass_time(10)
    assert agent.paged == [("reverted", SILENCE)]


def test_and_not_of_what_the_watch_sees_itself(agent: Agent) -> None:
    met = agent.at_25()
    agent.renewed(met)
    agent.tenure.end("reflex: it fails")
    agent.pass_time(room.WATCHED_SECONDS - 0.1)
    assert (agent.state, agent.paged) == ("reverted", [])


def test_a_connection_that_ended_is_nobody(agent: Agent) -> None:
    agent.at_25().close()
    agent.pass_time(1)
    assert [event for event, dummy in agent.paged] == ["reverted"]
