# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of a spec can find within its holds, at the rate at which requests come now.

Rules of this room: pure. A spec and the present rate in, warnings out. A check that needs hours for what everybody
would call a bad release, in a step of minutes, lets it through to the next step: that is for people to know before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isinf, log

from ..module_utils.judge.foresight import seconds_to_find
from . import _duration
from ._checks import Check, Policy
from ._spec import Spec, StepSpec
from ._terms import watch_alpha

#: What everybody would call bad, where stable is better than half of it: so much of the requests fails, in percent.
BAD = 2.0
#: What is not learnt yet (judge/sequential.py).
DISPERSION = 2.0


@dataclass(frozen=True)
class Rate:
    """Requests a second of a service now, at all routers, and the percent of them that fail."""

    requests: float
    failing: float


def warnings(spec: Spec, rate: Rate) -> list[str]:
    """A line for each step and check that would not find a bad release within the hold."""
    return [
        text
        for index, step in enumerate(spec.steps)
        for name in step.checks
        for text in _of_check(spec, spec.checks[name], index, step, rate)
    ]


def _of_check(spec: Spec, check: Check, index: int, step: StepSpec, rate: Rate) -> Iterator[str]:
    policy = check.policy
    counted = check.signal == "router" and check.of == "errors"  # of what else there is nobody knows yet
    if policy is None or not counted or not step.hold or step.weight in (0, 100):
        return
    bad = max(BAD, 2.0 * (policy.ratio * rate.failing + policy.points))
    seconds = _seconds(spec, policy, step, bad, rate)
    if seconds <= step.hold:
        return
    needed = "are never found" if isinf(seconds) else f"take about {_duration.text(_rounded(seconds))} to find"
    yield (
        f"checks.{check.name}: {bad:.2g} % errors at {step.weight:g} % of {rate.requests:.3g} requests/s {needed};"
        f" the hold of step {index + 1} is {_duration.text(step.hold)}"
    )


def _seconds(spec: Spec, policy: Policy, step: StepSpec, bad: float, rate: Rate) -> float:
    """From the raise on: what is only somewhat worse is not looked for until canary is warm."""
    wanted = -log(policy.alpha or watch_alpha(spec) * _part(spec, policy))
    found = seconds_to_find(
        failing=bad / 100.0,
        good=rate.failing / 100.0,
        rate=rate.requests,
        share=step.weight / 100.0,
        wanted=wanted,
        ratio=policy.ratio,
        points=policy.points / 100.0,
        dispersion=policy.dispersion or DISPERSION,
    )
    return found + policy.warm_up


def _part(spec: Spec, policy: Policy) -> float:
    """This check's part of the watch's alpha."""
    sharing = [check.policy.weight for check in spec.checks.values() if check.policy and check.policy.alpha is None]
    return policy.weight / sum(sharing)


def _rounded(seconds: float) -> float:
    """As exact as it can be said beforehand: whole minutes above one, tens of seconds below."""
    unit = 60.0 if seconds >= 60.0 else 10.0
    return max(1, round(seconds / unit)) * unit
