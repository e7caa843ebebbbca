# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watch says to the person who follows a rollout. Pure: events and states in, lines out."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from typing import Any

from ..module_utils._split import describe, percent
from ..module_utils.judge import FAIL, PASS, Counts
from . import _duration
from ._judging import Judging, Strength
from ._plan import Plan
from ._rollout import HELD, PARKED, Note, Rollout

#: What a person can do in a pause, and the agent's word for it.
#: What a person can order in a pause, with the agent's word for it; by the verdict that it was made for.
ABORTS, PROMOTES, RESUMES = ("abort", "revert"), ("promote", "promote"), ("resume", "resume")
WAYS = {FAIL: (ABORTS,), PASS: (PROMOTES, ABORTS)}


def note(event: Note, plan: Plan, rollout: Rollout) -> list[str]:
    """The lines for a journal event; none for those that only the journal needs."""
    data = event.data
    match event.event:
        case "intended" if data.get("revert"):
            return [f"REVERTING all routers to {plan.stable} ({data['actor']}): {data['reason']}"]
        case "ordered" if data.get("revert"):
            return [f"REVERTING all routers to {plan.stable}, ordered by a person: {data['reason']}"]
        case "ordered":
            return [_ordered(data), *paused(rollout, plan)]
        case "intended" if data.get("pause"):
            return paused(rollout, plan)
        case "intended" if data.get("park"):
            return [f"{where(rollout)}: parking it on {routers(rollout)}, after {data['held']:g} s of its hold"]
        case "intended" if data.get("approved"):
            return [f"{where(rollout)}: goes on: {data['reason']}"]
        case "intended" if not data["weight"]:
            return [f"{where(rollout)}: all traffic to {plan.stable} on {routers(rollout)}"]
        case "intended":
            return [f"{where(rollout)}: raising {plan.canary} to {percent(data['weight'])} % on {routers(rollout)}"]
        case "observed" if data.get("foreign"):
            put_back = "put back" if data["put_back"] else "NOT put back"
            return [f"  {data['router']}: somebody else changed the split to {describe(data['shown'])}: {put_back}"]
        case "observed" if data.get("parked"):
            return [f"  {data['router']}: parked, its guard keeps the share"]
        case "observed":
            return [f"  {data['router']}: read back, {plan.canary} has {percent(data['share'])} %"]
        case "judged" if data.get("done"):
            return [f"{where(rollout)}: passed: {data['reason']}"]
        case "judged":
            return [f"  now {data['outcome']}: {data['reason']}"]
        case "reverted":
            return [
                f"  {data['router']}: " + (_back(data, plan) if data["confirmed"] else f"NOT BACK: {data['reason']}")
            ]
        case "finished":
            end = f"{plan.service} {plan.release}: {data['outcome']}" + _because(data.get("reason"))
            left = f"  the split stays as it is; on each router, abort: zdm-agent revert {plan.service}"
            return [end, left] if data["outcome"] == HELD else [end, *_taken_up(plan, rollout)]
    return []


def live(rollout: Rollout, judging: Judging, t: float) -> str:
    """How the present step goes at the time ``t`` of the watch."""
    if rollout.owed:
        patience = f"{t - rollout.asked:.0f} s of at most {rollout.policies.progress_deadline:g} s"
        return f"  waiting for {', '.join(sorted(rollout.owed))}, {patience}"
    canary = judging.arms.get(judging.canary, Counts())
    stable = judging.arms.get(judging.stable, Counts())
    hold = f"held {rollout.held:.0f} s of {rollout.current.hold:g} s"
    return f"  {hold}; canary fails {canary}, stable {stable}: {rollout.verdict.outcome}{evidence(judging.strength)}"


def evidence(strength: Strength | None) -> str:
    """How much speaks against canary, and how much would turn it back; nothing where nobody counts that."""
    if strength is None:
        return ""
    there, wanted = (exp(min(max(0.0, log_e), 40.0)) for log_e in (strength.log_e, strength.wanted))
    return f"; evidence against it 1 : {there:,.0f} of 1 : {wanted:,.0f}"


def paused(rollout: Rollout, plan: Plan) -> list[str]:
    """That it is paused, and what a person can do next; nothing when it is not."""
    if rollout.pause is None:
        return []
    known = WAYS.get(rollout.pause.verdict, (RESUMES, PROMOTES, ABORTS))
    ways = ", ".join(f"{verb}: zdm-agent {word} {plan.service}" for verb, word in known)
    said = f"{where(rollout)}: " if rollout.step >= 0 else ""
    return [f"{said}paused by {rollout.pause.by}: {rollout.pause.reason}; on any router, {ways}"]


def _taken_up(plan: Plan, rollout: Rollout) -> list[str]:
    """What becomes of what is parked."""
    if rollout.state != PARKED:
        return []
    patience = _duration.text(rollout.policies.park_for)
    return [
        f"  it stays as it is for {patience}, minded by each guard; the playbook rollout with release {plan.release}"
        f" takes it up; on each router, abort: zdm-agent revert {plan.service}"
    ]


def _back(data: Mapping[str, Any], plan: Plan) -> str:
    """What goes on at canary is no fault, but somebody who stops its members should know."""
    return "back at stable" + (f"; {data['left']} under way at {plan.canary}" if data.get("left") else "")


def _ordered(data: Mapping[str, Any]) -> str:
    why = f": {data['reason']}" if data.get("reason") else ""
    undone = "" if data["done"] else f" -- not done: {data['why']}"
    return f"{data['by']} at {data['router']} orders: {data['verb']}{why}{undone}"


def where(rollout: Rollout) -> str:
    return f"step {rollout.step + 1} of {len(rollout.steps)}"


def routers(rollout: Rollout) -> str:
    return ", ".join(rollout.routers) if len(rollout.routers) <= 3 else f"{len(rollout.routers)} routers"


def _because(reason: str | None) -> str:
    return f" ({reason})" if reason else ""
