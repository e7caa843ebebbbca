# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do to a rollout: their orders, and the splits that they change by hand. Pure; see _rollout.py.

Every order is noted, with whether anything was done for it or why not. What an order does, by state:

              | planned    waiting    running     paused             promoted   reverting
    ----------+--------------------------------------------------------------------------
    pause     | .          paused     paused      .                  .          .
    resume    | .          .          .           where it was       .          .
    promote   | .          .          hold over   where it was;      .          .
              |                                   the hold is over
    abort     | reverting  reverting  reverting   reverting          reverting  .

After the end nothing is heard any more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..module_utils import _split
from . import _rollout_course as course
from ._rollout_course import Next
from ._rollout_events import ABORT, BY_PERSON, PAUSE, PROMOTE, RESUME, ArmAll, Foreign, Note, Order, Ordered
from ._rollout_state import PAUSED, PLANNED, PROMOTED, REVERTING, RUNNING, WAITING, Rollout, paused, resumed

#: Why nothing can be ordered in a state, but to abort it.
CLOSED = {
    PLANNED: "the rollout has not begun",
    PROMOTED: "it is through: the leases are being given back",
    REVERTING: "it is going back already",
}


def ordered(rollout: Rollout, event: Ordered) -> Next:
    """A person's order, the first time that its id is heard."""
    if rollout.ended or event.id in rollout.heeded:
        return rollout, []
    heard = replace(rollout, heeded=rollout.heeded | {event.id})
    why = _refusal(rollout, event.verb)
    note = Note("ordered", _told(event, why))
    if why:
        return heard, [note]
    if event.verb == ABORT:
        after, orders = course.end(heard, BY_PERSON, _abort(event))
    elif event.verb == PAUSE:
        after, orders = paused(heard, event.t, event.by, event.reason or f"ordered at {event.router}"), []
    else:
        after, orders = _gone_on(heard, event)
    return after, [note, *orders]


def foreign(rollout: Rollout, event: Foreign) -> Next:
    """Somebody else changed a split; one that was not put back pauses the rollout, where that is the policy.

    Otherwise it is the guard that acts (it goes back, and says so), and here it is only noted.
    """
    if rollout.phase not in (WAITING, RUNNING):
        return rollout, []
    changed: dict[str, Any] = {"router": event.router, "shown": dict(event.shown)}
    changed.update(put_back=event.put_back, count=event.count)
    note = Note("observed", {"step": rollout.step, "foreign": True, **changed})
    if event.put_back or rollout.policies.on_foreign_change != "pause":
        return rollout, [note]
    after = replace(rollout, strayed=rollout.strayed | {event.router})
    if rollout.state == PAUSED:
        return after, [note]
    reason = f"somebody else changed the split of {event.router} to {_split.describe(event.shown)}, and it stays so"
    intention = Note("intended", {"pause": True, "router": event.router, "reason": reason})
    return paused(after, event.t, event.router, reason), [note, intention]


def _refusal(rollout: Rollout, verb: str) -> str:
    """Why nothing is to be done for an order now; empty when something is."""
    if verb not in (ABORT, PAUSE, RESUME, PROMOTE):
        return f"{verb} is not known: expected abort, pause, resume or promote"
    if verb == ABORT:
        return CLOSED[REVERTING] if rollout.state == REVERTING else ""
    if rollout.state in CLOSED:
        return CLOSED[rollout.state]
    if rollout.pause:
        return f"it is paused already, by {rollout.pause.by}" if verb == PAUSE else ""
    if verb == RESUME:
        return "it is not paused"
    if verb == PROMOTE and rollout.state == WAITING:
        return "it is between two steps: there is no hold to end"
    if verb == PROMOTE and rollout.hold_over:
        return "the hold of this step counts as over already"
    return ""


def _told(event: Ordered, why: str) -> dict[str, Any]:
    told: dict[str, Any] = {"verb": event.verb, "by": event.by, "router": event.router, "id": event.id}
    told.update({"reason": event.reason} if event.reason else {})
    return {**told, "done": False, "why": why} if why else {**told, "done": True}


def _abort(event: Ordered) -> str:
    said = f"abort, by {event.by} at {event.router}"
    return f"{said}: {event.reason}" if event.reason else said


def _gone_on(rollout: Rollout, event: Ordered) -> Next:
    """Resume or promote: a pause ends, and what strayed in it is brought back to the step's split first."""
    after, orders = resumed(rollout, event.t), list[Order]()
    if after.state != RUNNING:
        return after, orders
    after = replace(after, hold_over=after.hold_over or event.verb == PROMOTE)
    if after.strayed:
        weight = after.current.weight
        after = replace(after, owed=after.owed | after.strayed, strayed=frozenset(), asked=event.t)
        orders += [Note("intended", {"step": after.step, "weight": weight}), ArmAll(weight)]
    moved, more = course.without_hold(after)
    return moved, orders + more
