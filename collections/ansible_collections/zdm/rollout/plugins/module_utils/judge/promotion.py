# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence that canary is *not* worse than it may be: what allows a step to end before its hold is over.

Rules of this room: pure; state is JSON. The roles of margin.py are swapped: H0': p_c >= r*p_b + d, canary is worse than
it may be. For each of ALTERNATIVES a, with ec of nc failed at canary and eb of nb at stable:

    L = (1-a)^ec * (1 + a*r*nc/nb)^eb * exp(a*d*nc)

Why E[L] <= 1: E[(1-a)^ec] <= exp(-a*nc*p_c) <= exp(-a*nc*(r*p_b + d)), E[(1+x)^eb] <= exp(x*nb*p_b) with
x = a*r*nc/nb, and the product of both with the last factor is exp(0). Good releases need many requests: with a stable
that fails 0.1 %, some 9,000 of canary (ratio 1.25, 0.1 points). There are no restarts: it is not about a change.
"""

from __future__ import annotations

from math import log
from typing import Any, Dict

from . import pairs
from .bets import State, log_sum, won
from .counts import Counts

#: How much fewer of its failures than it may have canary might have.
ALTERNATIVES = (0.1, 0.3, 0.5, 0.7, 0.9)


def gain(a: float, ratio: float, margin: float, canary: Counts, stable: Counts) -> float:
    """log L of a batch in which both pools had tries; ``margin`` is d, a share."""
    x = a * ratio * canary.requests / stable.requests
    return canary.failures * log(1.0 - a) + stable.failures * log(1.0 + x) + a * margin * canary.requests


class Promotion:
    """The evidence, over time. The state: ``bets``, log of the money on each of ALTERNATIVES."""

    def __init__(self, ratio: float, margin: float) -> None:
        self._ratio = ratio
        self._margin = margin

    def start(self) -> Dict[str, Any]:
        """The state before the first batch."""
        return {"bets": [-log(len(ALTERNATIVES))] * len(ALTERNATIVES)}

    def weigh(self, state: State, batch: pairs.Pair, dispersion: float) -> Dict[str, Any]:
        """The state after a batch of both pools; ``dispersion`` >= 1 is what was known before it."""
        gains = [gain(a, self._ratio, self._margin, *batch) for a in ALTERNATIVES]
        return {"bets": won(state["bets"], gains, dispersion)}

    def log_e(self, state: State) -> float:
        """The natural logarithm of the evidence."""
        return log_sum(state["bets"])
