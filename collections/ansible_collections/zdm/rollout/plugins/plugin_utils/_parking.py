# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run that parks leaves at the routers, and what the next one finds there. Pure.

Rules of this room: the note (contracts, section 3) out and in. It lay on a disk that anything may have happened to:
what nobody can read is no note. Steps are counted without the one that settles, which nobody makes twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..module_utils._split import describe
from ..module_utils.agent.lease import ARMED
from ..module_utils.agent.protocol import NOTE_LIMIT, compact
from ._errand import ROLLOUT, Errand
from ._problem import Problem, SpecError
from ._rules import problem

if TYPE_CHECKING:
    # The plan is made with this.
    from ._judging import Judging
    from ._plan import LiveRouter, Plan, Step
    from ._rollout_state import Rollout
    from ._spec import Spec

DISAGREE = "park.disagree"
#: As the note has it, and the rollout.
PARKED = "parked"


@dataclass(frozen=True)
class Takes:
    """The run that is taken up, at its step ``first``.

    That was held for ``held`` seconds before it was parked, and goes on being held since; or, with ``fresh``, it has
    not begun: the one before it had passed.
    """

    run: str
    first: int
    held: float
    fresh: bool


@dataclass(frozen=True)
class Found:
    """What all routers have parked alike: from ``stable`` to ``canary``, by the steps ``digest``."""

    takes: Takes
    stable: str
    canary: str
    digest: str
    step: int
    router: str


# --- out


def note(plan: Plan, rollout: Rollout, judging: Judging, t: float) -> dict[str, Any]:
    """What the run leaves at each router; the judge's states, which are most of it, as far as they fit."""
    settles, step = int(plan.steps[0].settle), rollout.current
    said = "it has passed" if rollout.passed else f"held {rollout.held:.0f} s of {step.hold:g} s"
    left = {
        "step": rollout.step - settles,
        "of": len(plan.steps) - settles,
        "state": PARKED,
        "held": round(rollout.held, 1),
        "said": said,
        "passed": rollout.passed,
        "release": plan.release,
        "steps": digest(plan.steps),
        "stable": judging.baseline,
    }
    whole = {**left, "judge": judging.states, "t": t}
    return whole if len(compact({"note": whole})) <= NOTE_LIMIT else left


def digest(steps: tuple[Step, ...]) -> str:
    """What tells these steps from any others."""
    made = [{**asdict(step), "index": 0} for step in steps if not step.settle]
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:16]


# --- in


def parked(live: Mapping[str, LiveRouter]) -> dict[str, Mapping[str, Any]]:
    """The records of the routers at which a share is parked."""
    records = {name: found.record for name, found in live.items() if found.record}
    return {name: record for name, record in records.items() if record.get("parked") and record.get("state") == ARMED}


def found(spec: Spec, errand: Errand, live: Mapping[str, LiveRouter]) -> Found | None:
    """What is to be taken up; None where nothing is parked, SpecError where this errand cannot take it up."""
    records = parked(live)
    if not records:
        return None
    name, record = next(iter(records.items()))
    run, release = str(record.get("run")), str(record.get("release"))
    words = {"run": run, "owner": record.get("owner"), "release": release, "at": record.get("parked")}
    if errand.verb != ROLLOUT:
        raise SpecError([problem("park.errand", "zdm_verb", errand.verb, **words)])
    if spec.release != release:
        raise SpecError([problem("park.release", "release", spec.release, **words)])
    read = {router: _read(each) for router, each in records.items()}
    first = read[name]
    alike = len(records) == len(live) and all(each == first for each in read.values())
    if first is None or not alike or {first[1], first[2]} != set(spec.pools):
        raise SpecError([problem(DISAGREE, name, run, others=_shown(live, records), **words)])
    left, stable, canary = first
    step = left["step"] + (1 if left["passed"] else 0)
    held = 0.0 if left["passed"] else float(left["held"])
    return Found(Takes(run, step, held, left["passed"]), stable, canary, left["steps"], left["step"], name)


def other_steps(known: Found, steps: tuple[Step, ...], spec: Spec) -> list[Problem]:
    """That the steps are not those of the parked run."""
    if known.digest == digest(steps) and known.takes.first < len(steps):
        return []
    words = {"run": known.takes.run, "release": spec.release, "step": known.step + 1}
    return [problem("park.steps", "steps", len(steps), **words)]


def disagrees(error: Exception) -> bool:
    """Whether some routers have parked what others have not."""
    return isinstance(error, SpecError) and any(each.rule == DISAGREE for each in error.problems)


def left(live: Mapping[str, LiveRouter]) -> Mapping[str, Any]:
    """The note of what all have parked."""
    return next((dict(record.get("note") or {}) for record in parked(live).values()), {})


_NOTE: Mapping[str, type | tuple[type, ...]] = {
    "step": int,
    "held": (int, float),
    "passed": bool,
    "steps": str,
}


def _read(record: Mapping[str, Any]) -> tuple[dict[str, Any], str, str] | None:
    """What of a record has to be alike at all routers; None where its note is none."""
    said = record.get("note")
    if not isinstance(said, Mapping) or not all(isinstance(said.get(key), kind) for key, kind in _NOTE.items()):
        return None
    if said["step"] < 0 or not 0 <= said["held"] < 1e9:
        return None
    kept = {"run": record.get("run"), **{key: said[key] for key in _NOTE}}
    return kept, str(record.get("stable")), str(record.get("canary"))


def _shown(live: Mapping[str, LiveRouter], records: Mapping[str, Any]) -> str:
    """What each router says of it."""
    told = []
    for name, router in live.items():
        record = router.record or {}
        how = f"parked by run {record.get('run')}" if name in records else record.get("state") or "no record"
        why = f" ({record['reason']})" if record.get("reason") and name not in records else ""
        told.append(f"{name} has {describe(router.traffic.split)}, {how}{why}")
    return "; ".join(told)
