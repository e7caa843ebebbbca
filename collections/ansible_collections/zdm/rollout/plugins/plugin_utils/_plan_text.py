# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as the operator reads it. Pure: a plan in, lines out."""

from __future__ import annotations

from ..module_utils._notify import named
from ..module_utils._split import describe, percent
from ..module_utils.routers.rules import MATCH, PREVIEW
from . import _duration
from ._errand import ROLLOUT
from ._plan import Plan, RouterPlan, Step
from ._spec import Spec
from ._terms import HOLD, NONE, ROLLBACK

#: What a guard takes at most to see that its lease is over and to bring traffic back, in seconds.
LATE_SECONDS = 1.0

DURABLE = {
    "yes": "the split survives a reload and a restart",
    "with_state_file": "the split survives a reload only by the server-state file",
    "no": "a reload or restart of the proxy loses the split; the agent looks after it while the rollout lasts",
}


def timeline(plan: Plan, spec: Spec) -> list[str]:
    """What will be done, when at the earliest, by what it is judged, and what cannot be promised."""
    verb = f" ({plan.verb})" if plan.verb != ROLLOUT else ""
    lines = [f"{plan.service} in {plan.environment}: release {plan.release}, from {plan.stable} to {plan.canary}{verb}"]
    if plan.takes:
        where = f"step {plan.takes.first + 1} of {len(plan.steps)}"
        had = f"held {plan.takes.held:.0f} s, and for as long as all its guards have watched since"
        lines.append(f"  takes up the parked run {plan.takes.run}: {where} {'begins' if plan.takes.fresh else had}")
    elif not plan.deploy:
        lines.append(f"  first: nothing, {plan.canary} has had it since it served")
    elif spec.deploy_tasks:
        lines.append(f"  first: {spec.deploy_tasks} on each member of {plan.canary}, before any traffic")
    lines += [f"  {said}" for said in _ruled(spec)]
    passed = 0.0
    for step in plan.to_do:
        lines.append(f"  {_duration.text(passed):>6}  {_step(step, plan)}")
        passed += step.hold
    lines.append(f"  {_duration.text(passed):>6}  promoted at the earliest, {plan.stable} without traffic")
    lines += [f"  {text}" for text in _minded(plan, spec)]
    for said, names in _alike(plan, spec).items():
        lines += [f"  {', '.join(names)}: {said[0]}", *said[1:]]
    lines += [f"  {name} is left out: {reason}" for name, reason in plan.ignored.items()]
    lines += [f"  warning: {text}" for text in plan.warnings]
    return lines


def _ruled(spec: Spec) -> list[str]:
    """Who goes to a pool whatever the shares are."""
    what = {MATCH: "match (until canary has everything)", PREVIEW: "preview (always, to the pool without traffic)"}
    return [
        f"{what[name]}: " + ", or ".join(f"{rule.kind} {rule.name} is {rule.value}" for rule in rules)
        for name, rules in spec.rules.items()
    ]


def _minded(plan: Plan, spec: Spec) -> list[str]:
    """What is done without being asked, on any router, and who is told."""
    reflex = "none, only the checks turn a bad release back"
    if spec.reflex is not None and spec.guard != NONE:
        reflex = (
            f"a router where {plan.canary} fails hard takes all of them back to {plan.stable}, checks or not"
            f" (alpha {spec.reflex.alpha:g}, dispersion {spec.reflex.dispersion:g}, from {spec.reflex.min_failures}"
            " failures on)"
        )
    second = "all routers go back" if spec.on_foreign_change == ROLLBACK else "the rollout is paused"
    return [
        f"reflex: {reflex}",
        f"a split that somebody else makes: it is put back once; the second time within a minute {second}",
        *(f"tells {named(entry.to_json())}: {', '.join(entry.on)}" for entry in spec.notify),
    ]


def _alike(plan: Plan, spec: Spec) -> dict[tuple[str, ...], list[str]]:
    """What there is to say of the routers, and of whom: of routers that are alike it is said once."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, router in plan.routers.items():
        said = (
            f"now {describe(plan.live[name])}; {DURABLE.get(router.durable, router.durable)}",
            *(f"    not promised: {text}" for text in router.promises),
            *(f"    warning: {text}" for text in router.warnings),
            f"    if the controller dies: {_abandoned(plan, router, spec)}",
        )
        alike.setdefault(said, []).append(name)
    return alike


def _abandoned(plan: Plan, router: RouterPlan, spec: Spec) -> str:
    """What becomes of this router's traffic when nobody is left to renew its lease."""
    if spec.guard == NONE:
        return f"{plan.canary} keeps its share, and nobody minds it (guard: none)"
    guard = f"guard: {spec.guard}, lease {_duration.text(spec.lease)}"
    if spec.on_abandon == HOLD:
        return f"{plan.canary} keeps its share, state held ({guard})"
    sick = "" if router.way_back else f", but not before {plan.stable} has a healthy member"
    return f"all traffic back to {plan.stable} within {_duration.text(spec.lease + LATE_SECONDS)}{sick} ({guard})"


def _step(step: Step, plan: Plan) -> str:
    if step.settle:
        return f"all traffic to {plan.stable} (the routers show neither 0 nor 100 %)"
    text = f"{plan.canary} {percent(step.weight)} %{_really(step, plan)}"
    if step.matched:
        text += ", and who matches" if step.weight else f", {plan.canary} is for who matches"
    elif not step.weight:
        text = f"{plan.canary} is looked at without traffic"
    if not step.hold:
        return f"{text}, no hold{_approval(step)}"
    judged = f", judged by {', '.join(step.checks)}" if step.checks else ", judged by nothing"
    judged += f", to learn how {plan.stable} does for {', '.join(step.learns)}" if step.learns else ""
    needed = f", at least {step.min_requests} requests" if step.min_requests else ""
    early = f" (from {_duration.text(step.min_hold)} on, if sure)" if step.min_hold is not None else ""
    return f"{text}, hold {_duration.text(step.hold)}{early}{judged}{needed}{_approval(step)}"


def _approval(step: Step) -> str:
    if step.approve is None:
        return ""
    if step.approve.timeout is None:
        return ", then somebody has to promote it"
    late = "all goes back" if step.approve.on_timeout == ROLLBACK else "it goes on"
    return f", then somebody has to promote it within {_duration.text(step.approve.timeout)}, or {late}"


def _really(step: Step, plan: Plan) -> str:
    """The shares that routers give where they differ from the wanted one."""
    wanted = percent(step.weight)
    shares = {name: percent(router.held[wanted]) for name, router in plan.routers.items()}
    off = [f"{name} {share} %" for name, share in shares.items() if share != wanted]
    return f" (really {', '.join(off)})" if off else ""
