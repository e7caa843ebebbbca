# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many times stable's failures canary has, as an interval that may be looked at as often as one likes.

Rules of this room: pure functions.

Of n failures of both pools ec are canary's. If canary fails r times as often, each is canary's with probability
theta(r) = r*nc / (r*nc + nb), given the requests nc and nb. Betting on theta by a Beta(1/2, 1/2) distribution gives the
e-process (Robbins 1970)

    E(r) = B(ec + 1/2, eb + 1/2) / B(1/2, 1/2) / (theta^ec * (1-theta)^eb)

and the r with E(r) < 1/(1-level) are an interval that holds the true one *at all times at once* with probability
``level``, as long as the split is one: so it is made of the present step's counts. ``dispersion`` divides log E.
"""

from __future__ import annotations

from math import exp, inf, lgamma, log
from typing import Callable, Tuple

from .counts import Counts

LEVEL = 0.95
#: Ratios beyond this are told as no bound.
WIDEST = 1e9
#: Halvings of an interval that is looked for on the scale of log r.
STEPS = 50


def interval(canary: Counts, stable: Counts, dispersion: float = 1.0, level: float = LEVEL) -> Tuple[float, float]:
    """The lowest and the highest ratio; (0, inf) where nothing can be said."""
    if not canary.requests or not stable.requests or not canary.failures + stable.failures:
        return 0.0, inf
    most = -log(1.0 - level) * dispersion

    def outside(log_r: float) -> bool:
        return log_e(log_r, canary, stable) >= most

    ends = -log(WIDEST), log(WIDEST)
    middle = _likeliest(canary, stable, ends)
    low = _edge(outside, ends[0], middle) if outside(ends[0]) else -inf
    high = _edge(outside, ends[1], middle) if outside(ends[1]) else inf
    return exp(low), exp(high) if high < inf else inf


def log_e(log_r: float, canary: Counts, stable: Counts) -> float:
    """log E(r) against "canary fails r times as often"."""
    log_odds = log_r + log(canary.requests) - log(stable.requests)
    likelihood = -canary.failures * _softplus(-log_odds) - stable.failures * _softplus(log_odds)
    return log_mixture(canary.failures, stable.failures) - likelihood


def log_mixture(ones: int, others: int) -> float:
    """How probable a row of so many of one kind and of the other is, where the share is Beta(1/2, 1/2); its log."""
    return _log_beta(ones + 0.5, others + 0.5) - _log_beta(0.5, 0.5)


def _likeliest(canary: Counts, stable: Counts, ends: Tuple[float, float]) -> float:
    if not canary.failures or not stable.failures:
        return ends[0] if not canary.failures else ends[1]
    ratio = log(canary.failures) - log(canary.requests) - log(stable.failures) + log(stable.requests)
    return min(max(ratio, ends[0]), ends[1])


def _edge(outside: Callable[[float], bool], out: float, within: float) -> float:
    """Where it begins, between one that is outside and one that is not."""
    for dummy in range(STEPS):
        half = (out + within) / 2.0
        if outside(half):
            out = half
        else:
            within = half
    return out


def _softplus(x: float) -> float:
    """log(1 + e^x)"""
    return max(x, 0.0) + log(1.0 + exp(-abs(x)))


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
