# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the sequential judge needs to find a release that fails so much, at so many requests a second.

Rules of this room: pure functions. The evidence grows as the counts do that are to be expected; chance makes it half as
long or twice as long. Each bet of both tests grows at its own pace, and all that were made at the start are added up;
those that are made later (bets.py) only help against what begins later.
"""

from __future__ import annotations

from math import inf, log
from typing import List, Sequence, Tuple

from . import hard_fail, margin
from .bets import alike, log_sum
from .counts import Counts
from .sequential import HASTY, PATIENT

#: Seconds whose counts are taken, so that they are whole numbers; and what is not found by then is not found.
LONG, NEVER = 36000.0, 30 * 86400.0
#: Of stable so much is taken to be known when canary gets its share; a stable that never fails is not known to.
LEAST_GOOD = 0.001


def seconds_to_find(
    failing: float,
    good: float,
    rate: float,
    share: float,
    wanted: float,
    ratio: float,
    points: float,
    dispersion: float,
) -> float:
    """Seconds until the evidence is ``wanted`` (a natural logarithm); inf where it never is.

    Canary fails ``failing`` of its tries, stable ``good``; there are ``rate`` tries a second, of which canary has
    ``share``. ``ratio`` and ``points`` are the margin. All shares are from 0 to 1.
    """
    canary, stable = _expected(rate * share, failing), _expected(rate * (1.0 - share), good)
    if not canary.requests or not stable.requests:
        return inf
    theta = min(max(good, LEAST_GOOD), hard_fail.CEILING)
    patient = [margin.gain(rho, ratio, points, canary, stable) for rho in margin.ALTERNATIVES]
    hasty = [hard_fail.two_sample(each, theta, canary, stable) for each in hard_fail.ALTERNATIVES]
    bets = [
        *_bets(PATIENT * margin.AT_ONCE, margin.WEIGHTS, patient, dispersion),
        *_bets(HASTY * hard_fail.AT_ONCE, alike(len(hasty)), hasty, dispersion),
    ]
    return _when(bets, wanted)


def _expected(rate: float, failing: float) -> Counts:
    requests = round(rate * LONG)
    return Counts(requests, round(requests * failing))


def _bets(money: float, weights: Sequence[float], gains: List[float], dispersion: float) -> List[Tuple[float, float]]:
    """What is on each alternative at the start, and how fast it grows, as logarithms."""
    return [(log(money * weight), gain / LONG / dispersion) for weight, gain in zip(weights, gains)]


def _when(bets: List[Tuple[float, float]], wanted: float) -> float:
    """The time at which the bets are worth so much. log of a sum of exponentials is convex, so there is one."""
    low, high = 0.0, NEVER
    if log_sum([start + pace * high for start, pace in bets]) < wanted:
        return inf
    while high - low > 0.01 * high:
        middle = (low + high) / 2.0
        if log_sum([start + pace * middle for start, pace in bets]) < wanted:
            low = middle
        else:
            high = middle
    return high
