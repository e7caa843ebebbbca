# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judging of a step: evidence of all routers, put before the step's judges; their verdicts made into one.

Rules of this room: no I/O and no clock (``t`` is an argument); what was counted or measured is brought in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..module_utils.judge import (
    INCONCLUSIVE,
    NO_DATA,
    Bounds,
    Comparison,
    Counts,
    Evidence,
    Judge,
    Measurement,
    Verdict,
    worst,
)
from ._plan import Step
from ._spec import Check
from .signals import router as counters


@dataclass
class _Case:
    """One check of the present step: its judge, the judge's state, and what it last said."""

    check: Check
    judge: Judge
    state: Mapping[str, Any]
    verdict: Verdict
    stretch: Counts = Counts()
    due: float = 0.0


@dataclass
class Judging:
    """Both arms' counts of the present step, and its cases. ``pool_of``: router -> server name -> pool."""

    stable: str
    canary: str
    checks: Mapping[str, Check]
    pool_of: Mapping[str, Mapping[str, str]]
    arms: dict[str, Counts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tally = counters.Tally(self.pool_of)
        self._baseline = Counts()
        self._step: Step | None = None
        self._cases: dict[str, _Case] = {}

    def begin(self, step: Step, t: float) -> None:
        """A step is in force on all routers: what came before is the baseline, its own evidence starts now."""
        self._baseline = self.arms.get(self.stable, Counts())
        self._step, self.arms = step, {}
        self._cases = {name: self._case(self.checks[name], step, t) for name in step.checks}

    def counted(self, router: str, totals: counters.Totals) -> None:
        """A router's counters, as totals; what is new in them is put before the judges that compare."""
        news = self._tally.add(router, totals)
        canary, stable = news.get(self.canary, Counts()), news.get(self.stable, Counts())
        for pool, counts in news.items():
            self.arms[pool] = self.arms.get(pool, Counts()) + counts
        after_switch = self._step is not None and self._step.weight == 100
        for case in self._cases.values():
            if case.check.compare:
                evidence = Evidence(canary, self._baseline if after_switch else stable, baseline=after_switch)
                self._weigh(case, evidence)
            elif case.check.signal == "router":
                case.stretch = case.stretch + canary

    def measured(self, name: str, measurement: Measurement) -> None:
        """A measurement of a check; ignored when the step it was made for is over."""
        if name in self._cases:
            self._weigh(self._cases[name], Evidence(measurement=measurement))

    def verdict(self, t: float) -> Verdict:
        """The step's verdict now: the worst of its checks and of the requests that canary must have seen."""
        for case in self._cases.values():
            if case.check.signal == "router" and not case.check.compare and t >= case.due:
                self._weigh(case, Evidence(measurement=counters.measure(case.stretch)))
                case.stretch, case.due = Counts(), t + case.check.every
        named = [Verdict(case.verdict.outcome, f"{name}: {case.verdict.reason}") for name, case in self._cases.items()]
        return worst([*named, *self._traffic()])

    def _traffic(self) -> list[Verdict]:
        """What speaks against a pass apart from the checks: canary has not had its requests."""
        least = self._step.min_requests if self._step and self._step.hold else 0
        had = self.arms.get(self.canary, Counts()).requests
        if had >= least:
            return []
        return [Verdict(INCONCLUSIVE if had else NO_DATA, f"canary has had {had} of {least} requests")]

    def _case(self, check: Check, step: Step, t: float) -> _Case:
        bounds = Bounds(check.min, check.max, check.in_a_row)
        judge: Judge = Comparison(step.min_requests) if check.compare else bounds
        state, verdict = judge.weigh(judge.start(), Evidence())
        return _Case(check, judge, state, verdict, due=t + check.every)

    @staticmethod
    def _weigh(case: _Case, evidence: Evidence) -> None:
        case.state, case.verdict = case.judge.weigh(case.state, evidence)
