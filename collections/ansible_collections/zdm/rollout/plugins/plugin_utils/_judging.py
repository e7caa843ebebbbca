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
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import log
from typing import Any

from ..module_utils.judge import (
    ERROR,
    INCONCLUSIVE,
    NO_DATA,
    Bounds,
    CommonCause,
    Comparison,
    Continuous,
    Counts,
    Evidence,
    Judge,
    Measurement,
    Sequential,
    SequentialLatency,
    Verdict,
    combined,
    traffic_share,
    worst,
)
from ._checks import Policy
from ._plan import Step
from ._spec import Check
from .signals import latency
from .signals import router as counters

#: The evidence on which it is said that requests do not come as the split says.
UNLIKE = log(1e4)


#: Where members count themselves, for the tally.
MEMBERS = "members"


@dataclass
class _Case:
    """One check of the present step: its judge, the judge's state, and what it last said, unless that is ``stale``.
    ``arms``: both pools' counts of this step, where it has its own.
    """

    check: Check
    judge: Judge
    state: Mapping[str, Any]
    verdict: Verdict
    stretch: Counts = Counts()
    due: float = 0.0
    arms: dict[str, Counts] = field(default_factory=dict)
    stale: bool = False


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
        self._tallies: dict[str, counters.Tally] = {}
        self._pool_of_member: dict[str, str] = {}
        self._times: dict[str, latency.Tally] = {}
        self._baselines: dict[str, Counts] = {}
        self._sharing = {
            name: (policy.weight, _continuous(check, policy, 0))
            for name, check in self.checks.items()
            if (policy := check.policy) and policy.alpha is None
        }
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
        self._baselines.update({name: case.arms.get(self.stable, Counts()) for name, case in self._cases.items()})
        self._step, self.arms, self._raised_at = step, {}, t
        self._spread, self._seen_in_step, self._unlike_told = {}, set(), False
        self._carried.update({case.check.name: case.state for case, dummy in self._sequential()})
        self._cases = {name: self._case(self.checks[name], step, t) for name in (*step.checks, *step.learns)}

    def counted(self, router: str, totals: counters.Totals, t: float) -> None:
        """A router's counters, as totals; what is new in them is put before the judges that compare."""
        members = self._tally.by_member(router, totals)
        for pool, had in members.items():
            counts = sum(had.values(), Counts())
            self.arms[pool] = self.arms.get(pool, Counts()) + counts
            if router in self._seen_in_step:  # else some of it came before the raise, by the split of then
                self._spread[pool] = self._spread.get(pool, Counts()) + counts
        self._seen_in_step.add(router)
        evidence = self._evidence(members, self._baseline, t)
        for case in self._cases.values():
            if case.check.signal == "router" and case.check.of == "errors":
                self._count(case, evidence)
        if not self._switched:
            self._common_state = self._common.weigh(self._common_state, evidence.canary, evidence.stable, t)
        self._convict()

    def counted_by_members(self, name: str, pools: Mapping[str, Mapping[str, Any]], t: float) -> None:
        """What the members of both pools counted themselves for a check, as totals: pool -> member -> totals."""
        self._pool_of_member.update({member: pool for pool, totals in pools.items() for member in totals})
        tally = self._tallies.setdefault(name, counters.Tally({MEMBERS: self._pool_of_member}))
        totals = {member: total for members in pools.values() for member, total in members.items()}
        members = tally.by_member(MEMBERS, totals)
        if name in self._cases:
            case = self._cases[name]
            for pool, had in members.items():
                case.arms[pool] = sum(had.values(), case.arms.get(pool, Counts()))
            self._count(case, self._evidence(members, self._baselines.get(name, Counts()), t))
            if not case.check.compare:
                self._measure_stretch(case)
            self._convict()

    def timed(self, name: str, totals: latency.Totals, t: float, lag: float = 0.0) -> None:
        """How long requests took, as totals that are at most ``lag`` seconds late, for a check of latency."""
        tally = self._times.setdefault(name, latency.Tally(self.stable, self.canary))
        times = tally.add(totals)
        if name in self._cases:
            case = self._cases[name]
            warm = self._is_warm(case.check, t - lag)
            self._weigh(case, Evidence(times=times, baseline=self._switched, warm=warm, t=t))
            self._convict()

    def unread(self, name: str, why: str) -> None:
        """A check's source did not answer, or not with what was asked for; what is known of it stays."""
        if name in self._cases:
            self._cases[name].verdict, self._cases[name].stale = Verdict(ERROR, why), False

    def measured(self, name: str, measurement: Measurement) -> None:
        """A measurement of a check; ignored when the step it was made for is over."""
        if name in self._cases:
            self._weigh(self._cases[name], Evidence(measurement=measurement))

    def verdict(self, t: float) -> Verdict:
        """The step's verdict now: the worst of its checks and of the requests that canary must have seen."""
        if self._convicted is not None:
            return self._convicted
        for case in self._cases.values():
            counts = case.check.signal == "router" and not case.check.compare
            if counts and t >= case.due:
                self._measure_stretch(case)
                case.due = t + case.check.every
        for case, judge in self._sequential():
            if case.stale:  # words take longer than evidence, and nobody needs them more often
                case.verdict, case.stale = judge.verdict(case.state, self._switched), False
        judged = {name: case for name, case in self._cases.items() if self._judges(name)}
        named = [Verdict(case.verdict.outcome, f"{name}: {case.verdict.reason}") for name, case in judged.items()]
        return worst([*named, *self._traffic()])

    @property
    def strength(self) -> Strength | None:
        """The evidence of the checks that share alpha; None where this step has no such check.

        All of the spec's share it, also those of other steps: weights that changed on the way would each get alpha.
        """
        if not self._sharing.keys() & self._cases.keys():
            return None
        states = self.states
        parts = {
            name: (weight, judge.log_e(states.get(name) or judge.start()))
            for name, (weight, judge) in self._sharing.items()
        }
        log_e, strongest = combined(parts)
        return Strength(log_e, -log(self.alpha), strongest)

    @property
    def convicted(self) -> Verdict | None:
        """The verdict of the evidence, once there is enough of it; from then on."""
        return self._convicted

    @property
    def convinced(self) -> bool:
        """Whether every check that could say so says that canary is no worse than it may be, and one can."""
        said = [judge.convinced(case.state) for case, judge in self._sequential() if self._judges(case.check.name)]
        return bool(said) and all(said)

    @property
    def common_cause(self) -> str:
        """Why both pools fail at once, for people; empty where they do not."""
        return self._common.found(self._common_state)

    @property
    def states(self) -> dict[str, Mapping[str, Any]]:
        """What the sequential judge knows, by check: enough to go on from there on another machine."""
        return {**self._carried, **{case.check.name: case.state for case, dummy in self._sequential()}}

    @property
    def baseline(self) -> list[int]:
        """What stable had, as [requests, failures], with which a later step of 100 % is compared."""
        had = self._baseline if self._switched else self.arms.get(self.stable, Counts())
        return [had.requests, had.failures]

    def resume(self, left: Mapping[str, Any], t: float) -> None:
        """Go on from what another run's judging left (``states``, ``baseline``), as far as it can be read.

        Its times are of another machine's clock, on which it was ``left["t"]``; what has passed since is nothing to it.
        """
        states, then = left.get("judge"), left.get("t")
        for name, check in self.checks.items():
            state = states.get(name) if isinstance(states, Mapping) else None
            if check.policy is None or state is None or not isinstance(then, (int, float)):
                continue
            judge = _continuous(check, check.policy, 0)
            # It lay on a disk, and what does not go through the judge now must not meet it in the middle of a step.
            with suppress(ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                state = _shifted(state, t - then)
                judge.weigh(judge.step(state), Evidence())
                judge.log_e(state)
                self._carried[name] = state
        with suppress(TypeError, ValueError):
            requests, failures = left.get("stable") or (0, 0)
            self.arms[self.stable] = Counts(int(requests), int(failures))

    @property
    def counts(self) -> dict[str, list[int]]:
        """What both had in this step, as the journal has it: [requests, failures]."""
        roles = {"stable": self.arms.get(self.stable, Counts()), "canary": self.arms.get(self.canary, Counts())}
        return {role: [had.requests, had.failures] for role, had in roles.items()}

    def remark(self) -> str:
        """Once a step: that the requests do not come as the split says; empty otherwise."""
        step, spread = self._step, self._spread
        canary, stable = spread.get(self.canary, Counts()), spread.get(self.stable, Counts())
        if self._unlike_told or step is None or step.matched:
            return ""
        if traffic_share.log_e(step.weight / 100.0, canary, stable) < UNLIKE:
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
        if isinstance(judge, Continuous) and check.name in self._carried:
            state = judge.step(self._carried[check.name])
        state, verdict = judge.weigh(state, Evidence(t=t))
        return _Case(check, judge, state, verdict, due=t + check.every)

    def _is_warm(self, check: Check, t: float) -> bool:
        warm_up = check.policy.warm_up if check.policy else 0.0
        return self._raised_at is not None and t - self._raised_at >= warm_up

    def _judges(self, name: str) -> bool:
        """Whether the step goes by this check; by some it only learns how stable does."""
        return self._step is None or name not in self._step.learns

    @property
    def _switched(self) -> bool:
        """Whether stable has no share any more."""
        return self._step is not None and self._step.weight == 100

    def _sequential(self) -> Iterator[tuple[_Case, Continuous]]:
        """The cases with the sequential judge, and that."""
        for case in self._cases.values():
            if isinstance(case.judge, Continuous):
                yield case, case.judge

    def _evidence(self, members: Mapping[str, Mapping[str, Counts]], baseline: Counts, t: float) -> Evidence:
        """What is new of both pools, by member; with the ``baseline`` where stable has no share any more."""
        canary, stable = (sum(members.get(pool, {}).values(), Counts()) for pool in (self.canary, self.stable))
        if self._switched:
            return Evidence(canary, baseline, baseline=True, t=t)
        return Evidence(canary, stable, t=t, members=members.get(self.stable, {}))

    def _count(self, case: _Case, evidence: Evidence) -> None:
        """Some more tries, put before a judge of errors."""
        if case.check.compare:
            self._weigh(case, replace(evidence, warm=self._is_warm(case.check, evidence.t)))
        else:
            case.stretch = case.stretch + evidence.canary

    def _convict(self) -> None:
        """Whether the evidence is enough by now; from then on it is."""
        if self._convicted is not None:
            return
        strength = self.strength
        for case, judge in sorted(self._sequential(), key=lambda each: -each[1].log_e(each[0].state)):
            alpha = case.check.policy.alpha if case.check.policy else None
            if alpha is not None:
                log_e, wanted = judge.log_e(case.state), -log(alpha)
            elif strength is not None:
                log_e, wanted = strength.log_e, strength.wanted
            else:
                continue
            if log_e >= wanted:
                said = judge.failed(case.state, log_e, self._switched)
                self._convicted = Verdict(said.outcome, f"{case.check.name}: {said.reason}")
                return

    def _measure_stretch(self, case: _Case) -> None:
        """What canary had since the last time, as one measurement."""
        self._weigh(case, Evidence(measurement=counters.measure(case.stretch)))
        case.stretch = Counts()

    @staticmethod
    def _weigh(case: _Case, evidence: Evidence) -> None:
        if isinstance(case.judge, Continuous):
            case.state, case.stale = case.judge.update(case.state, evidence), True
        else:
            case.state, case.verdict = case.judge.weigh(case.state, evidence)


def _shifted(state: Any, by: float) -> Any:
    """A judge's state with what began in it so much later."""
    if not isinstance(state, Mapping):
        return state
    return {
        key: value + by if key == "began" and value is not None else _shifted(value, by) for key, value in state.items()
    }


def _judge(check: Check, step: Step) -> Judge:
    if check.policy is not None:
        return _continuous(check, check.policy, step.min_requests)
    if check.compare:
        return Comparison(step.min_requests)
    return Bounds(check.min, check.max, check.in_a_row)


def _continuous(check: Check, policy: Policy, min_requests: int) -> Continuous:
    if check.of == "latency":
        return SequentialLatency(min_requests, policy.dispersion)
    return Sequential(min_requests, policy.ratio, policy.points / 100.0, policy.dispersion)
