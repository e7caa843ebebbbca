# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who rests, round by round, and when the guard asks at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils.agent.rests import ASK_SECONDS, IN_A_ROW, Rests
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import TRIED, UP

from .agents import Agent
from .driver import well

POOLS = {"blue": ["b1", "b2", "b3"], "green": ["g1"]}
ALL = [name for names in POOLS.values() for name in names]


def rounds(*unwell: str) -> list[set[str]]:
    """Who rests after each round, in which these (words) are unwell."""
    rests = Rests(POOLS)
    return [set(rests.hear({name: name not in each.split() for name in ALL})) for each in unwell]


@pytest.mark.parametrize(
    ("unwell", "resting"),
    [
        (["", ""], [set(), set()]),
        (["b2", "b2", "b2", ""], [set(), {"b2"}, {"b2"}, set()]),
        (["b2", "", "b2"], [set(), set(), set()]),
        (["b2 b1", "b2 b1"], [set(), {"b1"}]),
        (["b2", "b2", "b2 b1", "b2 b1"], [set(), {"b2"}, {"b2"}, {"b2"}]),
        (["b1 b2", "b1 b2", "b2", "b2"], [set(), {"b1"}, {"b2"}, {"b2"}]),
        (["b1 b2 b3", "b1 b2 b3", "b1 b2"], [set(), set(), {"b1"}]),
        (["g1", "g1", "g1"], [set(), set(), set()]),
    ],
)
def test_who_rests(unwell: list[str], resting: list[set[str]]) -> None:
    assert rounds(*unwell) == resting


@given(st.lists(st.sets(st.sampled_from(ALL))))
def test_one_a_pool_at_most_never_the_last_and_nobody_who_is_well(unwell: list[set[str]]) -> None:
    rests, row = Rests(POOLS), dict.fromkeys(ALL, 0)
    for each in unwell:
        row = {name: row[name] + 1 if name in each else 0 for name in ALL}
        resting = rests.hear({name: name not in each for name in ALL})
        for names in POOLS.values():
            here = resting & set(names)
            assert len(here) <= 1
            assert not here or any(row[name] < IN_A_ROW for name in names)
        assert all(row[name] >= IN_A_ROW for name in resting)


def test_a_guard_asks_whom_nobody_checks_and_nobody_rests_after_the_lease(agent: Agent) -> None:
    agent.driver.ail("blue", TRIED)
    agent.gate._prober = lambda asked: {
        name: replace(answer, failure="refused" if name == "blue-1" else "") for name, answer in well(asked).items()
    }
    met = agent.at_25()
    for number in range(IN_A_ROW):
        agent.pass_time(ASK_SECONDS * number)
        agent.renewed(met)
        asking = agent.tenure._rests._asking
        assert asking is not None
        asking.join(10)
    assert agent.driver.resting == {"blue-1"}
    met.close()
    agent.pass_time(1.1)
    assert agent.state == "reverted"
    assert agent.driver.resting == set()


def test_it_asks_nobody_where_the_router_checks(agent: Agent) -> None:
    agent.driver.ail("blue", UP)
    agent.at_25()
    agent.pass_time()
    assert agent.tenure._rests._asking is None
