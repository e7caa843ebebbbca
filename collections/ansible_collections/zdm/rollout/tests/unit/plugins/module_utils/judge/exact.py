# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a batch is worth on average, over all that it can come to: no samples, no luck."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from math import comb, exp, fsum

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts

#: What rounding may add.
ROUNDING = 1e-12
RATES = (0.0, 0.001, 0.01, 0.06, 0.15, 0.3, 0.45, 0.6, 0.8, 0.95, 1.0)
#: Requests of canary and of stable in a batch.
SIZES = tuple(itertools.product((1, 2, 13), (1, 4, 17)))


def outcomes(requests: int, rate: float) -> Iterator[tuple[Counts, float]]:
    """All that so many tries can come to, and how probable each is where a try fails with ``rate``."""
    for failures in range(requests + 1):
        yield (
            Counts(requests, failures),
            comb(requests, failures) * rate**failures * (1 - rate) ** (requests - failures),
        )


def expected(
    factor: Callable[[Counts, Counts], float], canary: int, p_c: float, stable: int, p_b: float, weight: float = 1.0
) -> float:
    """E[L^weight] of one batch, over all outcomes; ``factor`` is log L."""
    return fsum(
        p * q * exp(weight * factor(ones, others))
        for ones, p in outcomes(canary, p_c)
        for others, q in outcomes(stable, p_b)
    )
