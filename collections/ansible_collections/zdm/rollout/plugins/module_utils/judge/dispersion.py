# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much burstier failures come than single ones, as stable's own members show it during the run.

Rules of this room: pure; state is JSON; time is an argument, in seconds of any clock that does not go back.

In a block of time member h has e_h of e failures and n_h of n requests of the pool. If each failure were on its own,
(e_h - th*e)^2 / (e*th*(1-th)) with th = n_h/n would be 1 on average; what it is above that is the dispersion: the mean
size of a burst, or a member that is worse than the others. Blocks of BLOCK seconds: shorter ones do not see what lasts
for minutes. A block counts once it is over, so a batch is weighed by what was known before it. The default counts as
so many observations (PRIOR) that it takes a while to be overruled, downwards as well as upwards.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

from .bets import State
from .counts import Counts

#: Seconds of a block; failures that it must have to tell anything; observations that the default is worth.
BLOCK, LEAST_FAILURES, PRIOR = 300.0, 5, 10.0


class Dispersion:
    """The estimate, over time. ``default`` >= 1 is what is taken without a history.

    The state: ``began`` (t of the block's beginning), ``block`` (member -> [requests, failures] in it), ``sum`` and
    ``count`` of the observations so far.
    """

    def __init__(self, default: float = 2.0) -> None:
        self._default = default

    def start(self) -> Dict[str, Any]:
        """Nothing is known yet."""
        return {"began": None, "block": {}, "sum": 0.0, "count": 0}

    def add(self, state: State, members: Mapping[str, Counts], t: float) -> Dict[str, Any]:
        """The state after what stable's members had up to ``t``, by a name that stays theirs."""
        began = t if state["began"] is None else state["began"]
        total, count, block = state["sum"], state["count"], dict(state["block"])
        if t - began >= BLOCK:
            seen = _observed({name: Counts(*had) for name, had in block.items()})
            total, count, block, began = total + sum(seen), count + len(seen), {}, t
        for name, news in members.items():
            had = Counts(*block.get(name, (0, 0))) + news
            block[name] = [had.requests, had.failures]
        return {"began": began, "block": block, "sum": total, "count": count}

    def value(self, state: State) -> float:
        """The dispersion as it is known now, >= 1."""
        known = (PRIOR * self._default + state["sum"]) / (PRIOR + state["count"])
        return max(1.0, float(known))


def _observed(members: Mapping[str, Counts]) -> List[float]:
    """An observation for each member of a block; none where it tells nothing, or is of one member alone."""
    whole = sum(members.values(), Counts())
    if whole.failures < LEAST_FAILURES:
        return []
    found = []
    for had in members.values():
        share = had.requests / whole.requests if whole.requests else 0.0
        if 0.0 < share < 1.0:
            found.append((had.failures - share * whole.failures) ** 2 / (whole.failures * share * (1.0 - share)))
    return found
