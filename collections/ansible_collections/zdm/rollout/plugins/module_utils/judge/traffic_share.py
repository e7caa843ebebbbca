# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the requests come as the split says: if not, the comparison is of something else than was asked for.

Rules of this room: pure functions. Of all requests of the step canary has each with probability ``asked``; the same
e-process as in interval.py tells how much better any other share explains what came. A proxy that takes turns spreads
more evenly than chance, which only makes it smaller. A share that is off by less than the plan allows is none of this.
"""

from __future__ import annotations

from math import inf, log

from .counts import Counts
from .interval import log_mixture

#: A share may be off by this part of itself, or by so much; as in the plan.
PART, POINTS = 0.1, 0.005


def log_e(asked: float, canary: Counts, stable: Counts) -> float:
    """log E against "canary has the share ``asked`` of the requests", between 0 and 1; -inf where there is none.

    There is none either where it is off by no more than it may be.
    """
    total = canary.requests + stable.requests
    if not 0.0 < asked < 1.0 or not total:
        return -inf
    if abs(canary.requests / total - asked) <= max(PART * asked, POINTS):
        return -inf
    likelihood = canary.requests * log(asked) + stable.requests * log(1.0 - asked)
    return log_mixture(canary.requests, stable.requests) - likelihood
