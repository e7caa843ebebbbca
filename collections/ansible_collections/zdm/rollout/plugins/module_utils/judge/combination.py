# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evidence of several checks as one: E = sum of w_k * E_k, with weights that sum to 1.

Rules of this room: pure functions. The sum is an e-process again, however the checks depend on one another, and is
never less than what the best of them has with its own weight. A weight w costs a check log(1/w) of its evidence.
"""

from __future__ import annotations

from math import log
from typing import Mapping, Tuple

from .bets import log_sum


def combined(parts: Mapping[str, Tuple[float, float]]) -> Tuple[float, str]:
    """log E, and the check that has most of it, of ``name -> (weight > 0, log E of the check)``; at least one."""
    total = sum(weight for weight, dummy in parts.values())
    shares = {name: log(weight / total) + log_e for name, (weight, log_e) in parts.items()}
    return log_sum(list(shares.values())), max(shares, key=lambda name: shares[name])
