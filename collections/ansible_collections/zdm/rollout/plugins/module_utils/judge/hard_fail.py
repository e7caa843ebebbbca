# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence that canary fails hard: how much better "canary fails 30, 60 or 95 %" explains the counts than chance.

Rules of this room: pure; state is JSON; time is an argument. How money is bet is in bets.py.

**Both pools have traffic.** H0: p_c <= p_b at any time; p_b is unknown and may change as it likes, so whatever hits
both pools is no evidence. The factor is the two-sample e-variable of Turner, Ly and Grünwald (2021) for Bernoulli
tries, with ec of nc failed at canary, eb of nb at stable, an alternative (theta_c, theta_b), and the one null that is
nearest to it, t0 = (nc*theta_c + nb*theta_b) / (nc + nb):

    L = (theta_c/t0)^ec ((1-theta_c)/(1-t0))^(nc-ec) (theta_b/t0)^eb ((1-theta_b)/(1-t0))^(nb-eb)

Why E[L] <= 1: with a_c = (theta_c-t0)/(t0(1-t0)), and a_b alike, a try at canary contributes 1 + a_c(p_c-t0), so
E[L] <= exp(nc a_c (p_c-t0) + nb a_b (p_b-t0)); by the choice of t0, nc a_c = -nb a_b >= 0, and what is left is
exp(nc a_c (p_c-p_b)) <= 1. theta_b is the smoothed rate of stable *before* the batch (else this would not hold).

**Stable has no traffic any more** (canary at 100 %): H0: p_c <= LIMIT = 2 * (smoothed rate of stable up to then) + 1 %.
LIMIT is fixed before the first try that it is applied to, so with t0 = LIMIT the same algebra gives
E[L] = (1 + (p_c-t0)(theta_c-t0)/(t0(1-t0)))^nc <= 1 for each theta_c > t0; the others stay at 1. This null is weaker
comfort: a fault that would have hit stable too is evidence now, because there is nobody left to compare with.
"""

from __future__ import annotations

from math import log
from typing import Any, Dict, List, Mapping, Optional, Tuple

from . import pairs
from .bets import Bets, State, alike, log_sum, won
from .counts import Counts

#: What canary might fail, if it fails hard.
ALTERNATIVES = (0.3, 0.6, 0.95)
#: Stable is taken to have had so many tries, and failures, more than it had.
PRIOR_TRIES = 100.0
PRIOR_FAILURES = 0.1 + 0.5
#: Stable is never taken to fail more than this: above it, canary could not be told from it.
CEILING = 0.3
#: After the switch canary may fail so many times stable's smoothed rate before it, plus so much.
RATIO = 2.0
MARGIN = 0.01
#: The part of the money that is bet at once.
AT_ONCE = 0.25


def two_sample(theta_c: float, theta_b: float, canary: Counts, stable: Counts) -> float:
    """log L of a batch in which both pools had tries; no pool may have more failures than requests."""
    t0 = (canary.requests * theta_c + stable.requests * theta_b) / (canary.requests + stable.requests)
    return _log_ratio(theta_c, t0, canary) + _log_ratio(theta_b, t0, stable)


def one_sample(theta_c: float, limit: float, canary: Counts) -> float:
    """log L of a batch of canary alone, which may fail ``limit``; 0 where ``theta_c`` is no more than that."""
    return _log_ratio(theta_c, limit, canary) if theta_c > limit else 0.0


def smoothed(stable: Counts) -> float:
    """Stable's rate of failures, as it is taken to be after these."""
    return (stable.failures + PRIOR_FAILURES) / (stable.requests + PRIOR_TRIES)


def limit_of(baseline: Counts) -> float:
    """What canary may fail after the switch, where stable had this before it."""
    return RATIO * smoothed(baseline) + MARGIN


class HardFail:
    """The evidence, over time. ``dispersion`` >= 1, unless a batch comes with what is known of it; ``horizon``: seconds
    that a rollout is about to take; ``every``: seconds between restarts.

    The state: that of the bets, ``baseline`` (what stable had up to now), ``pending`` (what waits for the other pool's
    first try), and ``rise``: by how much the bets grew since they last lost all that they had won, and on which counts.
    All counts are [requests, failures].
    """

    def __init__(self, dispersion: float, horizon: float, every: float = 10.0) -> None:
        self._dispersion = dispersion
        self._bets = Bets(alike(len(ALTERNATIVES)), AT_ONCE, every, horizon)

    def start(self) -> Dict[str, Any]:
        """The state before the first batch."""
        rise = {"growth": 0.0, "canary": [0, 0], "stable": [0, 0]}
        return {**self._bets.start(), "baseline": [0, 0], "pending": pairs.start(), "rise": rise}

    def weigh(
        self,
        state: State,
        canary: Counts,
        stable: Counts,
        t: float,
        alone: bool = False,
        dispersion: Optional[float] = None,
    ) -> Dict[str, Any]:
        """The state after what both pools had up to ``t`` since it was last told.

        ``alone``: stable has no share any more; its counts are ignored, those before are the baseline.
        """
        now, known = {**state, **self._bets.at(state, t)}, dispersion or self._dispersion
        if alone:
            return self._weigh_alone(now, canary, known)
        pending, batch = pairs.add(now["pending"], canary, stable)
        now["pending"] = pending
        if batch is None:
            return now
        rate = min(smoothed(Counts(*now["baseline"])), CEILING)
        return self._won(now, [two_sample(theta, rate, *batch) for theta in ALTERNATIVES], batch, known)

    def log_e(self, state: State) -> float:
        """The natural logarithm of the evidence E."""
        return self._bets.log_e(state)

    def _weigh_alone(self, now: Dict[str, Any], canary: Counts, dispersion: float) -> Dict[str, Any]:
        """What of stable still waited for canary is baseline now."""
        canary, left = Counts(*now["pending"]["canary"]) + canary, Counts(*now["pending"]["stable"])
        baseline = Counts(*now["baseline"]) + left
        now = {**now, "baseline": pairs.as_json(baseline), "pending": pairs.start()}
        if not canary.requests:
            return {**now, "pending": {**pairs.start(), "canary": pairs.as_json(canary)}}
        batch = pairs.sound(canary, Counts())
        gains = [one_sample(theta, limit_of(baseline), batch[0]) for theta in ALTERNATIVES]
        return self._won(now, gains, batch, dispersion)

    @staticmethod
    def _won(now: Dict[str, Any], gains: List[float], batch: pairs.Pair, dispersion: float) -> Dict[str, Any]:
        bets = won(now["bets"], gains, dispersion)
        rise = _risen(now["rise"], log_sum(bets) - log_sum(now["bets"]), *batch)
        baseline = pairs.as_json(Counts(*now["baseline"]) + batch[1])
        return {**now, "bets": bets, "rise": rise, "baseline": baseline}


def counts_of(rise: Mapping[str, List[int]]) -> Tuple[Counts, Counts]:
    """The counts of canary and stable on which the evidence rose, of a state's ``rise``."""
    return Counts(*rise["canary"]), Counts(*rise["stable"])


def _log_ratio(theta: float, t0: float, counts: Counts) -> float:
    if theta == t0:
        return 0.0
    won, lost = log(theta / t0), log((1.0 - theta) / (1.0 - t0))
    return counts.failures * won + (counts.requests - counts.failures) * lost


def _risen(rise: State, gain: float, canary: Counts, stable: Counts) -> State:
    growth = rise["growth"] + gain
    if growth <= 0.0:
        return {"growth": 0.0, "canary": [0, 0], "stable": [0, 0]}
    had = counts_of(rise)
    return {"growth": growth, "canary": pairs.as_json(had[0] + canary), "stable": pairs.as_json(had[1] + stable)}
