# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bets: the money of an e-process, spread over alternatives and over time.

Rules of this room: pure; state is JSON; time is an argument, in seconds of any clock that does not go back. What a
factor is, and why it is worth at most 1 on average, is the business of those that bet (margin.py, hard_fail.py, …).

Theory of operation. The evidence E starts at 1 and is multiplied, batch by batch, by a factor that is on average at
most 1 as long as canary is no worse than it may be. Such a product (an *e-process*) exceeds 1/alpha *ever* with a
probability of at most alpha, however often one looks (Ville's inequality). So it may be asked each 100 ms for hours.
A sum of such products with weights that sum to 1 is one again: so money is bet on several alternatives at once, and
what fits the facts best wins nearly as much as if it had been known before.

**Restarts.** A part of the money is bet at the start, the rest bit by bit each ``every`` seconds, so that a canary
that turns bad after hours of being good is found nearly as fast: by then all older bets are lost, and the youngest one
counts. What is not bet yet is kept: E = reserve + sum of the bets. Half of the reserve is bet evenly until the horizon.
Of the other half (1 + t/60)^(-1/log(1 + horizon/60)) is left after t seconds: most bad releases are bad from the first
minutes on, so more is bet then; at the horizon 1/e of it is left, and it never ends.

**Dispersion.** Failures come in bursts. L^(1/dispersion) is an e-variable as well (Jensen), and remains one where tries
come in groups of up to that many that succeed or fail together. Groups whose size varies need more than their mean:
E[size^2] / E[size], which is 2m - 1 for geometric ones of mean m; then it holds nearly.
"""

from __future__ import annotations

from math import exp, log
from typing import Any, Dict, List, Mapping, Sequence

State = Mapping[str, Any]

#: Seconds during which about the same is bet at each restart; later it is less in proportion to the time.
SOON = 60.0


class Bets:
    """Money on alternatives in the proportion of ``weights`` (sum 1), the part ``at_once`` of it at the start.

    ``horizon``: seconds that a rollout is about to take; ``every``: seconds between restarts, of the order of ten
    batches (more often makes each bet smaller, more seldom makes what has been lost since the last one larger).

    The state: ``began`` (t of the first batch), ``restarts`` made, ``bets`` (log of the money on each alternative).
    """

    def __init__(self, weights: Sequence[float], at_once: float, every: float, horizon: float) -> None:
        self._weights = weights
        self._at_once = at_once
        self._every = every
        self._horizon = horizon

    def start(self) -> Dict[str, Any]:
        """The state before the first batch."""
        return {"began": None, "restarts": 0, "bets": [log(self._at_once * each) for each in self._weights]}

    def at(self, state: State, t: float) -> Dict[str, Any]:
        """The state with the bets that have become due; of the time alone, never of what was counted."""
        began = t if state["began"] is None else state["began"]
        restarts = max(state["restarts"], int((t - began) // self._every))
        due = self._reserve(state["restarts"]) - self._reserve(restarts)
        bets = list(state["bets"])
        if due > 0.0:
            bets = [log_sum([bet, log(due * weight)]) for bet, weight in zip(bets, self._weights)]
        return {"began": began, "restarts": restarts, "bets": bets}

    def log_e(self, state: State) -> float:
        """The natural logarithm of the evidence E."""
        return log_sum([*state["bets"], log(self._reserve(state["restarts"]))])

    def _reserve(self, restarts: int) -> float:
        """What is left to bet after so many restarts."""
        t = restarts * self._every
        evenly = max(0.0, 1.0 - t / self._horizon)
        early = exp(-log(1.0 + t / SOON) / log(1.0 + self._horizon / SOON))
        return (1.0 - self._at_once) * (evenly + early) / 2.0


def alike(alternatives: int) -> List[float]:
    """The same weight on each."""
    return [1.0 / alternatives] * alternatives


def won(bets: Sequence[float], gains: Sequence[float], dispersion: float) -> List[float]:
    """The bets after a batch: ``gains`` has log L for each alternative."""
    return [bet + gain / dispersion for bet, gain in zip(bets, gains)]


def log_sum(logs: Sequence[float]) -> float:
    """log of the sum of what these are the logarithms of."""
    largest = max(logs)
    return largest + log(sum(exp(each - largest) for each in logs))
