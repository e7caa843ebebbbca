# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The walk finds a rollout that is broken where people come in: pauses, orders, splits changed by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import FAIL, INCONCLUSIVE, NO_DATA, PASS
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import (
    ABORT,
    BY_VERDICT,
    HELD,
    PAUSE,
    PAUSED,
    PROMOTE,
    RESUME,
    REVERTING,
    RUNNING,
    WAITING,
    Abandoned,
    End,
    Event,
    Foreign,
    Judged,
    Next,
    Note,
    Ordered,
    Pause,
    Rollout,
    StepAsked,
    handle,
)
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout_state import paused

from .ghosts import STEPS
from .walks import APPROVED, BEAT, LENIENT, WARY, Handle, walk


def is_order(event: Event, *verbs: str) -> bool:
    return isinstance(event, Ordered) and event.verb in verbs


def is_judged(event: Event, outcome: str) -> bool:
    return isinstance(event, Judged) and event.verdict.outcome == outcome


# --- pauses


def raises_in_a_pause(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, StepAsked) and rollout.state == PAUSED and rollout.phase == WAITING:
        rollout = replace(rollout, state=WAITING, pause=None)
    return handle(rollout, event)


def passes_in_a_pause(rollout: Rollout, event: Event) -> Next:
    if is_judged(event, PASS) and rollout.state == PAUSED and rollout.raised:
        return replace(rollout, state=WAITING, pause=None), []
    return handle(rollout, event)


def counts_a_pause(rollout: Rollout, event: Event) -> Next:
    after, orders = handle(rollout, event)
    if isinstance(event, Judged) and rollout.state == after.state == PAUSED and rollout.raised:
        after = replace(after, held=after.held + BEAT)
    return after, orders


def counts_its_last_beat(rollout: Rollout, event: Event) -> Next:
    after, orders = handle(rollout, event)
    return (replace(after, beat=rollout.beat) if is_order(event, RESUME) else after), orders


def is_blind_in_a_pause(rollout: Rollout, event: Event) -> Next:
    return (rollout, []) if is_judged(event, FAIL) and rollout.state == PAUSED else handle(rollout, event)


def loses_patience_in_a_pause(rollout: Rollout, event: Event) -> Next:
    if is_judged(event, NO_DATA) and rollout.state == PAUSED:
        return handle(rollout, End(BY_VERDICT, "no data"))
    return handle(rollout, event)


def resumes_somewhere_else(rollout: Rollout, event: Event) -> Next:
    after, orders = handle(rollout, event)
    if is_order(event, RESUME) and rollout.phase == RUNNING and rollout.state == PAUSED:
        after = replace(after, state=WAITING)
    return after, orders


def pauses_on_the_way_back(rollout: Rollout, event: Event) -> Next:
    if is_order(event, PAUSE) and rollout.state == REVERTING:
        return replace(rollout, state=PAUSED, pause=Pause(0.0, REVERTING, "ann", "")), []
    return handle(rollout, event)


# --- orders


def forgets_what_it_heard(rollout: Rollout, event: Event) -> Next:
    return handle(replace(rollout, heeded=frozenset()), event)


def keeps_an_order_to_itself(rollout: Rollout, event: Event) -> Next:
    after, orders = handle(rollout, event)
    return after, [order for order in orders if not (isinstance(order, Note) and "verb" in order.data)]


def does_not_abort(state: str, rollout: Rollout, event: Event) -> Next:
    if isinstance(event, Ordered) and event.verb == ABORT and rollout.state == state:
        event = replace(event, verb="fly")
    return handle(rollout, event)


def promotes_the_next_step_too(rollout: Rollout, event: Event) -> Next:
    after, orders = handle(rollout, event)
    return (replace(after, hold_over=rollout.hold_over) if isinstance(event, StepAsked) else after), orders


def promotes_what_nobody_judged(rollout: Rollout, event: Event) -> Next:
    after, orders = handle(rollout, event)
    if is_order(event, PROMOTE) and after.state == RUNNING and after.raised:
        after = replace(after, state=WAITING)
    return after, orders


def promotes_what_was_not_read_back(rollout: Rollout, event: Event) -> Next:
    after, orders = handle(rollout, event)
    return (replace(after, owed=frozenset()) if is_order(event, PROMOTE) and after.state == RUNNING else after), orders


# --- splits changed by hand


def forgets_who_strayed(rollout: Rollout, event: Event) -> Next:
    after, orders = handle(rollout, event)
    return (replace(after, strayed=frozenset()) if isinstance(event, Foreign) else after), orders


def does_not_mind_a_stranger(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, Foreign):
        event = replace(event, put_back=True)
    return handle(rollout, event)


def minds_what_was_put_back(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, Foreign):
        event = replace(event, put_back=False)
    return handle(rollout, event)


# --- a cause that both pools have in common


def sees_no_common_cause(rollout: Rollout, event: Event) -> Next:
    return handle(rollout, replace(event, common_cause="") if isinstance(event, Judged) else event)


def doubts_at_every_beat(rollout: Rollout, event: Event) -> Next:
    return handle(replace(rollout, doubted=False) if isinstance(event, Judged) else rollout, event)


def blames_nobody_in_doubt(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, Judged) and event.common_cause and event.verdict.outcome == FAIL:
        event = replace(event, verdict=replace(event.verdict, outcome=PASS))
    return handle(rollout, event)


# --- held


def holds_for_any_end(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, End) and not rollout.ended and rollout.state != REVERTING:
        return replace(rollout, state=HELD, pause=None), []
    return handle(rollout, event)


def holds_on_the_way_back(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, Abandoned) and event.hold and rollout.state == REVERTING:
        return replace(rollout, state=HELD), []
    return handle(rollout, event)


def goes_back_all_the_same(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, Abandoned):
        event = replace(event, hold=False)
    return handle(rollout, event)


# --- evidence, and whose word stands for it


def pauses_for_nothing(rollout: Rollout, event: Event) -> Next:
    after, orders = handle(rollout, event)
    if is_judged(event, NO_DATA) and after.state == RUNNING:
        return paused(after, 0.0, "watch", "", INCONCLUSIVE), [Note("intended", {"pause": True})]
    return after, orders


def approves_itself(rollout: Rollout, event: Event) -> Next:
    return handle(replace(rollout, approved=True) if isinstance(event, Judged) else rollout, event)


def waits_for_ever(rollout: Rollout, event: Event) -> Next:
    late = is_judged(event, PASS) and rollout.pause is not None and rollout.pause.verdict == PASS
    return (rollout, []) if late else handle(rollout, event)


def overwrites_a_fail(rollout: Rollout, event: Event) -> Next:
    if is_order(event, RESUME) and rollout.pause and rollout.pause.verdict == FAIL:
        rollout = replace(rollout, pause=replace(rollout.pause, verdict=""))
    return handle(rollout, event)


def takes_a_resume_for_a_pass(rollout: Rollout, event: Event) -> Next:
    after, orders = handle(rollout, event)
    if is_order(event, RESUME) and rollout.pause and rollout.pause.verdict == INCONCLUSIVE:
        after = replace(after, accepted=INCONCLUSIVE)
    return after, orders


def keeps_what_was_accepted(rollout: Rollout, event: Event) -> Next:
    after, orders = handle(rollout, event)
    return (replace(after, accepted=rollout.accepted) if isinstance(event, StepAsked) else after), orders


def is_always_full(rollout: Rollout, event: Event) -> Next:
    after, orders = handle(rollout, event)
    return (replace(after, full=True) if is_order(event, PROMOTE) else after), orders


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (pauses_for_nothing, "pause"),
        (approves_itself, "approval"),
        (waits_for_ever, "approval"),
        (overwrites_a_fail, "pause"),
        (takes_a_resume_for_a_pass, "evidence"),
        (is_always_full, "evidence"),
        (is_blind_in_a_pause, "fail"),
    ],
)
def test_control_a_rollout_that_takes_the_wrong_word_is_found(broken: Handle, found: str) -> None:
    assert found in walk(broken, LENIENT, APPROVED)


def test_control_a_word_that_outlives_its_step_is_found() -> None:
    assert "evidence" in walk(keeps_what_was_accepted, LENIENT, STEPS)


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (raises_in_a_pause, "refusal"),
        (passes_in_a_pause, "pause"),
        (counts_a_pause, "watched"),
        (counts_its_last_beat, "watched"),
        (is_blind_in_a_pause, "fail"),
        (loses_patience_in_a_pause, "pause"),
        (resumes_somewhere_else, "pause"),
        (pauses_on_the_way_back, "pause"),
        (forgets_what_it_heard, "once"),
        (keeps_an_order_to_itself, "noted"),
        (partial(does_not_abort, PAUSED), "end"),
        (partial(does_not_abort, RUNNING), "end"),
        (promotes_the_next_step_too, "watched"),
        (promotes_what_nobody_judged, "evidence"),
        (promotes_what_was_not_read_back, "read back"),
        (forgets_who_strayed, "read back"),
        (does_not_mind_a_stranger, "pause"),
        (minds_what_was_put_back, "pause"),
        (sees_no_common_cause, "pause"),
        (doubts_at_every_beat, "pause"),
        (blames_nobody_in_doubt, "fail"),
        (holds_for_any_end, "held"),
        (holds_on_the_way_back, "held"),
        (goes_back_all_the_same, "held"),
    ],
    ids=lambda value: getattr(value, "__name__", None) if not isinstance(value, str) else value,
)
def test_control_a_rollout_that_is_broken_is_found(broken: Handle, found: str) -> None:
    assert found in walk(broken, WARY, STEPS)
