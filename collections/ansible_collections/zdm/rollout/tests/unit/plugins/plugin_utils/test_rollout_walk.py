# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollout is walked through every state that it can reach; and a rollout that is broken anywhere is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import ERROR, FAIL, INCONCLUSIVE, NO_DATA, PASS, Verdict
from ansible_collections.zdm.rollout.plugins.plugin_utils import _rollout_course as course
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import Step
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import (
    ENDED,
    FINISHED,
    HELD,
    PARK,
    PARKED,
    PARKING,
    PAUSED,
    PLANNED,
    PROMOTED,
    REVERTING,
    ROLLED_BACK,
    RUNNING,
    STUCK,
    WAITING,
    Disarmed,
    End,
    Event,
    Judged,
    Next,
    Note,
    Ordered,
    Parked,
    Policies,
    ReadBack,
    RevertAll,
    Reverted,
    Rollout,
    RolloutError,
    StepAsked,
    handle,
)

from .ghosts import STEPS
from .walks import APPROVED, BARE, EARLY, GUARDED, LENIENT, PATIENT, STRICT, WARY, Handle, Visited, events, walk


@pytest.mark.parametrize(
    ("policies", "steps"),
    [
        (STRICT, STEPS),
        (WARY, STEPS),
        (WARY, BARE),
        (WARY, EARLY),
        (GUARDED, STEPS),
        (PATIENT, STEPS),
        (LENIENT, APPROVED),
    ],
    ids=["strict", "wary", "bare", "early", "guarded", "patient", "lenient"],
)
def test_no_walk_breaks_the_rollout(policies: Policies, steps: tuple[Step, ...]) -> None:
    visited = Visited()
    assert set(walk(handle, policies, steps, visited)) == set()
    # It went everywhere: every kind of event met every state, and every arrow of the docstring was taken.
    states = {PLANNED, WAITING, RUNNING, PAUSED, PROMOTED, REVERTING, *ENDED} - {PARKED}
    states |= {PARKING, PARKED} if policies.park_for else set()
    kinds = {type(event).__name__ for event in events(0.0, 0, policies)}
    assert {(state, kind) for state, kind, dummy in visited.heard} == {(s, k) for s in states for k in kinds}
    arrows = {(before, after) for before, dummy, after in visited.heard if before != after and after != "refused"}
    assert arrows == {
        (PLANNED, WAITING),
        (WAITING, RUNNING),
        (RUNNING, WAITING),
        (RUNNING, PROMOTED),
        (PROMOTED, FINISHED),
        *((state, REVERTING) for state in (PLANNED, WAITING, RUNNING, PAUSED, PROMOTED)),
        *((state, HELD) for state in (PLANNED, WAITING, RUNNING, PAUSED)),
        *((state, PAUSED) for state in (WAITING, RUNNING)),
        *((PAUSED, state) for state in (WAITING, RUNNING)),
        (REVERTING, ROLLED_BACK),
        (REVERTING, STUCK),
        *((state, PARKING) for state in (WAITING, RUNNING, PAUSED) if policies.park_for),
        *((PARKING, state) for state in (PARKED, REVERTING) if policies.park_for),
        # With its approval, a last step without a hold is over.
        *((PAUSED, PROMOTED) for step in steps[-1:] if step.approve and not step.hold),
    }
    assert {kind for dummy, kind, after in visited.heard if after == "refused"} == {"Locked", "StepAsked"}


# --- the walk finds what it is there for


def taken_for_a_pass(outcome: str) -> Handle:
    def handler(rollout: Rollout, event: Event) -> Next:
        if isinstance(event, Judged) and event.verdict.outcome == outcome:
            event = replace(event, verdict=Verdict(PASS, "nobody complains"))
        return handle(rollout, event)

    return handler


def goes_on_after_a_revert(rollout: Rollout, event: Event) -> Next:
    if rollout.state == REVERTING and isinstance(event, Judged) and event.verdict.outcome == PASS:
        return replace(rollout, state=WAITING, owed=frozenset()), []
    return handle(rollout, event)


def hears_the_last_word(rollout: Rollout, event: Event) -> Next:
    if rollout.state == REVERTING and isinstance(event, End):
        return replace(rollout, actor=event.actor, reason=event.reason), []
    return handle(rollout, event)


def reverts_what_has_ended(rollout: Rollout, event: Event) -> Next:
    if rollout.ended and isinstance(event, End):
        return rollout, [Note("intended", {}), RevertAll(event.reason)]
    return handle(rollout, event)


def is_deaf(rollout: Rollout, event: Event) -> Next:
    return (rollout, []) if isinstance(event, End) and rollout.state == PROMOTED else handle(rollout, event)


def notes_afterwards(rollout: Rollout, event: Event) -> Next:
    after, orders = handle(rollout, event)
    return after, orders[::-1]


def leaves_a_step_out(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, StepAsked) and event.index == rollout.step + 2 and rollout.state == WAITING:
        rollout = replace(rollout, step=rollout.step + 1)
    return handle(rollout, event)


def raises_while_it_runs(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, StepAsked) and rollout.raised and event.index == 1:
        rollout = replace(rollout, state=WAITING)
    return handle(rollout, event)


def raises_in_silence(rollout: Rollout, event: Event) -> Next:
    return handle(replace(rollout, without="") if isinstance(event, StepAsked) else rollout, event)


def believes_one_router(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, ReadBack) and event.router in rollout.owed:
        rollout = replace(rollout, owed=frozenset({event.router}))
    return handle(rollout, event)


def forgets_a_lease(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, Disarmed) and rollout.state == PROMOTED:
        rollout = replace(rollout, owed=frozenset({event.router}))
    return handle(rollout, event)


def is_back_too_soon(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, Reverted) and rollout.state == REVERTING:
        rollout = replace(rollout, owed=frozenset({event.router}))
    return handle(rollout, event)


def ignores_what_is_illegal(rollout: Rollout, event: Event) -> Next:
    try:
        return handle(rollout, event)
    except RolloutError:
        return rollout, []


def changes_before_it_refuses(rollout: Rollout, event: Event) -> Next:
    try:
        return handle(rollout, event)
    except RolloutError:
        object.__setattr__(rollout, "owed", frozenset({"p9"}))
        raise


def is_easily_convinced(rollout: Rollout, event: Event) -> Next:
    return handle(rollout, replace(event, convinced=True) if isinstance(event, Judged) else event)


def test_control_a_hold_that_ends_without_the_evidence_is_found() -> None:
    assert "watched" in walk(is_easily_convinced, WARY, EARLY)


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (taken_for_a_pass(NO_DATA), "evidence"),
        (taken_for_a_pass(ERROR), "evidence"),
        (taken_for_a_pass(INCONCLUSIVE), "evidence"),
        (taken_for_a_pass(FAIL), "fail"),
        (goes_on_after_a_revert, "way back"),
        (is_back_too_soon, "way back"),
        (hears_the_last_word, "who and why"),
        (reverts_what_has_ended, "over"),
        (is_deaf, "end"),
        (notes_afterwards, "intention"),
        (leaves_a_step_out, "step"),
        (raises_while_it_runs, "step"),
        (raises_in_silence, "refusal"),
        (believes_one_router, "read back"),
        (forgets_a_lease, "promoted"),
        (ignores_what_is_illegal, "refusal"),
        (changes_before_it_refuses, "unchanged"),
    ],
)
def test_control_a_rollout_that_is_broken_is_found(broken: Handle, found: str) -> None:
    assert found in walk(broken, PATIENT, STEPS)


def parks_what_was_not_read_back(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, Ordered) and event.verb == PARK and rollout.state == RUNNING:
        rollout = replace(rollout, owed=frozenset())
    return handle(rollout, event)


def is_parked_too_soon(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, Parked) and rollout.state == PARKING:
        rollout = replace(rollout, owed=frozenset({event.router}))
    return handle(rollout, event)


def is_blind_while_it_parks(rollout: Rollout, event: Event) -> Next:
    blind = isinstance(event, Judged) and event.verdict.outcome == FAIL and rollout.state == PARKING
    return (rollout, []) if blind else handle(rollout, event)


def parks_in_any_case(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, End) and rollout.state == PARKING:
        return rollout, []
    return handle(rollout, event)


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (parks_what_was_not_read_back, "parked"),
        (is_parked_too_soon, "parked"),
        (is_blind_while_it_parks, "fail"),
        (parks_in_any_case, "end"),
    ],
)
def test_control_a_rollout_that_is_parked_wrongly_is_found(broken: Handle, found: str) -> None:
    assert found in walk(broken, GUARDED, STEPS)


def no_end(rollout: Rollout, actor: str, reason: str) -> Next:
    return rollout, []


@pytest.mark.parametrize(
    ("name", "broken", "found"),
    [("LONGEST_BEAT", 3600.0, "watched"), ("end", no_end, "fail"), ("FAIL", "failed", "fail")],
)
def test_control_a_part_that_is_broken_is_found(
    name: str, broken: Any, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course, name, broken)
    assert found in walk(handle, PATIENT, STEPS)
