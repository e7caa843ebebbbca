# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outcome of a run as data: what outcome.json and ``set_stats`` hold (contracts, section 4). Pure."""

from __future__ import annotations

from typing import Any

from ._plan import Plan
from ._rollout import FINISHED, PARKED, Rollout

VERSION = 1
REFUSED, UNCHANGED = "refused", "unchanged"


def outcome(run: str, journal: str, plan: Plan, rollout: Rollout, until: str = "") -> dict[str, Any]:
    """The outcome of a rollout that was planned; ``outcome`` is the state while it has not ended.

    ``until``: when what is parked goes back, where nobody takes it up.
    """
    return {
        "version": VERSION,
        "run": run,
        "service": plan.service,
        "environment": plan.environment,
        "release": plan.release,
        "outcome": "promoted" if rollout.state == FINISHED else rollout.state,
        "reason": rollout.reason or (rollout.pause.reason if rollout.pause else rollout.verdict.reason),
        "actor": rollout.actor,
        "stable": plan.stable,
        "canary": plan.canary,
        "steps": [
            {"weight": step.weight, "seen": dict(rollout.seen[step.index])}
            for step in plan.steps
            if step.index in rollout.seen
        ],
        "unconfirmed": sorted({**rollout.unconfirmed, **rollout.sick}),
        "journal": journal,
        **({"parked_until": until} if rollout.state == PARKED else {}),
        **({"left": dict(rollout.left)} if any(rollout.left.values()) else {}),
    }


def unmoved(
    outcome: str, run: str, journal: str, service: str, environment: str, release: str, reason: str
) -> dict[str, Any]:
    """The outcome of a run that moved nothing: REFUSED, or UNCHANGED where there was nothing to do."""
    return {
        "version": VERSION,
        "run": run,
        "service": service,
        "environment": environment,
        "release": release,
        "outcome": outcome,
        "reason": reason,
        "actor": "",
        "stable": None,
        "canary": None,
        "steps": [],
        "unconfirmed": [],
        "journal": journal,
    }
