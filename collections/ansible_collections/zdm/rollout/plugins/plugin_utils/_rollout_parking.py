# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parking: the run ends, and resident guards keep canary's share until somebody takes it up. Pure; see _rollout.py.

What is parked was read back everywhere with its step's split, so that there is one thing to take up. Until every guard
has said that it keeps it, anything that would have turned the rollout back does so still: a fail, a lost router, a
person, the play's end. A router that cannot be parked is none that could be left out.
"""

from __future__ import annotations

from dataclasses import replace

from ..module_utils.judge import FAIL
from ._rollout_course import Next
from ._rollout_events import BY_PERSON, Note, Ordered, ParkAll, Parked
from ._rollout_state import PARKED, PARKING, RUNNING, WAITING, Rollout


def refusal(rollout: Rollout) -> str:
    """Why it cannot be parked now; empty when it can."""
    if not rollout.policies.park_for:
        return "its guards are not resident, so nobody would stay to mind the share: write guard: resident in the spec"
    if rollout.pause and rollout.pause.verdict == FAIL:
        return "it has failed, and a fail stands: abort it, and start again with a better release"
    if rollout.step < 0 or rollout.current.settle:
        return "canary has had no share yet: abort it, and run it again later"
    if rollout.phase == RUNNING and rollout.owed:
        return f"{', '.join(sorted(rollout.owed))} was not read back with this step's split yet: park it again then"
    if rollout.strayed:
        return f"somebody else's split is in force at {', '.join(sorted(rollout.strayed))}: resume it first"
    return ""


def park(rollout: Rollout, event: Ordered) -> Next:
    """Every guard is asked to keep what it has."""
    said = f"parked, by {event.by} at {event.router}"
    reason = f"{said}: {event.reason}" if event.reason else said
    after = replace(
        rollout,
        state=PARKING,
        pause=None,
        owed=frozenset(rollout.routers),
        passed=rollout.phase == WAITING,
        actor=BY_PERSON,
        reason=reason,
    )
    return after, [Note("intended", {"park": True, "step": rollout.step, "held": round(rollout.held, 1)}), ParkAll()]


def parked(rollout: Rollout, event: Parked) -> Next:
    """A guard keeps it; with the last one the run is over."""
    if rollout.state != PARKING or event.router not in rollout.owed:
        return rollout, []
    note = Note("observed", {"step": rollout.step, "router": event.router, "parked": True})
    owed = rollout.owed - {event.router}
    if owed:
        return replace(rollout, owed=owed), [note]
    end = Note("finished", {"outcome": PARKED, "actor": rollout.actor, "reason": rollout.reason})
    return replace(rollout, state=PARKED, owed=owed), [note, end]
