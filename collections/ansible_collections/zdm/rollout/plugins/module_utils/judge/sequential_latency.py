# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``sequential`` judge of latency: is canary slower than stable, by more than a tenth?

Rules of this room: pure; state is JSON of less than 4 kB, from which another machine gives the same verdict to the last
bit; time is an argument. The test is in latency.py.

Theory of operation. The thresholds are quantiles of what stable took before the first request that is judged by them;
they are fixed for the rollout. Where nothing is known of stable before, its first requests are for them and no
evidence. A histogram of another make does no harm: what falls into one bin with a threshold is taken for fast at canary
and for slow at stable, so coarse bins find less, and never convict for it.

After 100 % canary is held against what stable's shares were before: twice the odds of being slow, and a point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

from . import pairs
from .bets import State, log_sum
from .continuous import CONVINCING, HORIZON, Continuous
from .counts import Counts
from .evidence import Evidence
from .histogram import Histogram
from .latency import ODDS, QUANTILES, SCALE, Latency
from .promotion import Promotion
from .verdict import INCONCLUSIVE, NO_DATA, Verdict

#: So many requests of stable say what it usually takes.
ENOUGH_BEFORE = 200
#: As much of it as the state holds until then.
MOST_BINS = 32
#: Where nothing is known of how bursty slow requests come.
DISPERSION = 2.0
#: For a promotion: what is slow may be so many times stable's share, plus so much.
RATIO, POINTS = 1.25, 0.01


@dataclass(frozen=True)
class _Place:
    """One quantile's evidence in words: its thresholds, and what was slower in this step."""

    threshold: float
    canary: Counts
    stable: Counts

    def __str__(self) -> str:
        return "canary takes more than %s in %s requests, stable more than %s in %s" % (
            text_of(self.threshold * SCALE),
            self.canary,
            text_of(self.threshold),
            self.stable,
        )


class SequentialLatency(Continuous):
    """Judges one check over a whole rollout. ``dispersion`` >= 1, None where nobody knows; ``min_requests`` of canary
    are what a step needs to pass.
    """

    def __init__(self, min_requests: int, dispersion: Optional[float] = None, horizon: float = HORIZON) -> None:
        super().__init__(min_requests)
        self._dispersion = dispersion or DISPERSION
        self._test = Latency(self._dispersion, horizon)
        self._promotion = Promotion(RATIO, POINTS)

    def start(self) -> Dict[str, Any]:
        """The state before the first step."""
        return {"before": [], "thresholds": None, "test": self._test.start(), "peak": 0.0, **self._of_step()}

    def step(self, state: State) -> Dict[str, Any]:
        """The state at a step's beginning: the evidence stays, the counts and what allows to promote begin anew."""
        return {**state, **self._of_step()}

    def update(self, state: State, evidence: Evidence) -> Dict[str, Any]:
        """The state alone."""
        times = evidence.times
        if times is None:
            return dict(state)
        if state["thresholds"] is None:
            return _learnt(state, times.before + times.stable)
        slow = tuple(_slow(threshold, times.canary, times.stable) for threshold in state["thresholds"])
        after = {**state, "slow": _added(state["slow"], slow)}
        if evidence.warm:
            weigh = self._test.weigh_alone if evidence.baseline else self._test.weigh
            after["test"] = weigh(state["test"], slow, evidence.t)
            if not evidence.baseline:
                after["promotion"] = [
                    self._promote(promotion, *pair) for promotion, pair in zip(state["promotion"], slow)
                ]
        after["peak"] = max(state["peak"], self.log_e(after))
        return after

    def log_e(self, state: State) -> float:
        """The natural logarithm of the evidence that canary is slower."""
        return self._test.log_e(state["test"])

    def convinced(self, state: State) -> bool:
        """Whether there is no need to look any longer: canary is not slower at any of the thresholds."""
        there = [
            each for each, threshold in zip(state["promotion"], state["thresholds"] or ()) if threshold is not None
        ]
        return bool(there) and all(self._promotion.log_e(each) >= CONVINCING for each in there)

    def explain(self, state: State, baseline: bool = False) -> str:
        """Where canary is slowest against stable in this step, and a p-value, for people."""
        place = _worst(state, baseline)
        if place is None:
            return "what stable takes is not known yet"
        before = " before the switch" if baseline else ""
        return "%s%s (p %.2g)" % (place, before, self.p_value(state))

    def _promote(self, promotion: State, canary: Counts, stable: Counts) -> Mapping[str, Any]:
        if not canary.requests or not stable.requests:
            return promotion
        return self._promotion.weigh(promotion, (canary, stable), self._dispersion)

    def _of_step(self) -> Dict[str, Any]:
        return {
            "slow": [[[0, 0], [0, 0]] for dummy in QUANTILES],
            "promotion": [self._promotion.start() for dummy in QUANTILES],
        }

    def verdict(self, state: State, baseline: bool) -> Verdict:
        """What the state says; ``baseline``: stable has no share any more."""
        if state["thresholds"] is None:
            had = Histogram.from_json(state["before"]).requests
            return Verdict(
                INCONCLUSIVE, "what stable takes is known from %d requests on, it has had %d" % (ENOUGH_BEFORE, had)
            )
        place = _worst(state, baseline)
        if place is None:
            return Verdict(INCONCLUSIVE, "stable's requests take longer than the longest that is counted")
        if not place.canary.requests:
            return Verdict(NO_DATA, "canary has had no request")
        said = self.explain(state, baseline)
        if not place.stable.requests and not baseline:
            return Verdict(INCONCLUSIVE, "stable has had no request to compare with; %s" % said)
        return self._enough_or_not(state, place.canary.requests, said)


def text_of(seconds: float) -> str:
    """A time for people."""
    return "%.3g ms" % (1000.0 * seconds) if seconds < 1.0 else "%.3g s" % seconds


def _learnt(state: State, before: Histogram) -> Dict[str, Any]:
    """The state once more is known of stable's past: with the thresholds as soon as that is enough."""
    known = Histogram.from_json(state["before"]) + before
    if known.requests < ENOUGH_BEFORE:
        return {**state, "before": known.within(MOST_BINS).to_json()}
    thresholds = [known.quantile(quantile) for quantile in QUANTILES]
    baseline = [pairs.as_json(_stable_slow(threshold, known)) for threshold in thresholds]
    return {**state, "before": [], "thresholds": thresholds, "test": {**state["test"], "baseline": baseline}}


def _slow(threshold: Optional[float], canary: Histogram, stable: Histogram) -> pairs.Pair:
    if threshold is None:
        return Counts(), Counts()
    return canary.at_least(SCALE * threshold), _stable_slow(threshold, stable)


def _stable_slow(threshold: Optional[float], stable: Histogram) -> Counts:
    return Counts() if threshold is None else stable.at_most(threshold)


def _added(had: List[List[List[int]]], slow: Tuple[pairs.Pair, ...]) -> List[List[List[int]]]:
    """The step's counts."""
    return [[pairs.as_json(Counts(*old) + new) for old, new in zip(pair, news)] for pair, news in zip(had, slow)]


def _worst(state: State, baseline: bool) -> Optional[_Place]:
    """The quantile that speaks most against canary; None where stable's are not known."""
    known = [at for at, threshold in enumerate(state["thresholds"] or ()) if threshold is not None]
    if not known:
        return None
    test = state["test"]
    worst = max(known, key=lambda at: log_sum(test["bets"][at * len(ODDS) : (at + 1) * len(ODDS)]))
    canary, stable = state["slow"][worst]
    return _Place(
        state["thresholds"][worst], Counts(*canary), Counts(*(test["baseline"][worst] if baseline else stable))
    )
