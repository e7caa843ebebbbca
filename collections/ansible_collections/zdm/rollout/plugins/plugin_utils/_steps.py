# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a spec: written one by one, or made by its strategy.

Rules of this room: the reading of ``steps`` and of what stands for them. A strategy is a way to make steps and no
more: a later one is a function beside ``_progression`` and ``_blue_green``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..module_utils.routers.rules import MATCH
from . import _duration, _spec_keys
from ._checks import Check
from ._kinds import REQUESTS, SHARE, SHARE_OR_NONE, TEXT, bounded, duration
from ._reader import Reader, nearest, read
from ._rules import problem

#: A progression comes to 100 % within so many steps, or is refused.
MOST_STEPS = 100

HOLD = duration()
APPROVAL = duration(1)
FACTOR = bounded("progression.factor", 1, 100, above=True)

ROLLBACK = "rollback"
PROGRESSIVE, BLUE_GREEN = "progressive", "blue_green"
#: What a blue-green switch is looked at afterwards, unless it is said; and before it, to know how stable does.
BAKE_SECONDS, BASELINE_SECONDS = 600.0, 30.0


@dataclass(frozen=True)
class Approve:
    """A person has to say that a step is done: within ``timeout`` seconds (None: at any time), else ``on_timeout``."""

    timeout: float | None = None
    on_timeout: str = ROLLBACK


@dataclass(frozen=True)
class StepSpec:
    """Canary's share in percent, the hold in seconds, the requests it must have seen, the names of its checks.

    ``min_hold``: seconds of the hold after which the evidence may end it. ``approve``: who says that it is done.
    ``learns``: names of checks that only take in here how stable does, to have something to compare with later.
    """

    weight: float
    hold: float
    min_requests: int
    checks: tuple[str, ...]
    min_hold: float
    approve: Approve | None = None
    learns: tuple[str, ...] = ()


def read_steps(
    top: Reader, strategy: str, min_requests: int, checks: Mapping[str, Check], names: tuple[str, ...]
) -> tuple[StepSpec, ...]:
    """The spec's steps; ``min_requests`` and ``names`` (of all checks, also of those that make no sense) are their
    defaults."""
    for key in _spec_keys.OF_OTHER_STRATEGIES.get(strategy, ()):
        if top.has(key):
            top.note("strategy.key", key, top.raw(key), strategy=strategy)
    if strategy == BLUE_GREEN:
        return _blue_green(top, min_requests, checks, names)
    if strategy == PROGRESSIVE:
        return _progressive(top, min_requests, checks, names)
    if top.has("steps") and top.has("progression"):
        top.note("spec.steps_twice", "progression", top.raw("progression"))
    elif top.has("progression"):
        return _progression(top, min_requests, names)
    elif top.has("steps"):
        return _written(top, min_requests, names)
    elif top.sound("strategy"):
        top.note("spec.no_steps", "steps")
    return ()


def _blue_green(
    top: Reader, min_requests: int, checks: Mapping[str, Check], names: tuple[str, ...]
) -> tuple[StepSpec, ...]:
    """Canary is looked at without traffic, then gets all of it at once, and bakes."""
    bake = top.optional("bake", HOLD, BAKE_SECONDS)
    asked = tuple(name for name, check in checks.items() if not check.needs_traffic)
    learns = tuple(name for name, check in checks.items() if check.compare) if bake else ()
    look = max([checks[name].needed for name in asked] + [BASELINE_SECONDS if learns else 0.0])
    before = StepSpec(0.0, look, 0, asked, look, read_approve(top), learns)
    switch = _step(100.0, bake, bake, min_requests, names)
    return (before, switch) if look or before.approve else (switch,)


def _progressive(
    top: Reader, min_requests: int, checks: Mapping[str, Check], names: tuple[str, ...]
) -> tuple[StepSpec, ...]:
    """A progression in which each raise comes as soon as the checks agreed as often in a row as they are to."""
    if not top.has("progression"):
        top.note("key.missing", "progression", what="first, and factor or add")
        return ()
    written, needed = top.raw("progression"), max([check.needed for check in checks.values()], default=0.0)
    if not needed and isinstance(written, Mapping) and "hold" not in written and top.sound("checks"):
        top.note("strategy.hold", "progression", dict(written))
    return _progression(top, min_requests, names, needed)


def _step(weight: float, hold: float, min_hold: float, min_requests: int, checks: tuple[str, ...]) -> StepSpec:
    """A step that says nothing more: where it does not hold, there is no time to judge in."""
    return StepSpec(weight, hold, min_requests, checks, min_hold) if hold else StepSpec(weight, 0.0, 0, (), 0.0)


def _written(top: Reader, min_requests: int, checks: tuple[str, ...]) -> tuple[StepSpec, ...]:
    if top.raw("steps") == []:
        top.note("step.none", "steps", [])
    readable = bool(checks) or top.sound("checks")
    steps = []
    before, unread = 0.0, False
    for number, step in enumerate(top.mappings("steps", _spec_keys.STEP)):
        weight = step.required("weight", SHARE_OR_NONE if number == 0 else SHARE, None)
        if weight == 0 and not top.has(MATCH):
            step.note("step.matched", "weight", weight)
        elif weight is not None and weight <= before and number:
            step.note("step.rising", "weight", weight, before=f"{before:g}")
        before = weight or before
        unread = unread or weight is None
        plain = _step(weight or before, *_hold(step), min_requests, checks)
        steps.append(
            StepSpec(
                plain.weight,
                plain.hold,
                step.optional("min_requests", REQUESTS, plain.min_requests),
                _names(step, checks, readable) if step.has("checks") else plain.checks,
                plain.min_hold,
                read_approve(step),
            )
        )
    # Where a step could not be read, nobody knows how high it goes.
    if steps and before != 100 and not unread and len(steps) == len(top.list("steps")):
        top.note("step.last", f"steps[{len(steps) - 1}].weight", before)
    return tuple(steps)


def read_approve(step: Reader) -> Approve | None:
    """``approve``: true, or how long somebody is waited for."""
    written = step.raw("approve")
    if written is None or isinstance(written, bool):
        return Approve() if written else None
    if not isinstance(written, Mapping):
        step.note("step.approve", "approve", written)
        return None
    approve = step.mapping("approve", _spec_keys.APPROVE)
    on_timeout = approve.choice("on_timeout", _spec_keys.ON_TIMEOUT, ROLLBACK)
    if approve.has("on_timeout") and not approve.has("timeout"):
        approve.note("key.missing", "timeout", what="how long to wait for the approval, such as 4h")
    return Approve(approve.optional("timeout", APPROVAL, None), on_timeout)


def _hold(step: Reader, default: float = 0.0) -> tuple[float, float]:
    """``hold`` and ``min_hold``, which is at most that."""
    hold = step.optional("hold", HOLD, default)
    min_hold = step.optional("min_hold", HOLD, hold)
    if min_hold > hold and step.sound("hold"):
        step.note("step.min_hold", "min_hold", step.raw("min_hold"), hold=_duration.text(hold))
    return hold, min(min_hold, hold)


def _names(step: Reader, checks: tuple[str, ...], readable: bool) -> tuple[str, ...]:
    """Those that are checks; where checks are not ``readable``, no name is blamed for it."""
    names: dict[str, None] = {}
    for path, item in step.list("checks"):
        name = read(TEXT, item, path, None, step.problems)
        if name in checks:
            names[name] = None
        elif name is not None and readable:
            known = ", ".join(checks) or "there are none"
            step.problems.append(problem("step.check", path, name, checks=known, hint=nearest(name, checks)))
    return tuple(names)


def _progression(top: Reader, min_requests: int, names: tuple[str, ...], hold: float = 0.0) -> tuple[StepSpec, ...]:
    """The steps of ``progression``, whose ``hold`` is this where it says none."""
    written = top.mapping("progression", _spec_keys.PROGRESSION)
    if not written.is_mapping or top.raw("progression") is None:
        return ()
    return tuple(_step(*each, min_requests, names) for each in _shares(written, hold))


def _shares(written: Reader, default: float) -> list[tuple[float, float, float]]:
    """Weights, holds and least holds: from ``first`` on, times ``factor`` or plus ``add``, ending in exactly 100."""
    first = written.required("first", SHARE, None)
    factor = written.optional("factor", FACTOR, None)
    add = written.optional("add", SHARE, None)
    hold, min_hold = _hold(written, default)
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
