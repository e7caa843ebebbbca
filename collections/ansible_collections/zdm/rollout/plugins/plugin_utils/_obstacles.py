# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against a plan that could be made: each a reason why the rollout does not start. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from . import _duration, _undo
from ._problem import Problem
from ._rules import problem
from ._spec import Spec
from ._terms import CLOSE, LEAVE, RESIDENT

if TYPE_CHECKING:
    # The plan is made with this.
    from ._plan import LiveRouter, Step


def against(
    spec: Spec,
    way: _undo.Way,
    steps: tuple[Step, ...],
    stable: str,
    live: Mapping[str, LiveRouter],
) -> Iterator[Problem]:
    """Every problem of these steps, which are to be made, on these routers."""
    yield from _locked(live)
    yield from _unguarded(spec, live)
    yield from _unruled(spec, live)
    yield from _unclosed(spec, live)
    yield from _sick_stable(spec, way, stable, live)
    yield from _too_long(spec, steps)


def dead(pool: str, live: Mapping[str, LiveRouter]) -> list[str]:
    """The routers at which a pool has no healthy member."""
    return [name for name, found in live.items() if not found.traffic.healthy(pool)]


def sick_target(way: _undo.Way, canary: str, live: Mapping[str, LiveRouter]) -> Iterator[Problem]:
    """A problem for each router that could not go to a release which is said to be there already."""
    if way.deploy:
        return
    for name in dead(canary, live):
        yield problem("undo.sick", name, way.release, pool=canary)


def _sick_stable(spec: Spec, way: _undo.Way, stable: str, live: Mapping[str, LiveRouter]) -> Iterator[Problem]:
    """A problem for each router that has nothing to go back to; the way back to an older release is none of these."""
    if spec.on_sick_stable == LEAVE or way.at_once:
        return
    for name in dead(stable, live):
        yield problem("plan.sick", name, stable, pool=stable)


def _too_long(spec: Spec, steps: tuple[Step, ...]) -> Iterator[Problem]:
    """A problem where the plan is longer than the job that runs it may live: it would be killed, and turned back."""
    if spec.max_run is None:
        return
    takes = sum(step.hold for step in steps)
    for step in steps:
        if step.approve is not None and step.approve.timeout is None:
            yield problem("plan.endless", "max_run", _duration.text(spec.max_run), step=step.index + 1)
        elif step.approve is not None:
            takes += float(step.approve.timeout or 0.0)
    if takes > spec.max_run:
        words = {"takes": _duration.text(takes), "ways": _ways(spec, steps)}
        yield problem("plan.long", "max_run", _duration.text(spec.max_run), **words)


def _ways(spec: Spec, steps: tuple[Step, ...]) -> str:
    """How more than one job could do it, one after the other."""
    if spec.guard != RESIDENT:
        return "with guard: resident it could be parked on the way, and taken up by the next job"
    points = ", ".join(park_points(steps, spec.max_run or 0.0))
    return f"raise max_run and park it {points}, with the playbook park: the next job takes it up"


def park_points(steps: tuple[Step, ...], most: float) -> list[str]:
    """Where runs of at most so many seconds each would have to park."""
    points, run, passed = list[str](), 0.0, 0.0
    for step in steps:
        needs = step.hold + float((step.approve.timeout if step.approve else None) or 0.0)
        if run and run + needs > most:
            points.append(f"after step {step.index} (at {_duration.text(passed)})")
            run = 0.0
        if needs > most:
            points.append(f"in step {step.index + 1} (at {_duration.text(passed + most)}; its hold goes on meanwhile)")
        run, passed = run + needs, passed + needs
    return points


def _locked(live: Mapping[str, LiveRouter]) -> Iterator[Problem]:
    """A problem for each router at which somebody lets no rollout start."""
    for name, found in live.items():
        lock = found.record.get("locked") if found.record else None
        if lock:
            why = f": {lock['reason']}" if lock.get("reason") else ""
            yield problem("plan.locked", name, lock.get("by"), router=name, at=lock.get("at"), why=why)


def _unruled(spec: Spec, live: Mapping[str, LiveRouter]) -> Iterator[Problem]:
    """A problem for each router that cannot lead requests by the spec's rules."""
    for name, found in live.items():
        if spec.rules and found.traffic.rules is None:
            yield problem("plan.rules", name, "no rules", rules=" and ".join(spec.rules), router=name)


def _unclosed(spec: Spec, live: Mapping[str, LiveRouter]) -> Iterator[Problem]:
    """A problem for each router that cannot end what is under way."""
    for name, found in live.items():
        if spec.on_revert == CLOSE and not found.traffic.closes:
            yield problem("plan.close", name, spec.on_revert)


def _unguarded(spec: Spec, live: Mapping[str, LiveRouter]) -> list[Problem]:
    """A problem for each router that lacks the resident guard that it is said to have."""
    if spec.guard != RESIDENT:
        return []
    return [problem("plan.guard", name, found.guard) for name, found in live.items() if found.guard != RESIDENT]
