# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollout and people's orders: each acts once, and is noted with what was done for it or why nothing was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import FAIL, INCONCLUSIVE, PASS
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import (
    ABORT,
    BY_PERSON,
    PAUSE,
    PROMOTE,
    PROMOTED,
    RESUME,
    REVERTING,
    RUNNING,
    WAITING,
    DisarmAll,
    Note,
    ReadBack,
    RevertAll,
    Rollout,
)

from .rollouts import (
    HOLD,
    OPEN,
    OVER,
    POLICIES,
    ROUTERS,
    STEPS,
    changes,
    held,
    order,
    paused,
    raising,
    reverting,
    say,
)

# --- promote


def test_a_promoted_hold_is_over_with_the_next_pass() -> None:
    talk = held()
    talk.judge(PASS, 1)
    assert say(talk, PROMOTE) == (True, "")
    assert (talk.rollout.state, talk.rollout.held) == (RUNNING, 1.0), "the next verdict decides"
    talk.judge(PASS, 1)
    assert talk.rollout.state == WAITING


@pytest.mark.parametrize("policy", [None, "rollback"])
def test_a_promotion_waits_for_a_pass_as_long_as_the_hold_would_have(policy: str | None) -> None:
    talk = held(Rollout(ROUTERS, STEPS, replace(POLICIES, on_inconclusive=policy)))
    say(talk, PROMOTE)
    assert changes(talk.judge(INCONCLUSIVE, HOLD - 1)) == []
    assert talk.rollout.state == RUNNING
    talk.judge(PASS, 1)
    assert talk.rollout.state == WAITING


def test_a_promotion_takes_nothing_from_a_fail() -> None:
    talk = held()
    say(talk, PROMOTE)
    assert changes(talk.judge(FAIL, 1, "bad")) == [RevertAll("bad")]


def test_a_promotion_skips_no_router() -> None:
    talk = raising()
    say(talk, PROMOTE)
    talk.judge(PASS, 2)
    talk.hear(ReadBack("p1", 5.0, talk.t))
    talk.judge(PASS, 2)
    assert talk.rollout.state == RUNNING
    talk.hear(ReadBack("p2", 5.0, talk.t))
    talk.judge(PASS, 1)
    assert talk.rollout.state == WAITING


def test_a_promotion_is_of_this_step_alone() -> None:
    talk = held()
    say(talk, PROMOTE)
    talk.judge(PASS, 1)
    talk.raise_to(1)
    assert changes(talk.judge(PASS, HOLD - 1)) == []
    assert talk.judge(PASS, 1)[-1] == DisarmAll()
    assert talk.rollout.state == PROMOTED


def test_a_promotion_ends_a_pause() -> None:
    talk = paused()
    talk.judge(PASS, 30)
    assert say(talk, PROMOTE) == (True, "")
    talk.judge(PASS, 1)
    assert talk.rollout.state == WAITING
    say(talk, PAUSE)
    assert say(talk, PROMOTE) == (True, "")
    assert (talk.rollout.state, talk.rollout.hold_over) == (WAITING, True)
    talk.raise_to(1)
    assert not talk.rollout.hold_over, "between two steps there was no hold to end"


# --- abort


@pytest.mark.parametrize("state", OPEN)
def test_an_abort_wins_from_everywhere(state: str) -> None:
    talk = OPEN[state]()
    noted, *others = talk.hear(order(talk, ABORT, "o9", reason="the shop calls"))
    said = "abort, by ann at p1: the shop calls"
    assert isinstance(noted, Note)
    assert (noted.data["verb"], noted.data["done"]) == ("abort", True)
    assert others == [
        Note("ordered", {"revert": True, "actor": BY_PERSON, "reason": said}),
        RevertAll(said),
    ]
    assert (talk.rollout.state, talk.rollout.actor, talk.rollout.pause) == (REVERTING, BY_PERSON, None)


# --- once, and not at all


@pytest.mark.parametrize("verb", [PAUSE, RESUME, PROMOTE, ABORT])
@pytest.mark.parametrize("state", OPEN)
def test_an_order_acts_once_at_however_many_routers_it_was_left(state: str, verb: str) -> None:
    talk = OPEN[state]()
    talk.hear(order(talk, verb, "o7", "p1"))
    talk.expect(order(talk, verb, "o7", "p2"))
    talk.expect(order(talk, verb, "o7", "p1"))


def test_an_old_pause_does_not_come_back_after_its_resume() -> None:
    """Each renewal brings all orders that were left in this lease."""
    talk = held()
    talk.hear(order(talk, PAUSE, "o1"), order(talk, RESUME, "o2"))
    talk.expect(order(talk, PAUSE, "o1"))
    assert talk.rollout.state == RUNNING


NOT_PAUSED, ALREADY, BEGUN = "it is not paused", "it is paused already, by ann", "the rollout has not begun"
GOING, THROUGH = "it is going back already", "it is through: the leases are being given back"


@pytest.mark.parametrize(
    ("state", "verb", "why"),
    [
        ("planned", PAUSE, BEGUN),
        ("locked", RESUME, NOT_PAUSED),
        ("held", RESUME, NOT_PAUSED),
        ("between", PROMOTE, "it is between two steps: there is no hold to end"),
        ("paused", PAUSE, ALREADY),
        ("promoted", PAUSE, THROUGH),
        ("promoted", PROMOTE, THROUGH),
        *(("reverting", verb, GOING) for verb in (PAUSE, RESUME, PROMOTE, ABORT)),
        ("held", "fly", "fly is not known: expected abort, pause, resume, promote, promote_full or park"),
    ],
)
def test_an_order_for_which_nothing_is_done_is_noted_with_the_reason(state: str, verb: str, why: str) -> None:
    talk = {**OPEN, "reverting": reverting}[state]()
    noted = {"verb": verb, "by": "ann", "router": "p1", "id": "o7", "done": False, "why": why}
    talk.expect(order(talk, verb, "o7"), Note("ordered", noted), heeded=talk.rollout.heeded | {"o7"})


def test_a_second_promotion_of_a_step_is_none() -> None:
    talk = held()
    say(talk, PROMOTE)
    assert say(talk, PROMOTE) == (False, "the hold of this step counts as over already")


@pytest.mark.parametrize("verb", [PAUSE, RESUME, PROMOTE, ABORT])
@pytest.mark.parametrize("over", OVER)
def test_after_the_end_nothing_is_heard(over: str, verb: str) -> None:
    talk = OVER[over]()
    talk.expect(order(talk, verb))
