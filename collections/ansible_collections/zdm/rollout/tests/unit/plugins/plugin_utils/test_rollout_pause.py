# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout that is paused: time stands, nothing is raised, and all of it is judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import ERROR, FAIL, INCONCLUSIVE, NO_DATA, PASS, Verdict
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import (
    BY_VERDICT,
    PAUSE,
    PAUSED,
    RESUME,
    REVERTING,
    RUNNING,
    WAITING,
    ArmAll,
    Delayed,
    Judged,
    Note,
    Ordered,
    Pause,
    ReadBack,
    RevertAll,
    Rollout,
    RolloutError,
    StepAsked,
    handle,
)

from .rollouts import (
    HOLD,
    OPEN,
    POLICIES,
    ROUTERS,
    STEPS,
    between,
    changes,
    held,
    locked,
    paused,
    raising,
    say,
)

BARE = (replace(STEPS[0], hold=0.0), STEPS[1])
DEADLINES = [(NO_DATA, POLICIES.no_data_deadline), (ERROR, POLICIES.error_deadline)]


# --- a pause


def test_a_pause_is_noted_and_ended_by_a_resume() -> None:
    talk = held()
    talk.judge(PASS, 2)
    told = {"verb": "pause", "by": "ann", "router": "p2", "id": "o1", "reason": "let me see", "done": True}
    talk.expect(
        Ordered("o1", PAUSE, "ann", "p2", 2.5, "let me see"),
        Note("ordered", told),
        state=PAUSED,
        pause=Pause(2.5, RUNNING, "ann", "let me see"),
        heeded=frozenset({"o1"}),
    )
    talk.expect(
        Ordered("o2", RESUME, "bob", "p1", 60.0),
        Note("ordered", {"verb": "resume", "by": "bob", "router": "p1", "id": "o2", "done": True}),
        state=RUNNING,
        pause=None,
        heeded=frozenset({"o1", "o2"}),
        asked=57.5,
        beat=60.0,
    )


def test_no_time_of_a_pause_counts_as_hold() -> None:
    talk = held()
    talk.judge(PASS, HOLD - 1)
    say(talk, PAUSE)
    assert talk.judge(PASS, 100) == []
    talk.t += 0.9
    say(talk, RESUME)
    talk.t += 0.9
    assert talk.hear(Judged(Verdict(PASS, "fine"), talk.t)) == [], "what counts begins with the resume"
    assert talk.rollout.held == pytest.approx(HOLD - 0.1)
    talk.judge(PASS, 1)
    assert talk.rollout.state == WAITING


@pytest.mark.parametrize("state", ["raising", "held", "between", "locked"])
def test_a_resume_goes_back_to_where_it_was(state: str) -> None:
    talk = OPEN[state]()
    before = talk.rollout
    say(talk, PAUSE)
    assert (talk.rollout.state, talk.rollout.step) == (PAUSED, before.step)
    say(talk, RESUME)
    assert talk.rollout == replace(before, heeded=talk.rollout.heeded, beat=talk.t)


def test_nothing_is_raised_in_a_pause() -> None:
    talk = between()
    say(talk, PAUSE)
    assert talk.rollout.stays
    with pytest.raises(RolloutError, match=r"a pause \(by ann\): resume it first"):
        handle(talk.rollout, StepAsked(1, talk.t))
    say(talk, RESUME)
    assert not talk.rollout.stays
    assert changes(talk.hear(StepAsked(1, talk.t))) == [ArmAll(100.0)]


def test_what_was_asked_for_before_a_pause_is_brought_about_and_not_more() -> None:
    talk = raising()
    say(talk, PAUSE)
    talk.hear(Delayed("p2", "green is slow"), *(ReadBack(router, 5.0, talk.t) for router in ROUTERS))
    assert (talk.rollout.state, talk.rollout.seen) == (PAUSED, {0: {"p1": 5.0, "p2": 5.0}})
    assert not talk.rollout.owed
    say(talk, RESUME)
    talk.judge(PASS, HOLD)
    assert talk.rollout.state == WAITING


def test_a_step_without_a_hold_passes_when_it_goes_on() -> None:
    talk = locked(Rollout(ROUTERS, BARE, POLICIES))
    talk.hear(StepAsked(0, 0.0))
    say(talk, PAUSE)
    assert changes(talk.hear(*(ReadBack(router, 5.0, 1.0) for router in ROUTERS))) == []
    assert talk.rollout.state == PAUSED
    say(talk, RESUME)
    assert talk.rollout.state == WAITING


def test_the_progress_deadline_does_not_run_in_a_pause() -> None:
    talk = raising()
    talk.judge(INCONCLUSIVE, POLICIES.progress_deadline - 1)
    say(talk, PAUSE)
    assert changes(talk.judge(INCONCLUSIVE, 3 * POLICIES.progress_deadline)) == []
    say(talk, RESUME)
    assert talk.rollout.state == RUNNING
    assert changes(talk.judge(INCONCLUSIVE, 1)) == [
        RevertAll("not read back within 45 s: p1: no answer; p2: no answer")
    ]


@pytest.mark.parametrize(("silence", "deadline"), DEADLINES)
def test_silence_is_not_counted_in_a_pause(silence: str, deadline: float) -> None:
    talk = between()
    talk.judge(silence, deadline)
    say(talk, PAUSE)
    assert changes(talk.judge(silence, 2 * deadline)) == []
    say(talk, RESUME)
    assert talk.rollout.state == WAITING
    assert len(changes(talk.judge(silence, 1))) == 1
    assert (talk.rollout.state, talk.rollout.actor) == (REVERTING, BY_VERDICT)


@pytest.mark.parametrize(("silence", "deadline"), DEADLINES)
def test_silence_that_begins_in_a_pause_is_counted_from_its_end(silence: str, deadline: float) -> None:
    talk = between()
    say(talk, PAUSE)
    talk.judge(silence, 2 * deadline)
    say(talk, RESUME)
    assert changes(talk.judge(silence, deadline - 1)) == []
    assert len(changes(talk.judge(silence, 1))) == 1


def test_only_a_fail_ends_a_pause_by_itself() -> None:
    talk = paused()
    for outcome in (PASS, INCONCLUSIVE, NO_DATA, ERROR):
        assert changes(talk.judge(outcome, 100)) == []
        assert talk.rollout.state == PAUSED
    assert changes(talk.judge(FAIL, 1, "bad")) == [RevertAll("bad")]
    assert talk.rollout.pause is None
