# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a spec: written one by one, or made from a progression.

Rules of this room: the reading of ``steps`` and of what stands for them. A later strategy that makes its steps in
its own way is a function beside ``_progression``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import _duration, _spec_keys
from ._kinds import REQUESTS, SHARE, TEXT, Kind, duration, read_number
from ._reader import Reader, nearest, read
from ._rules import problem

#: A progression comes to 100 % within so many steps, or is refused.
MOST_STEPS = 100

HOLD = duration()


@dataclass(frozen=True)
class StepSpec:
    """Canary's share in percent, the hold in seconds, the requests it must have seen, the names of its checks.

    ``min_hold``: seconds of the hold after which the evidence may end it.
    """

    weight: float
    hold: float
    min_requests: int
    checks: tuple[str, ...]
    min_hold: float


def read_steps(top: Reader, min_requests: int, checks: tuple[str, ...]) -> tuple[StepSpec, ...]:
    """The spec's steps; ``min_requests`` and ``checks`` (all of them) are their defaults."""
    if top.has("steps") and top.has("progression"):
        top.note("spec.steps_twice", "progression", top.raw("progression"))
    elif top.has("progression"):
        progression = top.mapping("progression", _spec_keys.PROGRESSION)
        if progression.is_mapping and top.raw("progression") is not None:
            return tuple(_step(*each, min_requests, checks) for each in _progression(progression))
    elif top.has("steps"):
        return _written(top, min_requests, checks)
    else:
        top.note("spec.no_steps", "steps")
    return ()


def _step(weight: float, hold: float, min_hold: float, min_requests: int, checks: tuple[str, ...]) -> StepSpec:
    """A step that says nothing more: where it does not hold, there is no time to judge in."""
    return StepSpec(weight, hold, min_requests, checks, min_hold) if hold else StepSpec(weight, 0.0, 0, (), 0.0)


def _written(top: Reader, min_requests: int, checks: tuple[str, ...]) -> tuple[StepSpec, ...]:
    if top.raw("steps") == []:
        top.note("step.none", "steps", [])
    steps = []
    before = 0.0
    for step in top.mappings("steps", _spec_keys.STEP):
        weight = step.required("weight", SHARE, None)
        if weight is not None and weight <= before:
            step.note("step.rising", "weight", weight, before=f"{before:g}")
        before = weight or before
        plain = _step(weight or before, *_hold(step), min_requests, checks)
        steps.append(
            StepSpec(
                plain.weight,
                plain.hold,
                step.optional("min_requests", REQUESTS, plain.min_requests),
                _names(step, checks) if step.has("checks") else plain.checks,
                plain.min_hold,
            )
        )
    if steps and before != 100:
        top.note("step.last", f"steps[{len(steps) - 1}].weight", before)
    return tuple(steps)


def _hold(step: Reader) -> tuple[float, float]:
    """``hold`` and ``min_hold``, which is at most that."""
    hold = step.optional("hold", HOLD, 0.0)
    min_hold = step.optional("min_hold", HOLD, hold)
    if min_hold > hold:
        step.note("step.min_hold", "min_hold", step.raw("min_hold"), hold=_duration.text(hold))
    return hold, min(min_hold, hold)


def _names(step: Reader, checks: tuple[str, ...]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for path, item in step.list("checks"):
        name = read(TEXT, item, path, None, step.problems)
        if name in checks:
            names[name] = None
        elif name is not None:
            known = ", ".join(checks) or "there are none"
            step.problems.append(problem("step.check", path, name, checks=known, hint=nearest(name, checks)))
    return tuple(names)


def _read_factor(value: object) -> float:
    factor = read_number(value)
    if not 1 < factor <= 100:
        raise ValueError(value)
    return factor


FACTOR = Kind("progression.factor", _read_factor)


def _progression(written: Reader) -> list[tuple[float, float, float]]:
    """Weights, holds and least holds: from ``first`` on, times ``factor`` or plus ``add``, ending in exactly 100."""
    first = written.required("first", SHARE, None)
    factor = written.optional("factor", FACTOR, None)
    add = written.optional("add", SHARE, None)
    hold, min_hold = _hold(written)
    first_hold = written.optional("first_hold", HOLD, hold)
    if written.has("factor") == written.has("add"):
        written.problems.append(problem("progression.growth", written.path, dict.fromkeys(written.keys())))
    if first is None or (factor is None) == (add is None):
        return []
    weights = list(_growth(first, factor or 1.0, add or 0.0))
    if weights[-1] != 100:
        written.note("progression.long", "factor" if factor else "add", factor or add, most=MOST_STEPS)
    holds = [first_hold, *[hold] * (len(weights) - 1)]
    least = [min(each, min_hold) if written.has("min_hold") else each for each in holds]
    return list(zip(weights, holds, least, strict=True))


def _growth(first: float, factor: float, add: float) -> Iterator[float]:
    """Shares with two decimals, each more than the one before; it ends in 100, or after MOST_STEPS."""
    exact, weight = first, first
    for dummy in range(MOST_STEPS):
        yield weight
        if weight == 100:
            return
        exact = exact * factor + add
        weight = min(100.0, max(round(exact, 2), round(weight + 0.01, 2)))
