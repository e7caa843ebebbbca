# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do to a rollout: their orders, and the splits that they change by hand. Pure; see _rollout.py.

Every order is noted, with whether anything was done for it or why not. What an order does, by state:

              | planned    waiting    running     paused             promoted   parking    reverting
    ----------+-------------------------------------------------------------------------------------
    pause     | .          paused     paused      .                  .          .          .
    resume    | .          .          .           where it was (1)   .          .          .
    promote   | .          .          hold over   where it was (2);  .          .          .
              |                                   the hold is over
    in full   | .          in full    in full     where it was (2),  .          .          .
              |                                   in full
    park (3)  | .          parking    parking     parking (2)        .          .          .
    abort     | reverting  reverting  reverting   reverting          reverting  reverting  .

(1) Not where a fail paused it, or where it waits for approval. (2) Not where a fail paused it. (3) Where resident
guards are, once the step was read back on all routers and canary has a share (_rollout_parking.py). Where zdm paused
for want of evidence or data, who promotes takes that verdict for a pass, in this step; where it waits for approval, he
gives it. *In full* is a promotion of all steps to come: no hold and no approval is waited for, whatever is known but
a fail.

After the end nothing is heard any more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..module_utils import _split
from ..module_utils.judge import FAIL, PASS
from . import _rollout_course as course
from . import _rollout_parking as parking
from ._rollout_course import Next
from ._rollout_events import (
    ABORT,
    BY_PERSON,
    PARK,
    PAUSE,
    PROMOTE,
    PROMOTE_FULL,
    RESUME,
    ArmAll,
    Foreign,
    Note,
    Order,
    Ordered,
)
from ._rollout_state import (
    PARKING,
    PAUSED,
    PLANNED,
    PROMOTED,
    REVERTING,
    RUNNING,
    WAITING,
    Pause,
    Rollout,
    paused,
    resumed,
)

#: Why nothing can be ordered in a state, but to abort it.
CLOSED = {
    PLANNED: "the rollout has not begun",
    PROMOTED: "it is through: the leases are being given back",
    PARKING: "it is being parked already",
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
    elif event.verb == PARK:
        after, orders = parking.park(heard, event)
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
    if verb not in (ABORT, PAUSE, RESUME, PROMOTE, PROMOTE_FULL, PARK):
        return f"{verb} is not known: expected abort, pause, resume, promote, promote_full or park"
    if verb == ABORT:
        return CLOSED[REVERTING] if rollout.state == REVERTING else ""
    if rollout.state in CLOSED:
        return CLOSED[rollout.state]
    if verb == PARK:
        return parking.refusal(rollout)
    if rollout.pause:
        return _refusal_in_pause(rollout.pause, verb)
    if verb == RESUME:
        return "it is not paused"
    if verb == PROMOTE_FULL:
        return "it is promoted in full already" if rollout.full else ""
    if verb == PROMOTE and rollout.state == WAITING:
        return "it is between two steps: there is no hold to end"
    if verb == PROMOTE and rollout.hold_over:
        return "the hold of this step counts as over already"
    return ""


def _refusal_in_pause(pause: Pause, verb: str) -> str:
    if verb == PAUSE:
        return f"it is paused already, by {pause.by}"
    if pause.verdict == FAIL:
        return "it has failed, and a fail stands: abort it, and start again with a better release"
    if pause.verdict == PASS and verb == RESUME:
        return "it waits for approval: promote it, or abort it"
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
    if event.verb != RESUME:
        after = _vouched(after, rollout.pause.verdict if rollout.pause else "", event.verb == PROMOTE_FULL)
    if after.state != RUNNING:
        return after, orders
    after = replace(after, hold_over=after.hold_over or event.verb != RESUME)
    if after.strayed:
        weight = after.current.weight
        after = replace(after, owed=after.owed | after.strayed, strayed=frozenset(), asked=event.t)
        orders += [Note("intended", {"step": after.step, "weight": weight}), ArmAll(weight)]
    moved, more = course.without_hold(after, event.t)
    return moved, orders + more


def _vouched(rollout: Rollout, verdict: str, full: bool) -> Rollout:
    """A person's word stands for what the pause was made for: an approval, or a pass that nothing gave."""
    approved = rollout.approved or verdict == PASS
    return replace(rollout, approved=approved, accepted=verdict or rollout.accepted, full=rollout.full or full)
