# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence that canary fails more often than it may: more than ``ratio`` times stable's rate plus ``points``.

Rules of this room: pure; state is JSON; time is an argument. How money is bet is in bets.py.

**Both pools have traffic.** H0: p_c <= r*p_b + d at any time; p_b is unknown and may change as it likes. A batch has ec
of nc failed at canary, eb of nb at stable, as they were, whatever the split was meant to be. Against "rho times more
than that", for each of ALTERNATIVES:

    tot = r*nc + nb,  q = tot / (rho*r*nc + nb),  m = rho*q
    L   = m^ec * q^eb * exp(-(m-1)*d*nc)

Why E[L] <= 1: a try that fails with p multiplies by 1 + (m-1)p <= exp((m-1)p), so
E[L] <= exp((m-1)*nc*(r*p_b + d) - (1-q)*nb*p_b - (m-1)*d*nc) = exp(p_b*(r*nc*(m-1) - nb*(1-q))), and by the choice of q
r*nc*(m-1) = nb*(1-q), so it is exp(0). It is the conditional test of Lindon and Malek (2022) with three changes: the
counts as they are, one side, and two margins. With d > 0 a stable that never fails convicts nobody for one failure.

**Stable has no traffic any more.** H0: p_c <= LIMIT = 2 * (smoothed rate of stable up to then) + 1 %, which is fixed
before. L = rho^ec * exp(-(rho-1)*LIMIT*nc), and E[L] <= 1 by the same algebra. This is weaker comfort: a fault that
would have hit stable too is evidence now, because there is nobody left to compare with.
"""

from __future__ import annotations

from math import log
from typing import Any, Dict, List

from . import pairs
from .bets import Bets, State, won
from .counts import Counts

#: How many times more than it may canary might fail.
ALTERNATIVES = (1.3, 1.6, 2.0, 2.7, 4.0, 6.0, 10.0, 20.0, 50.0, 200.0, 1000.0)
#: What is bet on each: less on 1.3, which takes hours to tell, and on what hard_fail.py finds sooner.
WEIGHTS = (0.05, 0.09, 0.13, 0.16, 0.17, 0.14, 0.10, 0.07, 0.05, 0.02, 0.02)
#: The part of the money that is bet at once, and seconds between restarts.
AT_ONCE, EVERY = 0.5, 60.0


def gain(rho: float, ratio: float, margin: float, canary: Counts, stable: Counts) -> float:
    """log L of a batch in which both pools had tries; ``margin`` is d, a share (0.001 is 0.1 points)."""
    expected = ratio * canary.requests
    q = (expected + stable.requests) / (rho * expected + stable.requests)
    m = rho * q
    return canary.failures * log(m) + stable.failures * log(q) - (m - 1.0) * margin * canary.requests


def gain_alone(rho: float, limit: float, canary: Counts) -> float:
    """log L of a batch of canary alone, which may fail ``limit``, a share."""
    return canary.failures * log(rho) - (rho - 1.0) * limit * canary.requests


class Margin:
    """The evidence, over time. ``ratio`` >= 1 and ``margin`` >= 0 (a share) are what canary may be worse; ``horizon``:
    seconds that a rollout is about to take.

    The state is that of the bets. ``dispersion`` >= 1 of each batch is what was known before it.
    """

    def __init__(self, ratio: float, margin: float, horizon: float) -> None:
        self._ratio = ratio
        self._margin = margin
        self._bets = Bets(WEIGHTS, AT_ONCE, EVERY, horizon)

    def start(self) -> Dict[str, Any]:
        """The state before the first batch."""
        return self._bets.start()

    def weigh(self, state: State, batch: pairs.Pair, t: float, dispersion: float) -> Dict[str, Any]:
        """The state after a batch of both pools, up to ``t``."""
        gains = [gain(rho, self._ratio, self._margin, *batch) for rho in ALTERNATIVES]
        return self._won(state, gains, t, dispersion)

    def weigh_alone(self, state: State, canary: Counts, limit: float, t: float, dispersion: float) -> Dict[str, Any]:
        """The state after what canary had alone; it may fail ``limit``, which was fixed before."""
        return self._won(state, [gain_alone(rho, limit, canary) for rho in ALTERNATIVES], t, dispersion)

    def log_e(self, state: State) -> float:
        """The natural logarithm of the evidence."""
        return self._bets.log_e(state)

    def _won(self, state: State, gains: List[float], t: float, dispersion: float) -> Dict[str, Any]:
        now = self._bets.at(state, t)
        return {**now, "bets": won(now["bets"], gains, dispersion)}
