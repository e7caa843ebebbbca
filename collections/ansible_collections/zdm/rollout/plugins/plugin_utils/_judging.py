# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judging of a rollout: evidence of all routers, put before the step's judges; their verdicts made into one.

Rules of this room: no I/O and no clock (``t`` is an argument); what was counted or measured is brought in.

Theory of operation. Each check of the present step is a *case*. What the sequential judge knows is carried from step to
step; all else begins anew with each. The evidence of all its cases is one sum, held against the watch's half of the
rollout's alpha; a check with an alpha of its own stands for itself. A release that has failed once has failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import log
from typing import Any

from ..module_utils.judge import (
    INCONCLUSIVE,
    NO_DATA,
    Bounds,
    CommonCause,
    Comparison,
    Counts,
    Evidence,
    Judge,
    Measurement,
    Sequential,
    Verdict,
    combined,
    traffic_share,
    worst,
)
from ._plan import Step
from ._spec import Check
from .signals import router as counters

#: The evidence on which it is said that requests do not come as the split says.
UNLIKE = log(1e4)


@dataclass
class _Case:
    """One check of the present step: its judge, the judge's state, and what it last said."""

    check: Check
    judge: Judge
    state: Mapping[str, Any]
    verdict: Verdict
    stretch: Counts = Counts()
    due: float = 0.0


@dataclass(frozen=True)
class Strength:
    """Evidence against canary as natural logarithms: what there is, what is wanted; and the check with most of it."""

    log_e: float
    wanted: float
    check: str


@dataclass
class Judging:
    """Both arms' counts of the present step, and its cases. ``pool_of``: router -> server name -> pool.

    ``alpha``: how probable it may be, ever, that a good release is turned back here.
    """

    stable: str
    canary: str
    checks: Mapping[str, Check]
    pool_of: Mapping[str, Mapping[str, str]]
    alpha: float
    arms: dict[str, Counts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tally = counters.Tally(self.pool_of)
        self._baseline = Counts()
        self._step: Step | None = None
        self._raised_at: float | None = None
        self._cases: dict[str, _Case] = {}
        self._carried: dict[str, Mapping[str, Any]] = {}
        self._convicted: Verdict | None = None
        self._common = CommonCause()
        self._common_state: Mapping[str, Any] = self._common.start()
        self._unlike_told = False
        self._spread: dict[str, Counts] = {}
        self._seen_in_step: set[str] = set()

    def raising(self) -> None:
        """Canary is being given more: until the next step begins it is not expected to be at its best."""
        self._raised_at = None

    def begin(self, step: Step, t: float) -> None:
        """A step is in force on all routers: what came before is the baseline, its own evidence starts now."""
        self._baseline = self.arms.get(self.stable, Counts())
        self._step, self.arms, self._raised_at = step, {}, t
        self._spread, self._seen_in_step, self._unlike_told = {}, set(), False
        self._carried.update({case.check.name: case.state for case, dummy in self._sequential()})
        self._cases = {name: self._case(self.checks[name], step, t) for name in step.checks}

    def counted(self, router: str, totals: counters.Totals, t: float) -> None:
        """A router's counters, as totals; what is new in them is put before the judges that compare."""
        members = self._tally.by_member(router, totals)
        news = {pool: sum(had.values(), Counts()) for pool, had in members.items()}
        canary, stable = news.get(self.canary, Counts()), news.get(self.stable, Counts())
        for pool, counts in news.items():
            self.arms[pool] = self.arms.get(pool, Counts()) + counts
            if router in self._seen_in_step:  # else some of it came before the raise, by the split of then
                self._spread[pool] = self._spread.get(pool, Counts()) + counts
        self._seen_in_step.add(router)
        switched = self._step is not None and self._step.weight == 100
        evidence = Evidence(canary, self._baseline if switched else stable, baseline=switched, t=t)
        evidence = replace(evidence, members={} if switched else members.get(self.stable, {}))
        for case in self._cases.values():
            if case.check.compare:
                self._weigh(case, replace(evidence, warm=self._is_warm(case.check, t)))
            elif case.check.signal == "router":
                case.stretch = case.stretch + canary
        if not switched:
            self._common_state = self._common.weigh(self._common_state, canary, stable, t)
        self._convict()

    def measured(self, name: str, measurement: Measurement) -> None:
        """A measurement of a check; ignored when the step it was made for is over."""
        if name in self._cases:
            self._weigh(self._cases[name], Evidence(measurement=measurement))

    def verdict(self, t: float) -> Verdict:
        """The step's verdict now: the worst of its checks and of the requests that canary must have seen."""
        if self._convicted is not None:
            return self._convicted
        for case in self._cases.values():
            if case.check.signal == "router" and not case.check.compare and t >= case.due:
                self._weigh(case, Evidence(measurement=counters.measure(case.stretch)))
                case.stretch, case.due = Counts(), t + case.check.every
        named = [Verdict(case.verdict.outcome, f"{name}: {case.verdict.reason}") for name, case in self._cases.items()]
        return worst([*named, *self._traffic()])

    @property
    def strength(self) -> Strength | None:
        """The evidence of the checks that share alpha; None where this step has no such check.

        All of the spec's share it, also those of other steps: weights that changed on the way would each get alpha.
        """
        sharing = {
            name: policy for name, check in self.checks.items() if (policy := check.policy) and policy.alpha is None
        }
        if not sharing.keys() & self._cases.keys():
            return None
        judge, states = Sequential(0), self.states
        parts = {
            name: (policy.weight, judge.log_e(states.get(name) or judge.start())) for name, policy in sharing.items()
        }
        log_e, strongest = combined(parts)
        return Strength(log_e, -log(self.alpha), strongest)

    @property
    def convinced(self) -> bool:
        """Whether every check that could say so says that canary is no worse than it may be, and one can."""
        said = [judge.convinced(case.state) for case, judge in self._sequential()]
        return bool(said) and all(said)

    @property
    def common_cause(self) -> str:
        """Why both pools fail at once, for people; empty where they do not."""
        return self._common.found(self._common_state)

    @property
    def states(self) -> dict[str, Mapping[str, Any]]:
        """What the sequential judge knows, by check: enough to go on from there on another machine."""
        return {**self._carried, **{case.check.name: case.state for case, dummy in self._sequential()}}

    def remark(self) -> str:
        """Once a step: that the requests do not come as the split says; empty otherwise."""
        step, spread = self._step, self._spread
        canary, stable = spread.get(self.canary, Counts()), spread.get(self.stable, Counts())
        if self._unlike_told or step is None or traffic_share.log_e(step.weight / 100.0, canary, stable) < UNLIKE:
            return ""
        self._unlike_told = True
        gets = 100.0 * canary.requests / (canary.requests + stable.requests)
        return (
            f"{self.canary} gets {gets:.2g} % of the requests ({canary.requests:,}), asked for were {step.weight:g} %:"
            " sessions that stick, or a balancing that does not go by weights? It is judged by those that came"
        )

    def _traffic(self) -> list[Verdict]:
        """What speaks against a pass apart from the checks: canary has not had its requests."""
        least = self._step.min_requests if self._step and self._step.hold else 0
        had = self.arms.get(self.canary, Counts()).requests
        if had >= least:
            return []
        return [Verdict(INCONCLUSIVE if had else NO_DATA, f"canary has had {had} of {least} requests")]

    def _case(self, check: Check, step: Step, t: float) -> _Case:
        judge = _judge(check, step)
        state = judge.start()
        if isinstance(judge, Sequential) and check.name in self._carried:
            state = judge.step(self._carried[check.name])
        state, verdict = judge.weigh(state, Evidence(t=t))
        return _Case(check, judge, state, verdict, due=t + check.every)

    def _is_warm(self, check: Check, t: float) -> bool:
        warm_up = check.policy.warm_up if check.policy else 0.0
        return self._raised_at is not None and t - self._raised_at >= warm_up

    def _sequential(self) -> Iterator[tuple[_Case, Sequential]]:
        """The cases with the sequential judge, and that."""
        for case in self._cases.values():
            if isinstance(case.judge, Sequential):
                yield case, case.judge

    def _convict(self) -> None:
        """Whether the evidence is enough by now; from then on it is."""
        if self._convicted is not None:
            return
        strength = self.strength
        switched = self._step is not None and self._step.weight == 100
        for case, judge in sorted(self._sequential(), key=lambda each: -each[1].log_e(each[0].state)):
            alpha = case.check.policy.alpha if case.check.policy else None
            if alpha is not None:
                log_e, wanted = judge.log_e(case.state), -log(alpha)
            elif strength is not None:
                log_e, wanted = strength.log_e, strength.wanted
            else:
                continue
            if log_e >= wanted:
                said = judge.failed(case.state, log_e, switched)
                self._convicted = Verdict(said.outcome, f"{case.check.name}: {said.reason}")
                return

    @staticmethod
    def _weigh(case: _Case, evidence: Evidence) -> None:
        case.state, case.verdict = case.judge.weigh(case.state, evidence)


def _judge(check: Check, step: Step) -> Judge:
    policy = check.policy
    if policy is not None:
        return Sequential(step.min_requests, policy.ratio, policy.points / 100.0, policy.dispersion)
    if check.compare:
        return Comparison(step.min_requests)
    return Bounds(check.min, check.max, check.in_a_row)
