# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``sequential`` judge: canary's failures against stable's in the same time, looked at as often as one likes.

Rules of this room: pure; state is JSON of less than 4 kB, from which another machine gives the same verdict to the last
bit; time is an argument. What each part shows, and why, is in its own file.

Theory of operation. Two tests share the money: a patient one (margin.py), which finds a canary that is somewhat worse,
and a hasty one (hard_fail.py), which finds one that fails hard after a handful of requests. Both are e-processes, and
so is their weighted sum, here and over all checks (combination.py). For ``warm_up`` after each raise only the hasty one
looks: cold caches are worse for a while, and no release is turned back for that. How bursty failures are is learnt from
stable's own members (dispersion.py), block by block, and used for the batches after.

A verdict of this judge alone is ``pass`` or ``inconclusive``, or ``no_data``: what fails is decided over all checks, by
who has alpha (combination.py). A canary against which there is some evidence, though not enough, does not pass.
"""

from __future__ import annotations

from math import log
from typing import Any, Dict, Optional

from . import pairs
from .bets import State, log_sum
from .continuous import CONVINCING, HORIZON, Continuous
from .counts import Counts
from .dispersion import Dispersion
from .evidence import Evidence
from .hard_fail import HardFail, limit_of
from .interval import interval
from .margin import Margin
from .promotion import Promotion
from .verdict import INCONCLUSIVE, NO_DATA, Verdict

#: How much worse than stable canary may be: so many times its rate, plus so much (a share).
RATIO, POINTS = 1.25, 0.001
#: The money of the patient test and of the hasty one.
PATIENT, HASTY = 0.6, 0.4


class Sequential(Continuous):
    """Judges one check over a whole rollout. ``dispersion``: None where it is to be learnt. ``min_requests`` of canary
    are what a step needs to pass.
    """

    def __init__(
        self,
        min_requests: int,
        ratio: float = RATIO,
        margin: float = POINTS,
        dispersion: Optional[float] = None,
        horizon: float = HORIZON,
    ) -> None:
        super().__init__(min_requests)
        self._given = dispersion
        self._patient = Margin(ratio, margin, horizon)
        self._hasty = HardFail(dispersion or 2.0, horizon)
        self._promotion = Promotion(ratio, margin)
        self._dispersion = Dispersion()

    def start(self) -> Dict[str, Any]:
        """The state before the first step."""
        return {
            "patient": self._patient.start(),
            "hasty": self._hasty.start(),
            "promotion": self._promotion.start(),
            "dispersion": self._dispersion.start(),
            "waiting": pairs.start(),
            "peak": 0.0,
            **_COUNTS,
        }

    def step(self, state: State) -> Dict[str, Any]:
        """The state at a step's beginning: the evidence stays, the counts and what allows to promote begin anew."""
        return {**state, "promotion": self._promotion.start(), "waiting": pairs.start(), **_COUNTS}

    def update(self, state: State, evidence: Evidence) -> Dict[str, Any]:
        """The state alone, which is most of the evidence's use and little of the work."""
        known = self.dispersion(state)
        after = self._alone(state, evidence, known) if evidence.baseline else self._both(state, evidence, known)
        after["dispersion"] = self._dispersion.add(state["dispersion"], evidence.members, evidence.t)
        after["canary"] = pairs.as_json(Counts(*state["canary"]) + evidence.canary)
        stable = evidence.stable if evidence.baseline else Counts(*state["stable"]) + evidence.stable
        after["stable"] = pairs.as_json(stable)
        after["peak"] = max(state["peak"], self.log_e(after))
        return after

    def dispersion(self, state: State) -> float:
        """What is known of how bursty failures are."""
        return self._given or self._dispersion.value(state["dispersion"])

    def log_e(self, state: State) -> float:
        """The natural logarithm of the evidence that canary is worse than it may be."""
        return log_sum(
            [log(PATIENT) + self._patient.log_e(state["patient"]), log(HASTY) + self._hasty.log_e(state["hasty"])]
        )

    def log_promotion(self, state: State) -> float:
        """The natural logarithm of the evidence that it is not, of this step."""
        return self._promotion.log_e(state["promotion"])

    def convinced(self, state: State) -> bool:
        """Whether there is no need to look any longer: canary is no worse than it may be."""
        return self.log_promotion(state) >= CONVINCING

    def explain(self, state: State, baseline: bool = False) -> str:
        """What both arms had in this step, how many times stable's canary's failures are, and a p-value, for people."""
        canary, stable = Counts(*state["canary"]), Counts(*state["stable"])
        before = " before the switch" if baseline else ""
        said = "canary fails %s requests, stable %s%s" % (canary, stable, before)
        low, high = interval(canary, stable, self.dispersion(state))
        if low > 0.0 and canary.failures:
            said += ", at least %.2g times as often" % low
        elif high < 1e3:
            said += ", at most %.2g times as often" % high
        return "%s (p %.2g)" % (said, self.p_value(state))

    def _both(self, state: State, evidence: Evidence, known: float) -> Dict[str, Any]:
        canary, stable, t = evidence.canary, evidence.stable, evidence.t
        after = {**state, "hasty": self._hasty.weigh(state["hasty"], canary, stable, t, dispersion=known)}
        if not evidence.warm:
            return {**after, "waiting": pairs.start()}
        after["waiting"], batch = pairs.add(state["waiting"], canary, stable)
        if batch:
            after["patient"] = self._patient.weigh(state["patient"], batch, t, known)
            after["promotion"] = self._promotion.weigh(state["promotion"], batch, known)
        return after

    def _alone(self, state: State, evidence: Evidence, known: float) -> Dict[str, Any]:
        """Canary has all: it is held against what stable had before, which was fixed then, with wider margins."""
        canary, t = evidence.canary, evidence.t
        after = {**state, "hasty": self._hasty.weigh(state["hasty"], canary, Counts(), t, True, known)}
        if evidence.warm and canary.requests:
            sound, dummy = pairs.sound(canary, Counts())
            limit = limit_of(evidence.stable)
            after["patient"] = self._patient.weigh_alone(state["patient"], sound, limit, t, known)
        return after

    def verdict(self, state: State, baseline: bool) -> Verdict:
        """What the state says; ``baseline``: stable's counts are of another time."""
        canary, stable = Counts(*state["canary"]), Counts(*state["stable"])
        if not canary.requests:
            return Verdict(NO_DATA, "canary has had no request")
        said = self.explain(state, baseline)
        if not stable.requests:
            return Verdict(INCONCLUSIVE, "stable has had no request to compare with; %s" % said)
        waiting = Counts(*state["hasty"]["pending"]["canary"]).failures
        if waiting and canary.requests >= self._enough:
            said += "; stable has had no request since %d of these failures, to compare with" % waiting
            return Verdict(INCONCLUSIVE, said)
        return self._enough_or_not(state, canary.requests, said)


_COUNTS: Dict[str, Any] = {"canary": [0, 0], "stable": [0, 0]}
