# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What judges have in common that compare all the time: evidence that grows over a rollout, and what it means.

Rules of this room: pure; state is JSON; time is an argument. What is evidence, and of what, is its judge's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import exp, log
from typing import Any, Dict, Tuple

from .bets import State
from .evidence import Evidence
from .verdict import FAIL, INCONCLUSIVE, PASS, Verdict

#: With this much evidence against it canary does not pass: it holds on.
SUSPICIOUS = log(20.0)
#: With this much evidence for it its step may end early: one in twenty that are too bad gets that far.
CONVINCING = log(20.0)
#: Seconds that a rollout is taken to last where nobody knows better.
HORIZON = 4 * 3600.0


class Continuous(ABC):
    """Judges one check over a whole rollout. ``min_requests`` of canary are what a step needs to pass.

    The state has ``peak``, the most evidence there was, as a natural logarithm.
    """

    def __init__(self, min_requests: int) -> None:
        self._enough = max(1, min_requests)

    @abstractmethod
    def start(self) -> Dict[str, Any]:
        """The state before the first step."""

    @abstractmethod
    def step(self, state: State) -> Dict[str, Any]:
        """The state at a step's beginning: the evidence stays, the counts and what allows to promote begin anew."""

    @abstractmethod
    def update(self, state: State, evidence: Evidence) -> Dict[str, Any]:
        """The state after some more evidence."""

    @abstractmethod
    def verdict(self, state: State, baseline: bool) -> Verdict:
        """What the state says, which is more work; ``baseline``: stable has no share any more."""

    @abstractmethod
    def log_e(self, state: State) -> float:
        """The natural logarithm of the evidence that canary is worse than it may be."""

    @abstractmethod
    def convinced(self, state: State) -> bool:
        """Whether there is no need to look any longer: canary is no worse than it may be."""

    @abstractmethod
    def explain(self, state: State, baseline: bool = False) -> str:
        """What both arms had in this step, and a p-value, for people."""

    def weigh(self, state: State, evidence: Evidence) -> Tuple[Dict[str, Any], Verdict]:
        """The state and the verdict after some more evidence."""
        after = self.update(state, evidence)
        return after, self.verdict(after, evidence.baseline)

    @staticmethod
    def p_value(state: State) -> float:
        """How probable so much evidence, ever, is where canary is as it may be: 1 / max E."""
        return exp(-float(state["peak"]))

    def failed(self, state: State, log_e: float, baseline: bool = False) -> Verdict:
        """The verdict that turns canary back, on evidence ``log_e`` over all checks."""
        return Verdict(FAIL, "%s; %s" % (self.explain(state, baseline), odds(log_e)))

    def _enough_or_not(self, state: State, requests: int, said: str) -> Verdict:
        """The verdict of a comparison that could be made, on so many requests of canary."""
        if requests < self._enough:
            return Verdict(INCONCLUSIVE, "%s; %d requests are needed" % (said, self._enough))
        if self.log_e(state) >= SUSPICIOUS:
            return Verdict(INCONCLUSIVE, "%s; this is suspicious (%s)" % (said, odds(self.log_e(state))))
        return Verdict(PASS, said)


def odds(log_e: float) -> str:
    """How rare evidence of this strength is where canary is as it may be, for people."""
    rollouts = exp(min(log_e, log(1e9)))
    digits = max(0, len(str(int(rollouts))) - 2)
    often = "{:,}".format(int(round(rollouts, -digits)))
    return "a false alarm this strong happens once in %s%s rollouts" % ("more than " if log_e > log(1e9) else "", often)
