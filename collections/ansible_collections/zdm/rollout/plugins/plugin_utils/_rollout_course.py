# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of a rollout: its steps, holds and verdicts, and the way back. Pure; see _rollout.py.

Each function is what one event means: ``(rollout, event) -> (rollout after it, orders)``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..module_utils.judge import ERROR, FAIL, INCONCLUSIVE, NO_DATA, PASS, Verdict
from ._rollout_events import (
    BY_ABANDON,
    BY_PERSON,
    BY_ROUTER,
    BY_VERDICT,
    PAUSE,
    Abandoned,
    ArmAll,
    Delayed,
    DisarmAll,
    Disarmed,
    Judged,
    Note,
    NotReverted,
    Order,
    ReadBack,
    RevertAll,
    Reverted,
    StepAsked,
)
from ._rollout_state import (
    BY_WATCH,
    FINISHED,
    HELD,
    PARKING,
    PAUSED,
    PLANNED,
    PROMOTED,
    REVERTING,
    ROLLED_BACK,
    RUNNING,
    STUCK,
    WAITING,
    Rollout,
    paused,
    resumed,
)
from ._steps import ROLLBACK

#: The longest beat, in seconds, that counts as watched time.
LONGEST_BEAT = 2.0

Next = tuple[Rollout, list[Order]]


class RolloutError(Exception):
    """An event that this state does not allow."""


def locked(rollout: Rollout) -> Next:
    if rollout.state != PLANNED:
        raise RolloutError(f"the routers are locked already (state {rollout.state})")
    return replace(rollout, state=WAITING), [Note("locked", {"routers": list(rollout.routers)})]


def step(rollout: Rollout, event: StepAsked) -> Next:
    if rollout.pause:
        raise RolloutError(f"step {event.index} cannot be made in a pause (by {rollout.pause.by}): resume it first")
    if rollout.state != WAITING or event.index != rollout.step + 1:
        raise RolloutError(f"step {event.index} cannot be made in state {rollout.state} after step {rollout.step}")
    if rollout.silent:
        raise RolloutError(f"step {event.index} cannot be made on {rollout.verdict.outcome}: {rollout.verdict.reason}")
    step = rollout.steps[event.index]
    after = replace(
        rollout,
        state=RUNNING,
        step=event.index,
        owed=frozenset(rollout.routers),
        delayed={},
        asked=event.t,
        beat=event.t,
        held=min(rollout.credit, step.hold),
        credit=0.0,
        hold_over=False,
        strayed=frozenset(),
        without="",
        accepted="",
        approved=False,
        patient=rollout.credit > 0,  # the hold may be over before there can be any evidence
        verdict=Verdict(INCONCLUSIVE, "nothing was judged yet"),
    )
    return after, [Note("intended", {"step": event.index, "weight": step.weight}), ArmAll(step.weight)]


def read_back(rollout: Rollout, event: ReadBack) -> Next:
    if rollout.phase != RUNNING or event.router not in rollout.owed:
        return rollout, []
    seen = {**rollout.seen, rollout.step: {**rollout.seen.get(rollout.step, {}), event.router: event.share}}
    after = replace(rollout, owed=rollout.owed - {event.router}, seen=seen, beat=event.t)
    note = Note("observed", {"step": rollout.step, "router": event.router, "share": event.share})
    moved, orders = without_hold(after, event.t)
    return moved, [note, *orders]


def without_hold(rollout: Rollout, t: float) -> Next:
    """Nothing to hold means nothing to judge: the read-back is what makes such a step."""
    if rollout.state == RUNNING and rollout.raised and not rollout.current.hold:
        return _passed(rollout, "read back on all routers", t)
    return rollout, []


def delayed(rollout: Rollout, event: Delayed) -> Next:
    if rollout.phase != RUNNING or event.router not in rollout.owed:
        return rollout, []
    return replace(rollout, delayed={**rollout.delayed, event.router: event.reason}), []


def judged(rollout: Rollout, event: Judged) -> Next:
    if rollout.state == PARKING and event.verdict.outcome == FAIL:
        note = Note("judged", {"step": rollout.step, **event.verdict.to_json()})
        moved, orders = end(rollout, BY_VERDICT, event.verdict.reason)
        return moved, [note, *orders]
    if rollout.phase not in (RUNNING, WAITING) or rollout.step < 0:
        return replace(rollout, beat=event.t), []
    orders = list[Order]()
    if event.verdict.outcome != rollout.verdict.outcome:
        orders.append(Note("judged", {"step": rollout.step, **event.verdict.to_json()}))
    doubts = event.common_cause != "" and not rollout.doubted
    holds = rollout.state == RUNNING and rollout.raised and not doubts
    watched = min(max(0.0, event.t - rollout.beat), LONGEST_BEAT) if holds else 0.0
    doubted = rollout.doubted and event.common_cause != ""
    after = replace(rollout, verdict=event.verdict, beat=event.t, held=rollout.held + watched, doubted=doubted)
    moved, more = _decided(_with_silence(after, event), event)
    return moved, orders + more


def _with_silence(rollout: Rollout, event: Judged) -> Rollout:
    """Since when the same kind of silence (no_data, error) has lasted."""
    outcome = event.verdict.outcome
    if outcome not in (NO_DATA, ERROR):
        return replace(rollout, without="")
    if rollout.without == outcome:
        return rollout
    return replace(rollout, without=outcome, without_since=event.t)


def _decided(rollout: Rollout, event: Judged) -> Next:
    verdict, policies, step, t = rollout.verdict, rollout.policies, rollout.current, event.t
    if verdict.outcome == FAIL:
        return _failed(rollout, t)
    if rollout.state == PAUSED:
        return _unapproved(rollout, t)
    if event.common_cause and not rollout.doubted:
        intention = Note("intended", {"pause": True, "reason": event.common_cause})
        return paused(replace(rollout, doubted=True), t, BY_WATCH, event.common_cause), [intention]
    deadline = {NO_DATA: policies.no_data_deadline, ERROR: policies.error_deadline}.get(verdict.outcome)
    taken = rollout.full or verdict.outcome in (PASS, rollout.accepted)
    if deadline is not None and not taken and t - rollout.without_since >= deadline:
        return _without_pass(rollout, t, f"{verdict.outcome} for {deadline:g} s: {verdict.reason}")
    if rollout.state == WAITING:
        return rollout, []
    if rollout.owed:
        if t - rollout.asked >= policies.progress_deadline:
            missing = "; ".join(f"{name}: {rollout.delayed.get(name, 'no answer')}" for name in sorted(rollout.owed))
            return end(rollout, BY_ROUTER, f"not read back within {policies.progress_deadline:g} s: {missing}")
        return rollout, []
    held = rollout.held >= step.hold
    if taken and (held or rollout.hold_over or rollout.full):
        return _passed(rollout, verdict.reason, t)
    if verdict.outcome == PASS and event.convinced and step.min_hold is not None and rollout.held >= step.min_hold:
        return _passed(rollout, f"{verdict.reason}; sure after {rollout.held:.0f} s of {step.hold:g} s", t)
    if not held:
        return rollout, []
    if verdict.outcome == INCONCLUSIVE and policies.on_inconclusive is not None and not rollout.patient:
        return _without_pass(rollout, t, f"inconclusive at the end of the hold: {verdict.reason}")
    if rollout.held >= step.hold + policies.progress_deadline:
        late = f"no pass within {policies.progress_deadline:g} s after the hold"
        return _without_pass(rollout, t, f"{late}: {verdict.outcome}, {verdict.reason}")
    return rollout, []


def _failed(rollout: Rollout, t: float) -> Next:
    """A fail is never overwritten: where it only pauses, an abort is the one way out of the pause."""
    reason = rollout.verdict.reason
    if rollout.policies.on_fail == ROLLBACK:
        return end(rollout, BY_VERDICT, reason)
    if rollout.pause and rollout.pause.verdict == FAIL:
        return rollout, []
    return paused(rollout, t, BY_WATCH, reason, FAIL), [Note("intended", {"pause": True, "reason": reason})]


def _without_pass(rollout: Rollout, t: float, reason: str) -> Next:
    """There is no evidence, or there are no data: back, or a pause, after which it is given time once more."""
    policies, outcome = rollout.policies, rollout.verdict.outcome
    answers = {NO_DATA: policies.on_no_data, ERROR: policies.on_error, INCONCLUSIVE: policies.on_inconclusive or PAUSE}
    if answers[outcome] == ROLLBACK:
        return end(rollout, BY_VERDICT, reason)
    after = replace(rollout, held=min(rollout.held, rollout.current.hold), patient=True, without_since=t)
    return paused(after, t, BY_WATCH, reason, outcome), [Note("intended", {"pause": True, "reason": reason})]


def _unapproved(rollout: Rollout, t: float) -> Next:
    """What the time does to a pause: one that waits for approval may wait no longer than the step says."""
    pause, approve = rollout.pause, rollout.current.approve
    if pause is None or pause.verdict != PASS or approve is None or approve.timeout is None:
        return rollout, []
    if t - pause.since < approve.timeout:
        return rollout, []
    reason = f"nobody approved it within {approve.timeout:g} s"
    if approve.on_timeout == ROLLBACK:
        return end(rollout, BY_ABANDON, reason)
    after = replace(resumed(rollout, t), approved=True)
    moved, orders = without_hold(after, t)
    return moved, [Note("intended", {"approved": True, "reason": reason}), *orders]


def _passed(rollout: Rollout, reason: str, t: float) -> Next:
    if rollout.current.approve is not None and not rollout.approved and not rollout.full:
        why = f"it waits for approval: {reason}"
        return paused(rollout, t, BY_WATCH, why, PASS), [Note("intended", {"pause": True, "reason": why})]
    note = Note("judged", {"step": rollout.step, "outcome": PASS, "reason": reason, "done": True})
    if rollout.step + 1 < len(rollout.steps):
        return replace(rollout, state=WAITING), [note]
    return replace(rollout, state=PROMOTED, owed=frozenset(rollout.routers)), [note, DisarmAll()]


def end(rollout: Rollout, actor: str, reason: str) -> Next:
    """Everything goes back, because of ``actor`` (a BY_ name). A rollout that goes back already, does: nothing new."""
    if rollout.ended or rollout.state == REVERTING:
        return rollout, []
    owed = frozenset(rollout.routers)
    after = replace(rollout, state=REVERTING, pause=None, actor=actor, reason=reason, owed=owed)
    note = Note("ordered" if actor == BY_PERSON else "intended", {"revert": True, "actor": actor, "reason": reason})
    return after, [note, RevertAll(reason)]


def abandoned(rollout: Rollout, event: Abandoned) -> Next:
    """It goes back; or, where the spec wants that, stays. What is under way to an end of its own comes to that."""
    if not event.hold:
        return end(rollout, BY_ABANDON, event.reason)
    if rollout.ended or rollout.state in (REVERTING, PROMOTED, PARKING):
        return rollout, []
    missing = rollout.strayed | rollout.owed
    after = replace(
        rollout,
        state=HELD,
        pause=None,
        owed=frozenset(),
        actor=BY_ABANDON,
        reason=event.reason,
        unconfirmed={name: rollout.delayed.get(name, "it was not read back with the step's split") for name in missing},
    )
    return after, [Note("finished", {"outcome": HELD, "actor": BY_ABANDON, "reason": event.reason})]


def disarmed(rollout: Rollout, event: Disarmed) -> Next:
    if rollout.state != PROMOTED:
        return rollout, []
    owed = rollout.owed - {event.router}
    if owed:
        return replace(rollout, owed=owed), []
    return replace(rollout, state=FINISHED, owed=owed), [Note("finished", {"outcome": "promoted"})]


def reverted(rollout: Rollout, event: Reverted | NotReverted) -> Next:
    if rollout.state != REVERTING or event.router not in rollout.owed:
        return rollout, []
    after = replace(rollout, owed=rollout.owed - {event.router})
    data: dict[str, Any] = {"router": event.router, "confirmed": isinstance(event, Reverted)}
    if isinstance(event, NotReverted):
        data["reason"] = event.reason
        if event.sick:
            after = replace(after, sick={**after.sick, event.router: event.reason})
        else:
            after = replace(after, unconfirmed={**after.unconfirmed, event.router: event.reason})
    elif event.left is not None:
        data["left"] = event.left
        after = replace(after, left={**after.left, event.router: event.left})
    orders: list[Order] = [Note("reverted", data)]
    if not after.owed:
        after = replace(after, state=STUCK if after.sick else ROLLED_BACK)
        orders.append(Note("finished", {"outcome": after.state, "actor": after.actor, "reason": after.reason}))
    return after, orders
