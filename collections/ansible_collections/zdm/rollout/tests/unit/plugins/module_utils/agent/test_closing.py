# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that a revert leaves at canary: kept, or closed by the guard that lent the share, once and in time."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.closing import LATEST_SECONDS

from .agents import RUN, WEB, Agent, ask, split

SECONDS = 30.0


def reverted(agent: Agent, left: int | None = 3, **terms: Any) -> None:
    """A run's own revert, with so much under way at green."""
    met = agent.at_25(**terms)
    agent.driver.occupy("green", left)
    assert ask(met, "revert", epoch=1, reason="it fails")["ok"]
    met.close()
    agent.pass_time()


def closed(agent: Agent) -> bool:
    return "close" in agent.driver.calls


def test_what_is_under_way_is_kept_unless_somebody_wants_it_closed(agent: Agent) -> None:
    reverted(agent)
    assert not agent.tenures.minded
    agent.pass_time(10 * SECONDS)
    assert not closed(agent)


def test_what_is_left_is_closed_when_its_time_is_over(agent: Agent) -> None:
    reverted(agent, close_after=SECONDS)
    assert agent.tenures.minded, "the guard stays for it"
    agent.pass_time(SECONDS - 0.2)
    assert not closed(agent)
    agent.pass_time(0.2)
    assert closed(agent)
    assert agent.record.rollouts[-1]["closed"] == 3
    assert agent.said[-1] == "web: 3 sessions at green were closed"
    assert not agent.tenures.minded
    agent.driver.calls.clear()
    agent.pass_time(10 * SECONDS)
    assert not closed(agent)


def test_what_ended_by_itself_is_not_waited_for(agent: Agent) -> None:
    reverted(agent, close_after=SECONDS)
    agent.driver.occupy("green", 0)
    agent.pass_time(1)
    assert not agent.tenures.minded
    assert not closed(agent)
    assert "closed" not in agent.record.rollouts[-1]


def test_what_went_back_by_the_guards_own_hand_is_closed_too(agent: Agent) -> None:
    agent.at_25(close_after=SECONDS).close()
    agent.driver.occupy("green", 2)
    agent.pass_time(1)
    assert agent.state == "reverted"
    agent.pass_time(SECONDS + 0.1)
    assert closed(agent)
    assert agent.record.rollouts[-1]["closed"] == 2


def test_and_what_a_person_took_back_past_the_guard(agent: Agent) -> None:
    agent.at_25(close_after=SECONDS)
    agent.driver.occupy("green", 2)
    assert ask(agent.meet(), "revert", force=True, reason="ann", **WEB)["ok"]
    agent.pass_time()
    agent.pass_time(SECONDS + 0.1)
    assert closed(agent)


@pytest.mark.parametrize("what", ["promoted", "given to green again", "another run", "the guard ends", "another guard"])
def test_nothing_is_closed_that_somebody_wants_there(agent: Agent, what: str) -> None:
    if what == "promoted":
        met = agent.at_25(close_after=SECONDS)
        ask(met, "arm", epoch=1, wanted=split(100))
        assert ask(met, "disarm", epoch=1)["ok"]
        agent.driver.occupy("green", 3)
    else:
        reverted(agent, close_after=SECONDS)
    if what == "given to green again":
        agent.driver.weigh("green", 100)
    elif what == "another run":
        assert ask(agent.meet(), "acquire", run="r2", **RUN)["ok"]
    elif what == "the guard ends":
        agent.tenures.end("it was told to end")
        assert not agent.tenures.minded
    elif what == "another guard":
        agent.start()
    agent.pass_time()
    agent.pass_time(SECONDS + 0.1)
    assert not closed(agent)


def test_a_router_that_says_nothing_now_is_asked_again(agent: Agent) -> None:
    reverted(agent, left=None, close_after=SECONDS)
    agent.pass_time(SECONDS + 1)
    assert not closed(agent)
    agent.driver.occupy("green", 1)
    agent.pass_time()
    assert closed(agent)


def test_but_not_for_ever(agent: Agent) -> None:
    reverted(agent, left=None, close_after=SECONDS)
    agent.pass_time(SECONDS + LATEST_SECONDS + 1)
    assert not agent.tenures.minded


def test_what_the_proxy_refuses_goes_on(agent: Agent) -> None:
    reverted(agent, close_after=SECONDS)
    agent.driver.broken.add("close")
    agent.pass_time(SECONDS + 0.1)
    assert agent.said[-1] == "web: sessions at green go on: close: the proxy says no"
    assert not agent.tenures.minded
    assert (agent.state, agent.driver.share()) == ("reverted", 0)
