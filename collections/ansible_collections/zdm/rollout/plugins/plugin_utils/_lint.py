# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lint: what a spec says is well-formed, but cannot mean what its author wanted.

Rules of this room: a Spec in, problems and warnings out. A declared check that can never fire, or never pass, is a
problem: it would either wave a bad release through or turn every release back. What may be meant is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..module_utils.judge.threshold import LEAST_REQUESTS
from . import _duration
from ._problem import Problem
from ._rules import problem
from ._terms import RESIDENT

if TYPE_CHECKING:
    # The spec is read with lint as the last of its rules.
    from ._spec import Check, Spec, StepSpec


def lint(spec: Spec) -> list[Problem]:
    """Everything that has to be mended before a rollout may start."""
    return [*_of_steps(spec), *(found for check in spec.checks.values() for found in _of_check(spec, check))]


def warnings(spec: Spec) -> list[str]:
    """What an operator should know before starting; none of it stops a rollout."""
    return [
        *_of_policy(spec),
        *(text for check in spec.checks.values() for text in _of_timing(spec, check)),
        *_of_notify(spec),
    ]


def _of_steps(spec: Spec) -> Iterator[Problem]:
    for index, step in enumerate(spec.steps):
        if not step.hold and step.checks:
            yield problem("lint.no_hold", f"steps[{index}].checks", list(step.checks))
        if not step.hold and step.min_requests:
            yield problem("lint.requests", f"steps[{index}].min_requests", step.min_requests)
        if step.min_hold < step.hold and not any(spec.checks[name].policy for name in step.checks):
            yield problem("lint.min_hold", f"steps[{index}].min_hold", _duration.text(step.min_hold))


def _of_check(spec: Spec, check: Check) -> Iterator[Problem]:
    key = f"checks.{check.name}"
    judged = _steps_of(spec, check)
    if not judged:
        yield problem("lint.unused", key, check.name, check=check.name)
    if check.of == "errors" and check.max is not None and check.max >= 100:
        yield problem("lint.max", f"{key}.max", check.max)
    if check.of == "errors" and check.min is not None and check.min <= 0:
        yield problem("lint.min", f"{key}.min", check.min)
    for index, step in judged:
        limit = step.hold + (spec.progress_deadline if spec.on_inconclusive is None else 0.0)
        if step.hold and check.needed > limit:
            yield problem(
                "lint.slow",
                f"{key}.every",
                _duration.text(check.every),
                limit=_duration.text(limit / check.in_a_row),
                in_a_row=f"{check.in_a_row} measurement{'s' if check.in_a_row > 1 else ''} in a row",
                step=_named(index, step),
            )
        if check.compare and step.weight == 100 and not (index and spec.steps[index - 1].hold):
            yield problem("lint.baseline", f"{key}.compare", check.compare)


def _of_policy(spec: Spec) -> Iterator[str]:
    if not spec.checks:
        yield "no checks: nothing but canary's health and its requests stops a bad release; add checks to the spec"
    elif not any(check.signal == "router" for check in spec.checks.values()):
        yield "no check counts what users get: add one with signal: router, such as errors compared with stable"
    if not any(step.hold for step in spec.steps):
        yield "no step has a hold: all traffic moves without a look at what canary does with it"
    elif spec.steps[0].weight == 100:
        yield "one step of 100 %: every user has the new release before anything is known of it"


def _of_timing(spec: Spec, check: Check) -> Iterator[str]:
    for index, step in _steps_of(spec, check):
        if check.needed > step.hold:
            yield (
                f"checks.{check.name}: {_duration.text(check.needed)} for its {check.in_a_row} measurements are more"
                f" than the hold of {_named(index, step)}, which will take that long"
            )
        if check.policy and step.hold <= check.policy.warm_up:
            yield (
                f"checks.{check.name}: in {_named(index, step)} only hard failures are found: its warm_up of"
                f" {_duration.text(check.policy.warm_up)} is not over before; hold longer, or lower warm_up"
            )
        if check.compare and not check.policy and step.min_requests < LEAST_REQUESTS:
            yield (
                f"checks.{check.name}: {_named(index, step)} is over after {step.min_requests} requests, of which a"
                f" comparison makes nothing: it can fail from {LEAST_REQUESTS} on; raise min_requests"
            )


def _of_notify(spec: Spec) -> Iterator[str]:
    if spec.guard != RESIDENT and any("reverted" in entry.on for entry in spec.notify):
        yield (
            "notify: without a resident guard nobody pages when the controller is gone: write guard: resident, or take"
            " reverted out of on"
        )


def _steps_of(spec: Spec, check: Check) -> list[tuple[int, StepSpec]]:
    return [(index, step) for index, step in enumerate(spec.steps) if check.name in step.checks]


def _named(index: int, step: StepSpec) -> str:
    return f"step {index + 1} ({step.weight:g} %, hold {_duration.text(step.hold)})"
