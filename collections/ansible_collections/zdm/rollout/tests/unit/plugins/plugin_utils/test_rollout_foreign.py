# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollout and splits that somebody else has changed on a router."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import PASS
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import (
    PAUSED,
    PROMOTE,
    RESUME,
    RUNNING,
    WAITING,
    ArmAll,
    Foreign,
    Note,
    Pause,
    ReadBack,
    Rollout,
    StepAsked,
)

from .rollouts import (
    HOLD,
    OPEN,
    OVER,
    POLICIES,
    ROUTERS,
    STEPS,
    Talk,
    between,
    changes,
    held,
    order,
    paused,
)

WARY = replace(POLICIES, on_foreign_change="pause")
WARY_ROLLOUT = Rollout(ROUTERS, STEPS, WARY)
HALF = {"blue": 50.0, "green": 50.0}


def foreign(talk: Talk, put_back: bool) -> Foreign:
    return Foreign("p1", HALF, put_back, 2, talk.t)


# --- splits that somebody else changed


def noted(talk: Talk, put_back: bool) -> Note:
    told = {"router": "p1", "shown": HALF, "put_back": put_back, "count": 2}
    return Note("observed", {"step": talk.rollout.step, "foreign": True, **told})


@pytest.mark.parametrize("policy", ["rollback", "pause"])
@pytest.mark.parametrize("state", ["held", "between", "paused"])
def test_what_was_put_back_is_only_noted(state: str, policy: str) -> None:
    talk = OPEN[state]()
    talk.rollout = replace(talk.rollout, policies=replace(POLICIES, on_foreign_change=policy))
    talk.expect(foreign(talk, put_back=True), noted(talk, True))


def test_what_the_guard_answers_with_a_revert_is_only_noted() -> None:
    talk = held()
    talk.expect(foreign(talk, put_back=False), noted(talk, False))


@pytest.mark.parametrize("state", ["held", "between"])
def test_what_was_not_put_back_pauses_where_that_is_wanted(state: str) -> None:
    talk = OPEN[state]()
    talk.rollout = replace(talk.rollout, policies=WARY)
    reason = "somebody else changed the split of p1 to blue 50 %, green 50 %, and it stays so"
    talk.expect(
        foreign(talk, put_back=False),
        noted(talk, False),
        Note("intended", {"pause": True, "router": "p1", "reason": reason}),
        state=PAUSED,
        pause=Pause(talk.t, talk.rollout.state, "p1", reason),
        strayed=frozenset({"p1"}),
    )


@pytest.mark.parametrize("verb", [RESUME, PROMOTE])
def test_whoever_goes_on_gets_the_steps_split_again_first(verb: str) -> None:
    talk = held(WARY_ROLLOUT)
    talk.judge(PASS, 1)
    talk.hear(foreign(talk, put_back=False))
    talk.judge(PASS, 90)
    dummy, *orders = talk.hear(order(talk, verb))
    assert orders == [Note("intended", {"step": 0, "weight": 5.0}), ArmAll(5.0)]
    assert (talk.rollout.owed, talk.rollout.asked) == (frozenset({"p1"}), talk.t)
    assert not talk.rollout.strayed
    talk.judge(PASS, HOLD)
    assert (talk.rollout.state, talk.rollout.held) == (RUNNING, 1.0)
    talk.hear(ReadBack("p1", 5.0, talk.t))
    talk.judge(PASS, HOLD - 1)
    assert talk.rollout.state == WAITING


def test_a_change_in_a_persons_pause_is_remembered_and_the_pause_stays_theirs() -> None:
    talk = paused()
    talk.rollout = replace(talk.rollout, policies=WARY)
    talk.expect(foreign(talk, put_back=False), noted(talk, False), strayed=frozenset({"p1"}))
    assert changes(talk.hear(order(talk, RESUME))) == [ArmAll(5.0)]


def test_the_next_step_arms_all_routers_whatever_they_showed() -> None:
    talk = between(WARY_ROLLOUT)
    talk.hear(foreign(talk, put_back=False))
    assert changes(talk.hear(order(talk, RESUME))) == []
    assert changes(talk.hear(StepAsked(1, talk.t))) == [ArmAll(100.0)]
    assert talk.rollout.owed == set(ROUTERS)
    assert not talk.rollout.strayed


@pytest.mark.parametrize("state", ["planned", "promoted", *OVER])
def test_where_nothing_is_on_loan_a_split_is_nobodys(state: str) -> None:
    talk = {**OPEN, **OVER}[state]()
    talk.rollout = replace(talk.rollout, policies=WARY)
    talk.expect(foreign(talk, put_back=False))
