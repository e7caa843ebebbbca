# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as the operator reads it. Pure: a plan in, lines out."""

from __future__ import annotations

from ..module_utils._split import describe, percent
from . import _duration
from ._plan import Plan, Step
from ._spec import Spec

DURABLE = {
    "yes": "the split survives a reload and a restart",
    "with_state_file": "the split survives a reload only by the server-state file",
    "no": "a reload or restart of the proxy loses the split; the agent looks after it while the rollout lasts",
}


def timeline(plan: Plan, spec: Spec) -> list[str]:
    """What will be done, when at the earliest, by what it is judged, and what cannot be promised."""
    lines = [f"{plan.service} in {plan.environment}: release {plan.release}, from {plan.stable} to {plan.canary}"]
    if spec.deploy_tasks:
        lines.append(f"  first: {spec.deploy_tasks} on each member of {plan.canary}, before any traffic")
    passed = 0.0
    for step in plan.steps:
        lines.append(f"  {_duration.text(passed):>6}  {_step(step, plan)}")
        passed += step.hold
    lines.append(f"  {_duration.text(passed):>6}  promoted at the earliest, {plan.stable} without traffic")
    for said, names in _alike(plan).items():
        lines += [f"  {', '.join(names)}: {said[0]}", *said[1:]]
    lines += [f"  {name} is left out: {reason}" for name, reason in plan.ignored.items()]
    lines += [f"  warning: {text}" for text in plan.warnings]
    return lines


def _alike(plan: Plan) -> dict[tuple[str, ...], list[str]]:
    """What there is to say of the routers, and of whom: of routers that are alike it is said once."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, router in plan.routers.items():
        said = (
            f"now {describe(plan.live[name])}; {DURABLE.get(router.durable, router.durable)}",
            *(f"    not promised: {text}" for text in router.promises),
            *(f"    warning: {text}" for text in router.warnings),
            "    if the controller dies: back to stable as soon as the connection ends",
        )
        alike.setdefault(said, []).append(name)
    return alike


def _step(step: Step, plan: Plan) -> str:
    if step.settle:
        return f"all traffic to {plan.stable} (the routers show neither 0 nor 100 %)"
    text = f"{plan.canary} {percent(step.weight)} %{_really(step, plan)}"
    if not step.hold:
        return f"{text}, no hold"
    judged = f", judged by {', '.join(step.checks)}" if step.checks else ", judged by nothing"
    needed = f", at least {step.min_requests} requests" if step.min_requests else ""
    return f"{text}, hold {_duration.text(step.hold)}{judged}{needed}"


def _really(step: Step, plan: Plan) -> str:
    """The shares that routers give where they differ from the wanted one."""
    wanted = percent(step.weight)
    shares = {name: percent(router.held[wanted]) for name, router in plan.routers.items()}
    off = [f"{name} {share} %" for name, share in shares.items() if share != wanted]
    return f" (really {', '.join(off)})" if off else ""
