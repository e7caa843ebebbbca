# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout that is parked, told as conversations; and one that goes on with what was parked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import FAIL, INCONCLUSIVE, PASS, Verdict
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import (
    ABORT,
    BY_PERSON,
    BY_ROUTER,
    PARK,
    PARKED,
    PARKING,
    PAUSE,
    REVERTING,
    RUNNING,
    WAITING,
    Abandoned,
    End,
    Foreign,
    Judged,
    Locked,
    Note,
    ParkAll,
    Parked,
    RevertAll,
    Rollout,
    RolloutError,
    StepAsked,
)

from .rollouts import HOLD, POLICIES, ROUTERS, STEPS, Talk, between, changes, held, locked, order, raising, say

GUARDED = Rollout(ROUTERS, STEPS, replace(POLICIES, park_for=3600.0, on_foreign_change="pause"))


def parking() -> Talk:
    """Parking was ordered after a second of the first step's hold."""
    talk = held(GUARDED)
    talk.judge(PASS, 1)
    talk.hear(order(talk, PARK, "o1", reason="the job ends"))
    return talk


def test_it_is_parked_when_every_guard_has_said_so() -> None:
    talk = held(GUARDED)
    talk.judge(PASS, 1)
    reason = "parked, by ann at p1: the job ends"
    noted = {"verb": PARK, "by": "ann", "router": "p1", "id": "o1", "reason": "the job ends", "done": True}
    talk.expect(
        order(talk, PARK, "o1", reason="the job ends"),
        Note("ordered", noted),
        Note("intended", {"park": True, "step": 0, "held": 1.0}),
        ParkAll(),
        state=PARKING,
        owed=frozenset(ROUTERS),
        actor=BY_PERSON,
        reason=reason,
        heeded=frozenset({"o1"}),
    )
    seen = [Note("observed", {"step": 0, "router": router, "parked": True}) for router in ROUTERS]
    talk.expect(Parked("p1"), seen[0], owed=frozenset({"p2"}))
    end = Note("finished", {"outcome": PARKED, "actor": BY_PERSON, "reason": reason})
    talk.expect(Parked("p2"), seen[1], end, state=PARKED, owed=frozenset())
    assert talk.rollout.ended


def test_between_two_steps_the_last_one_has_passed() -> None:
    talk = between(GUARDED)
    assert say(talk, PARK) == (True, "")
    assert (talk.rollout.state, talk.rollout.passed) == (PARKING, True)
    with pytest.raises(RolloutError):
        talk.hear(StepAsked(1, talk.t))


def test_also_in_a_pause() -> None:
    talk = held(GUARDED)
    say(talk, PAUSE)
    assert say(talk, PARK) == (True, "")
    assert (talk.rollout.state, talk.rollout.pause, talk.rollout.passed) == (PARKING, None, False)


def failed() -> Talk:
    talk = held(replace(GUARDED, policies=replace(GUARDED.policies, on_fail="pause")))
    talk.judge(FAIL, 1)
    return talk


def strayed() -> Talk:
    talk = held(GUARDED)
    talk.hear(Foreign("p2", {"blue": 50.0, "green": 50.0}, False, 1, talk.t))
    return talk


@pytest.mark.parametrize(
    ("begin", "why"),
    [
        (held, "its guards are not resident"),
        (lambda: locked(GUARDED), "canary has had no share yet"),
        (lambda: raising(GUARDED), "p1, p2 was not read back"),
        (failed, "a fail stands"),
        (strayed, "somebody else's split is in force at p2"),
        (parking, "it is being parked already"),
    ],
)
def test_why_it_is_not_done(begin: Callable[[], Talk], why: str) -> None:
    talk = begin()
    state = talk.rollout.state
    done, said = say(talk, PARK)
    assert (done, why in said, talk.rollout.state) == (False, True, state)


@pytest.mark.parametrize(
    "event",
    [
        Judged(Verdict(FAIL, "it fails"), 9.0),
        End(BY_ROUTER, "p2 could not be parked: no answer"),
        Abandoned("nobody there", hold=False),
    ],
)
def test_until_then_what_turns_it_back_does(event: Judged | End | Abandoned) -> None:
    talk = parking()
    talk.hear(Parked("p1"))
    said = talk.hear(event)
    assert [type(each) for each in changes(said)] == [RevertAll]
    assert (talk.rollout.state, talk.rollout.owed) == (REVERTING, frozenset(ROUTERS))


def test_and_so_does_a_person() -> None:
    talk = parking()
    assert say(talk, ABORT) == (True, "")
    assert talk.rollout.state == REVERTING


def test_what_is_abandoned_and_to_be_held_is_parked_first() -> None:
    talk = parking()
    talk.expect(Abandoned("nobody there", hold=True))
    talk.hear(*map(Parked, ROUTERS))
    assert talk.rollout.state == PARKED


# --- taking it up


def taken_up(credit: float, step: int = 0) -> Talk:
    talk = Talk(replace(GUARDED, step=step - 1, credit=credit))
    talk.hear(Locked(0.0))
    assert talk.rollout.state == WAITING
    talk.raise_to(step)
    return talk


def test_what_was_watched_before_counts_as_hold() -> None:
    talk = taken_up(HOLD - 1)
    talk.judge(PASS, 1)
    assert talk.rollout.state == WAITING


def test_it_counts_once() -> None:
    talk = taken_up(HOLD)
    talk.judge(PASS, 1)
    talk.raise_to(1)
    talk.judge(PASS, HOLD - 1)
    assert (talk.rollout.state, talk.rollout.held) == (RUNNING, HOLD - 1)


def test_and_never_for_more_than_the_hold() -> None:
    talk = taken_up(1e6, 1)
    assert talk.rollout.held == HOLD


def test_a_hold_that_is_over_still_wants_a_pass() -> None:
    policies = replace(GUARDED.policies, on_inconclusive="rollback")
    talk = Talk(replace(GUARDED, policies=policies, credit=HOLD))
    talk.hear(Locked(0.0))
    talk.raise_to(0)
    talk.judge(INCONCLUSIVE, 2)
    assert talk.rollout.state == RUNNING, "there is no evidence yet, and it is given time for that"
    talk.judge(PASS, 1)
    assert talk.rollout.state == WAITING
