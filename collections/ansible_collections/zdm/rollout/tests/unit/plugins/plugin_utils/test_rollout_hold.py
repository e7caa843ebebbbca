# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollout and time: holds, deadlines, and what it does when there is neither a pass nor a fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import ERROR, FAIL, INCONCLUSIVE, NO_DATA, PASS, Verdict
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import Step
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import (
    BY_ROUTER,
    BY_VERDICT,
    LONGEST_BEAT,
    REVERTING,
    RUNNING,
    WAITING,
    ArmAll,
    Delayed,
    Judged,
    Policies,
    ReadBack,
    RevertAll,
    Rollout,
    RolloutError,
    StepAsked,
    handle,
)

from .rollouts import HOLD, POLICIES, ROUTERS, STEPS, Talk, between, changes, held, raising

STRICT = replace(POLICIES, on_inconclusive="rollback")
#: No deadline of silence comes before the one of progress.
PATIENT = replace(POLICIES, no_data_deadline=999.0, error_deadline=999.0)
SILENCE = [(NO_DATA, POLICIES.no_data_deadline), (ERROR, POLICIES.error_deadline)]


def rollout(policies: Policies = POLICIES, steps: tuple[Step, ...] = STEPS) -> Rollout:
    return Rollout(ROUTERS, steps, policies)


def ended(talk: Talk) -> tuple[str, str]:
    return talk.rollout.state, talk.rollout.actor


# --- the hold


def test_a_gap_in_the_beat_counts_as_one_long_beat() -> None:
    long_hold = (replace(STEPS[0], hold=10.0), STEPS[1])
    talk = held(rollout(steps=long_hold))
    talk.judge(PASS, 3)
    talk.t += 3600.0
    talk.judge(PASS, 1)
    assert (talk.rollout.state, talk.rollout.held) == (RUNNING, 3.0 + LONGEST_BEAT)
    assert talk.judge(PASS, 4) == []
    talk.judge(PASS, 1)
    assert talk.rollout.state == WAITING


def test_a_clock_that_steps_back_holds_nothing_and_takes_nothing() -> None:
    talk = held()
    talk.judge(PASS, 3)
    talk.hear(Judged(Verdict(PASS, "fine"), talk.t - 2.0))
    assert (talk.rollout.state, talk.rollout.held) == (RUNNING, 3.0)


@pytest.mark.parametrize("first", ROUTERS)
def test_the_hold_begins_when_all_routers_were_read_back(first: str) -> None:
    talk = raising()
    talk.hear(ReadBack(first, 5.0, 0.0))
    talk.judge(PASS, HOLD * 2)
    assert (talk.rollout.state, talk.rollout.held) == (RUNNING, 0.0)
    (last,) = set(ROUTERS) - {first}
    talk.hear(ReadBack(last, 5.0, talk.t))
    talk.judge(PASS, HOLD - 1)
    assert talk.rollout.state == RUNNING
    talk.judge(PASS, 1)
    assert talk.rollout.state == WAITING


# --- too little evidence


def test_inconclusive_prolongs_the_hold_up_to_the_progress_deadline() -> None:
    talk = held()
    assert changes(talk.judge(INCONCLUSIVE, HOLD + POLICIES.progress_deadline - 1)) == []
    assert talk.rollout.state == RUNNING
    assert changes(talk.judge(INCONCLUSIVE, 1, "30 of 50 requests")) == []
    pause = talk.rollout.pause
    assert pause is not None and pause.verdict == INCONCLUSIVE
    for word in ("45 s", INCONCLUSIVE, "30 of 50 requests"):
        assert word in pause.reason


def test_a_pass_in_the_prolonged_hold_makes_the_step() -> None:
    talk = held()
    talk.judge(INCONCLUSIVE, HOLD + POLICIES.progress_deadline - 1)
    talk.judge(PASS, 1)
    assert talk.rollout.state == WAITING


def test_inconclusive_may_roll_back_at_the_end_of_the_hold() -> None:
    talk = held(rollout(STRICT))
    assert changes(talk.judge(INCONCLUSIVE, HOLD - 1)) == []
    assert changes(talk.judge(INCONCLUSIVE, 1, "30 of 50 requests")) == [
        RevertAll("inconclusive at the end of the hold: 30 of 50 requests")
    ]
    assert ended(talk) == (REVERTING, BY_VERDICT)


@pytest.mark.parametrize("policies", [POLICIES, STRICT], ids=["patient", "strict"])
def test_inconclusive_between_two_steps_is_waited_out(policies: Policies) -> None:
    talk = between(rollout(policies))
    assert changes(talk.judge(INCONCLUSIVE, 100)) == []
    assert talk.rollout.state == WAITING


# --- silence


@pytest.mark.parametrize("state", [held, between])
@pytest.mark.parametrize(("silence", "deadline"), SILENCE)
def test_silence_is_waited_out_and_then_goes_back(silence: str, deadline: float, state: Callable[[], Talk]) -> None:
    talk = state()
    before = talk.rollout.state
    assert changes(talk.judge(silence, deadline)) == []
    assert talk.rollout.state == before
    assert changes(talk.judge(silence, 1, "nobody there")) == [RevertAll(f"{silence} for {deadline:g} s: nobody there")]
    assert ended(talk) == (REVERTING, BY_VERDICT)


@pytest.mark.parametrize(("silence", "deadline"), SILENCE)
@pytest.mark.parametrize("between_them", [PASS, INCONCLUSIVE, "the other"])
def test_each_silence_is_counted_from_its_own_beginning(silence: str, deadline: float, between_them: str) -> None:
    other = {NO_DATA: ERROR, ERROR: NO_DATA}[silence] if between_them == "the other" else between_them
    talk = between()
    talk.judge(silence, deadline)
    talk.judge(other, 1)
    assert changes(talk.judge(silence, deadline)) == []
    assert talk.rollout.state == WAITING


@pytest.mark.parametrize("silence", [NO_DATA, ERROR])
def test_silence_that_may_last_is_ended_by_the_progress_deadline(silence: str) -> None:
    talk = held(rollout(PATIENT))
    assert changes(talk.judge(silence, HOLD + PATIENT.progress_deadline - 1)) == []
    assert len(changes(talk.judge(silence, 1))) == 1
    assert ended(talk) == (REVERTING, BY_VERDICT)


@pytest.mark.parametrize("silence", [NO_DATA, ERROR])
def test_nothing_is_raised_in_silence(silence: str) -> None:
    talk = between()
    talk.judge(silence, 1, "nobody there")
    assert talk.rollout.silent
    with pytest.raises(RolloutError, match=f"{silence}: nobody there"):
        handle(talk.rollout, StepAsked(1, talk.t))
    talk.judge(PASS, 1)
    assert not talk.rollout.silent
    assert changes(talk.hear(StepAsked(1, talk.t))) == [ArmAll(100.0)]


def test_a_step_that_holds_nothing_is_not_kept_by_silence() -> None:
    """Nothing to hold means nothing to judge."""
    talk = between(rollout(steps=(replace(STEPS[0], hold=0.0), STEPS[1])))
    talk.judge(NO_DATA, 1)
    assert not talk.rollout.silent
    assert changes(talk.hear(StepAsked(1, talk.t))) == [ArmAll(100.0)]


# --- a router that cannot follow


@pytest.mark.parametrize(
    ("news", "missing"),
    [
        ([], "p1: no answer; p2: no answer"),
        ([Delayed("p2", "green is down")], "p1: no answer; p2: green is down"),
        ([Delayed("p2", "green is down"), Delayed("p2", "green is slow")], "p1: no answer; p2: green is slow"),
        ([Delayed("p2", "green is down"), ReadBack("p1", 5.0, 1.0)], "p2: green is down"),
        ([Delayed("p2", "green is down"), ReadBack("p2", 5.0, 1.0)], "p1: no answer"),
    ],
    ids=["silent", "delayed", "the last reason counts", "the other has it", "delayed, but has it"],
)
def test_a_router_that_is_not_read_back_in_time_takes_all_back(news: list[Delayed | ReadBack], missing: str) -> None:
    talk = raising()
    assert changes(talk.hear(*news)) == []
    assert changes(talk.judge(INCONCLUSIVE, POLICIES.progress_deadline - 1)) == []
    assert talk.rollout.state == RUNNING
    assert changes(talk.judge(INCONCLUSIVE, 1)) == [RevertAll(f"not read back within 45 s: {missing}")]
    assert ended(talk) == (REVERTING, BY_ROUTER)


def test_a_fail_does_not_wait_for_a_router() -> None:
    talk = raising()
    talk.hear(Delayed("p2", "green is down"))
    assert changes(talk.judge(FAIL, 1, "bad")) == [RevertAll("bad")]
