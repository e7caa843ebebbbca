# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever follows a rollout reads who did what to it, and with which command it goes on."""

from __future__ import annotations

from dataclasses import replace
from math import log

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import PASS, Verdict
from ansible_collections.zdm.rollout.plugins.plugin_utils import _say
from ansible_collections.zdm.rollout.plugins.plugin_utils._judging import Strength
from ansible_collections.zdm.rollout.plugins.plugin_utils._outcome import outcome
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import (
    ABORT,
    PAUSE,
    PROMOTE,
    RESUME,
    Abandoned,
    Event,
    Foreign,
    Judged,
    Note,
    Ordered,
)

from .example import example, plan_of
from .rollouts import POLICIES, Talk, between, held, locked, paused

PLAN = plan_of(example())
NEXT = "on any router, resume: zdm-agent resume web, promote: zdm-agent promote web, abort: zdm-agent revert web"


def lines(talk: Talk, event: Event) -> list[str]:
    """What is said of an event."""
    notes = [order for order in talk.hear(event) if isinstance(order, Note)]
    return [line for note in notes for line in _say.note(note, PLAN, talk.rollout)]


def order(verb: str, reason: str = "") -> Ordered:
    return Ordered("o7", verb, "ann@desk", "lb1", 9.0, reason)


def test_a_pause_is_told_with_the_commands_that_end_it() -> None:
    assert lines(held(), order(PAUSE, "odd latency")) == [
        "ann@desk at lb1 orders: pause: odd latency",
        "step 1 of 2: paused by ann@desk: odd latency; " + NEXT,
    ]


def test_a_pause_before_the_first_step_is_told_too() -> None:
    assert lines(locked(), order(PAUSE))[1] == "paused by ann@desk: ordered at lb1; " + NEXT


def test_it_can_be_told_again_for_as_long_as_it_lasts() -> None:
    talk = paused()
    assert _say.paused(talk.rollout, PLAN) == ["step 1 of 2: paused by ann: let me see; " + NEXT]
    talk.hear(order(RESUME))
    assert _say.paused(talk.rollout, PLAN) == []


def test_what_was_not_done_is_told_with_the_reason() -> None:
    said = "ann@desk at lb1 orders: promote -- not done: it is between two steps: there is no hold to end"
    assert lines(between(), order(PROMOTE)) == [said]


def test_an_abort_is_told_as_a_persons() -> None:
    said = lines(held(), order(ABORT, "the shop calls"))
    assert said[0] == "ann@desk at lb1 orders: abort: the shop calls"
    assert said[1].endswith("ordered by a person: abort, by ann@desk at lb1: the shop calls")


def test_a_split_of_somebody_else_is_told_and_the_pause_for_it() -> None:
    half = {"blue": 50.0, "green": 50.0}
    talk = held()
    talk.rollout = replace(talk.rollout, policies=replace(POLICIES, on_foreign_change="pause"))
    changed = "  lb1: somebody else changed the split to blue 50 %, green 50 %: "
    assert lines(talk, Foreign("lb1", half, True, 1, 1.0)) == [changed + "put back"]
    first, second = lines(talk, Foreign("lb1", half, False, 2, 2.0))
    assert first == changed + "NOT put back"
    assert second.startswith("step 1 of 2: paused by lb1: somebody else changed")
    assert second.endswith(NEXT)


def test_a_pause_for_a_common_cause_is_told_as_the_watchs() -> None:
    cause = "both pools fail: stable 20.00 % of 100 requests"
    said = lines(held(), Judged(Verdict(PASS, "fine"), 1.0, common_cause=cause))
    assert said[-1] == f"step 1 of 2: paused by watch: {cause}; " + NEXT


@pytest.mark.parametrize(
    ("strength", "said"),
    [
        (None, ""),
        (Strength(log(12.0), log(4000.0), "errors"), "; evidence against it 1 : 12 of 1 : 4,000"),
        (Strength(-3.0, log(4000.0), "errors"), "; evidence against it 1 : 1 of 1 : 4,000"),
    ],
)
def test_the_evidence_is_told_as_odds(strength: Strength | None, said: str) -> None:
    assert _say.evidence(strength) == said


def test_a_rollout_that_keeps_its_split_says_how_it_is_taken_back() -> None:
    assert lines(held(), Abandoned("the play is gone", hold=True)) == [
        f"{PLAN.service} {PLAN.release}: held (the play is gone)",
        "  the split stays as it is; on each router, abort: zdm-agent revert web",
    ]


def test_the_outcome_of_a_pause_is_its_reason() -> None:
    """What a machine reads of a rollout that has not come to its end."""
    made = outcome("r1", "journal", PLAN, paused().rollout)
    assert (made["outcome"], made["reason"]) == ("paused", "let me see")


def test_the_outcome_of_a_rollout_that_keeps_its_split() -> None:
    talk = held()
    talk.hear(Abandoned("the play is gone", hold=True))
    made = outcome("r1", "journal", PLAN, talk.rollout)
    assert (made["outcome"], made["actor"], made["reason"]) == ("held", "abandoned", "the play is gone")
    assert made["unconfirmed"] == []
