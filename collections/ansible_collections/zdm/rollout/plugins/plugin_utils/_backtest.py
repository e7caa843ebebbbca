# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backtest: when a spec's checks would have acted on records, and what would have leaked, beside the peers' defaults.

Rules of this room: pure. The judging is the watch's own, fed with the records in place of the routers' counters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..module_utils.judge import FAIL, Counts
from . import _duration, _peers
from ._judging import Judging
from ._plan import Step
from ._records import Tick
from ._spec import Spec
from ._terms import watch_alpha

STABLE, CANARY, ROUTER = "stable", "canary", "records"
POOL_OF = {ROUTER: {STABLE: STABLE, CANARY: CANARY}}


class NothingToTest(Exception):
    """No check of the spec goes by what records have."""


@dataclass(frozen=True)
class Act:
    """What one judge does: ``after`` so many seconds (None: never), when canary had ``leaked`` so many."""

    judge: str
    after: float | None
    leaked: Counts
    reason: str

    def __str__(self) -> str:
        failed = f"{self.leaked.failures:,} of canary's {self.leaked.requests:,} requests had failed"
        if self.after is None:
            return f"{self.judge}: never; {failed}"
        return f"{self.judge}: after {_duration.text(round(self.after))}; {failed}" + (
            f"; {self.reason}" if self.reason else ""
        )


def acts(spec: Spec, ticks: Sequence[Tick]) -> list[Act]:
    """What zdm does with this spec, and what the others do by default. NothingToTest."""
    flagger, argo = _peers.flagger(ticks), _peers.argo(ticks)
    return [
        zdm(spec, ticks),
        Act("Flagger's defaults (1m, 99 %, 5 times)", flagger, _leaked(ticks, flagger), ""),
        Act("Argo Rollouts' defaults (5m, 95 %, 4 times)", argo, _leaked(ticks, argo), ""),
    ]


def zdm(spec: Spec, ticks: Sequence[Tick]) -> Act:
    """The watch with the spec's checks of the routers' errors."""
    checks = {name: check for name, check in spec.checks.items() if check.signal == "router" and check.of == "errors"}
    if not checks:
        raise NothingToTest("the spec has no check with signal: router and of: errors; records have nothing else")
    judging = Judging(STABLE, CANARY, checks, POOL_OF, watch_alpha(spec))
    totals = {STABLE: Counts(), CANARY: Counts()}
    fixed = any(check.policy is None for check in checks.values())  # else only evidence turns back
    began, weight = _peers.beginning(ticks), -1.0
    judging.counted(ROUTER, _told(totals), 0.0)
    for tick in ticks:
        t = tick.t - began
        if tick.weight != weight:
            weight = tick.weight
            judging.begin(Step(0, weight, float("inf"), 0, tuple(checks)), t)
        totals = {STABLE: totals[STABLE] + tick.stable, CANARY: totals[CANARY] + tick.canary}
        judging.counted(ROUTER, _told(totals), t)
        verdict = judging.verdict(t) if fixed else judging.convicted
        if verdict is not None and verdict.outcome == FAIL:
            return Act("zdm", t, _leaked(ticks, t), verdict.reason)
    return Act("zdm", None, _leaked(ticks, None), "")


def summary(ticks: Sequence[Tick]) -> str:
    """What the records are, for people."""
    canary, stable = (sum((getattr(tick, arm) for tick in ticks), Counts()) for arm in (CANARY, STABLE))
    lasted = _duration.text(round(ticks[-1].t - _peers.beginning(ticks)))
    return f"{lasted} in {len(ticks):,} ticks; canary fails {canary} requests, stable {stable}"


def _told(totals: dict[str, Counts]) -> dict[str, dict[str, int]]:
    return {arm: {"requests": had.requests, "failures": had.failures} for arm, had in totals.items()}


def _leaked(ticks: Sequence[Tick], after: float | None) -> Counts:
    """What canary had by then."""
    began = _peers.beginning(ticks)
    return sum((tick.canary for tick in ticks if after is None or tick.t - began <= after), Counts())
