# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence that canary is slower than stable: more of its requests take longer than stable's thresholds.

Rules of this room: pure; state is JSON; time is an argument. How money is bet is in bets.py.

A threshold T_q is fixed before: what a share q of stable's requests did not exceed. A request of stable is *slow* when
it took longer than T_q, one of canary when it took longer than SCALE * T_q. H0: P_c(X > SCALE*T_q) <= P_b(X > T_q), in
words: canary is not slower by more than a tenth. The thresholds of a histogram do: an edge as T_q, and for canary the
next edge that is at least SCALE times that.

For each of QUANTILES the factor is the two-sample e-variable of hard_fail.py. Stable's share of slow ones is theta_b,
smoothed with PRIOR_TRIES at 1-q and of the batches before; canary's is theta_c, of ODDS times its odds. The sum over
quantiles and odds finds a shift of the whole as well as a few that take very long.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Tuple

from . import pairs
from .bets import Bets, State, alike, won
from .counts import Counts
from .hard_fail import one_sample, two_sample

#: Shares of stable's requests that a threshold leaves below it.
QUANTILES = (0.5, 0.9, 0.99)
#: How much slower canary may be.
SCALE = 1.10
#: How many times the odds of being slow canary's might be.
ODDS = (1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
#: Stable is taken to have had so many requests more, of which just 1-q were slow.
PRIOR_TRIES = 200.0
AT_ONCE, EVERY = 0.5, 60.0
#: After the switch canary may have so many times stable's odds of a slow request, plus so much; never all of them.
ALONE_ODDS, ALONE_POINTS, CEILING = 2.0, 0.01, 0.999

#: How many of canary's and stable's requests there were, and were slow, for each of QUANTILES.
Slow = Tuple[Tuple[Counts, Counts], ...]


def share_of(quantile: float, stable: Counts) -> float:
    """Stable's share of slow requests, as it is taken to be after these."""
    return (stable.failures + PRIOR_TRIES * (1.0 - quantile)) / (stable.requests + PRIOR_TRIES)


def slower(odds: float, share: float) -> float:
    """The share whose odds are so many times those of ``share``."""
    return odds * share / (1.0 - share + odds * share)


def limit_of(share: float) -> float:
    """The share of slow requests that canary may have after the switch, where stable had this before it."""
    return min(CEILING, slower(ALONE_ODDS, share) + ALONE_POINTS)


class Latency:
    """The evidence, over time. ``dispersion`` >= 1; ``horizon``: seconds that a rollout is about to take.

    The state: that of the bets, and for each of QUANTILES ``waiting`` (see pairs.py) and ``baseline``, what stable had.
    """

    def __init__(self, dispersion: float, horizon: float) -> None:
        self._dispersion = dispersion
        self._bets = Bets(alike(len(QUANTILES) * len(ODDS)), AT_ONCE, EVERY, horizon)

    def start(self) -> Dict[str, Any]:
        """The state before the first batch."""
        waiting = [pairs.start() for dummy in QUANTILES]
        return {**self._bets.start(), "waiting": waiting, "baseline": [[0, 0] for dummy in QUANTILES]}

    def weigh(self, state: State, slow: Slow, t: float) -> Dict[str, Any]:
        """The state after what both pools had up to ``t``."""
        waiting: List[Mapping[str, Any]] = []
        baseline: List[List[int]] = []
        gains: List[float] = []
        for place, quantile in enumerate(QUANTILES):
            left, batch = pairs.add(state["waiting"][place], *slow[place])
            before = Counts(*state["baseline"][place])
            waiting.append(left)
            gains += [0.0] * len(ODDS) if batch is None else _gains(share_of(quantile, before), batch)
            baseline.append(pairs.as_json(before if batch is None else before + batch[1]))
        now = self._bets.at(state, t)
        bets = won(now["bets"], gains, self._dispersion)
        return {**now, "bets": bets, "waiting": waiting, "baseline": baseline}

    def weigh_alone(self, state: State, slow: Slow, t: float) -> Dict[str, Any]:
        """The state after what canary had alone; it is held against what stable was before, which was fixed then."""
        gains: List[float] = []
        for place, quantile in enumerate(QUANTILES):
            share = share_of(quantile, Counts(*state["baseline"][place]))
            gains += [one_sample(slower(odds, share), limit_of(share), slow[place][0]) for odds in ODDS]
        now = self._bets.at(state, t)
        return {**state, **now, "bets": won(now["bets"], gains, self._dispersion)}

    def log_e(self, state: State) -> float:
        """The natural logarithm of the evidence."""
        return self._bets.log_e(state)


def _gains(share: float, batch: pairs.Pair) -> List[float]:
    return [two_sample(slower(odds, share), share, *batch) for odds in ODDS]
