# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people decide where there is no pass: pauses for want of evidence or data, a fail that pauses, approvals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import ERROR, FAIL, INCONCLUSIVE, NO_DATA, PASS
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import (
    ABORT,
    BY_ABANDON,
    BY_PERSON,
    PAUSE,
    PAUSED,
    PROMOTE,
    PROMOTE_FULL,
    PROMOTED,
    RESUME,
    REVERTING,
    RUNNING,
    WAITING,
    ArmAll,
    DisarmAll,
    Judged,
    Note,
    ReadBack,
    RevertAll,
    Rollout,
    RolloutError,
    StepAsked,
    handle,
)
from ansible_collections.zdm.rollout.plugins.plugin_utils._steps import Approve

from .rollouts import HOLD, POLICIES, ROUTERS, STEPS, Talk, between, changes, held, locked, order, say

PAUSES = replace(POLICIES, on_fail=PAUSE, on_inconclusive=PAUSE, on_no_data=PAUSE, on_error=PAUSE)
DEADLINES = [(NO_DATA, POLICIES.no_data_deadline), (ERROR, POLICIES.error_deadline)]


def lenient() -> Rollout:
    return Rollout(ROUTERS, STEPS, PAUSES)


def approved(timeout: float | None = None, on_timeout: str = "rollback", hold: float = HOLD) -> Rollout:
    first = replace(STEPS[0], hold=hold, approve=Approve(timeout, on_timeout))
    return Rollout(ROUTERS, (first, STEPS[1]), POLICIES)


def paused_for(talk: Talk) -> str:
    assert talk.rollout.state == PAUSED
    assert talk.rollout.pause is not None
    return talk.rollout.pause.verdict


# --- inconclusive


def test_inconclusive_pauses_at_the_end_of_the_hold_once_and_says_why() -> None:
    talk = held(lenient())
    assert talk.judge(INCONCLUSIVE, HOLD - 1, "30 of 50 requests") == []
    (note,) = talk.judge(INCONCLUSIVE, 1, "30 of 50 requests")
    assert isinstance(note, Note) and note.event == "intended" and "30 of 50 requests" in note.data["reason"]
    assert paused_for(talk) == INCONCLUSIVE
    assert talk.judge(INCONCLUSIVE, 1000, "30 of 50 requests") == []


def test_who_promotes_what_is_inconclusive_takes_it_for_a_pass_in_this_step_only() -> None:
    talk = held(lenient())
    talk.judge(INCONCLUSIVE, HOLD)
    assert say(talk, PROMOTE) == (True, "")
    talk.judge(INCONCLUSIVE, 1)
    assert talk.rollout.state == WAITING
    talk.raise_to(1)
    talk.judge(INCONCLUSIVE, HOLD)
    assert paused_for(talk) == INCONCLUSIVE


def test_who_resumes_what_is_inconclusive_gives_it_a_progress_deadline_more() -> None:
    talk = held(lenient())
    talk.judge(INCONCLUSIVE, HOLD)
    assert say(talk, RESUME) == (True, "")
    assert talk.judge(INCONCLUSIVE, POLICIES.progress_deadline - 1) == []
    assert talk.rollout.state == RUNNING
    talk.judge(INCONCLUSIVE, 1)
    assert paused_for(talk) == INCONCLUSIVE


def test_a_pass_after_the_resume_makes_the_step() -> None:
    talk = held(lenient())
    talk.judge(INCONCLUSIVE, HOLD)
    say(talk, RESUME)
    talk.judge(PASS, 1)
    assert talk.rollout.state == WAITING


# --- no data, no answer


@pytest.mark.parametrize(("silence", "deadline"), DEADLINES)
def test_silence_pauses_after_its_deadline_and_nothing_is_raised_on_it(silence: str, deadline: float) -> None:
    talk = between(lenient())
    assert changes(talk.judge(silence, deadline)) == []
    assert talk.rollout.state == WAITING
    talk.judge(silence, 1)
    assert paused_for(talk) == silence
    say(talk, RESUME)
    assert talk.rollout.state == WAITING
    with pytest.raises(RolloutError, match=silence):
        handle(talk.rollout, StepAsked(1, talk.t))
    talk.judge(silence, deadline - 1)
    assert talk.rollout.state == WAITING
    talk.judge(silence, 1)
    assert paused_for(talk) == silence


@pytest.mark.parametrize(("silence", "deadline"), DEADLINES)
def test_who_promotes_in_silence_lets_the_next_step_be_made(silence: str, deadline: float) -> None:
    talk = between(lenient())
    talk.judge(silence, deadline + 1)
    say(talk, PROMOTE)
    talk.judge(silence, 2 * deadline)
    assert talk.rollout.state == WAITING
    assert changes(talk.hear(StepAsked(1, talk.t))) == [ArmAll(100.0)]


def test_data_that_come_back_need_nobody() -> None:
    talk = held(lenient())
    talk.judge(NO_DATA, POLICIES.no_data_deadline - 1)
    talk.judge(PASS, 1)
    assert talk.rollout.state == WAITING


# --- a fail that pauses


def test_a_fail_may_pause_and_then_nothing_but_an_abort_ends_it() -> None:
    talk = held(lenient())
    assert changes(talk.judge(FAIL, 1, "errors: 30 %")) == []
    assert paused_for(talk) == FAIL
    for verb in (RESUME, PROMOTE, PROMOTE_FULL, PAUSE):
        done, why = say(talk, verb)
        assert not done and why
    assert talk.judge(PASS, 1000) != []  # noted, and nothing else
    assert paused_for(talk) == FAIL
    assert changes(talk.hear(order(talk, ABORT))) == [RevertAll("abort, by ann at p1")]
    assert talk.rollout.actor == BY_PERSON


def test_a_fail_in_a_pause_of_a_person_is_the_graver_reason() -> None:
    talk = held(lenient())
    talk.hear(order(talk, PAUSE))
    talk.judge(FAIL, 1, "errors: 30 %")
    assert paused_for(talk) == FAIL
    assert talk.rollout.pause is not None and talk.rollout.pause.reason == "errors: 30 %"
    assert not say(talk, RESUME)[0]


# --- approval


def test_a_step_waits_for_its_approval_as_long_as_it_takes() -> None:
    talk = held(approved())
    talk.judge(PASS, HOLD)
    assert paused_for(talk) == PASS
    assert talk.judge(PASS, 100000) == []
    assert say(talk, RESUME)[0] is False
    assert say(talk, PROMOTE) == (True, "")
    talk.judge(PASS, 1)
    assert talk.rollout.state == WAITING


def test_a_step_without_a_hold_can_be_approved_too() -> None:
    talk = locked(approved(hold=0.0))
    talk.raise_to(0)
    assert paused_for(talk) == PASS
    say(talk, PROMOTE)
    assert talk.rollout.state == WAITING


def test_a_promotion_of_the_hold_is_no_approval() -> None:
    talk = held(approved())
    say(talk, PROMOTE)
    talk.judge(PASS, 1)
    assert paused_for(talk) == PASS


def test_what_fails_while_it_waits_for_approval_goes_back() -> None:
    talk = held(approved())
    talk.judge(PASS, HOLD)
    talk.judge(FAIL, 1)
    assert talk.rollout.state == REVERTING


@pytest.mark.parametrize(("on_timeout", "state"), [("rollback", REVERTING), ("promote", RUNNING)])
def test_nobody_approves_in_time(on_timeout: str, state: str) -> None:
    talk = held(approved(60.0, on_timeout))
    talk.judge(PASS, HOLD)
    talk.judge(PASS, 59)
    assert paused_for(talk) == PASS
    talk.judge(PASS, 1)
    assert talk.rollout.state == state
    talk.judge(PASS, 1)
    assert talk.rollout.state == (WAITING if on_timeout == "promote" else REVERTING)
    assert talk.rollout.actor == ("" if on_timeout == "promote" else BY_ABANDON)


# --- in full


def test_promoted_in_full_nothing_is_waited_for_and_each_share_is_still_read_back() -> None:
    steps = (replace(STEPS[0], approve=Approve()), replace(STEPS[1], approve=Approve()))
    talk = locked(Rollout(ROUTERS, steps, POLICIES))
    assert say(talk, PROMOTE_FULL) == (True, "")
    assert say(talk, PROMOTE_FULL) == (False, "it is promoted in full already")
    talk.raise_to(0)
    talk.judge(INCONCLUSIVE, 1)
    assert talk.rollout.state == WAITING
    talk.hear(StepAsked(1, talk.t), ReadBack("p1", 100.0, talk.t))
    talk.judge(PASS, 2)
    assert talk.rollout.state == RUNNING
    talk.hear(ReadBack("p2", 100.0, talk.t))
    assert DisarmAll() in talk.judge(NO_DATA, 1)
    assert talk.rollout.state == PROMOTED


def test_a_release_that_fails_goes_back_though_it_was_promoted_in_full() -> None:
    talk = held()
    say(talk, PROMOTE_FULL)
    assert changes(talk.judge(FAIL, 1, "errors: 30 %")) == [RevertAll("errors: 30 %")]


def test_a_full_promotion_ends_a_pause_and_what_comes_after_it() -> None:
    talk = held(approved())
    talk.judge(PASS, HOLD)
    say(talk, PROMOTE_FULL)
    talk.judge(PASS, 1)
    talk.raise_to(1)
    talk.hear(Judged(talk.rollout.verdict, talk.t))
    assert talk.rollout.state == PROMOTED
