# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``threshold`` judge: fixed limits, as people set them.

Rules of this room: pure; state is JSON; time is not known here.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Protocol, Tuple

from .counts import Counts
from .evidence import Evidence, Measurement
from .verdict import ERROR, FAIL, INCONCLUSIVE, NO_DATA, PASS, Verdict

State = Mapping[str, Any]

#: Before a comparison may fail: so many requests and failures of canary.
LEAST_REQUESTS = 50
LEAST_FAILURES = 5
#: How much worse than stable canary may be: this many times its share of failures, plus so many points.
RATIO = 1.25
POINTS = 1.0


class Judge(Protocol):
    """Judges one check of one step."""

    def start(self) -> State:
        """The state before any evidence."""

    def weigh(self, state: State, evidence: Evidence) -> Tuple[State, Verdict]:
        """The state and the verdict after some more evidence."""


class Comparison:
    """Canary's share of failed tries against stable's in the same time.

    Fails with at least 50 canary requests, 5 failures, and a share above 1.25 times stable's plus 1 point.
    Passes once canary has had ``min_requests`` without failing; not on a worse share of fewer than 50, which is no
    pass but too little evidence.
    """

    def __init__(self, min_requests: int) -> None:
        self._enough = max(1, min_requests)

    def start(self) -> State:
        return {"canary": [0, 0], "stable": [0, 0]}

    def weigh(self, state: State, evidence: Evidence) -> Tuple[State, Verdict]:
        canary = Counts(*state["canary"]) + evidence.canary
        stable = evidence.stable if evidence.baseline else Counts(*state["stable"]) + evidence.stable
        after = {"canary": [canary.requests, canary.failures], "stable": [stable.requests, stable.failures]}
        return after, self._verdict(canary, stable, evidence.baseline)

    def _verdict(self, canary: Counts, stable: Counts, baseline: bool) -> Verdict:
        versus = "canary fails %s requests, stable %s%s" % (canary, stable, " before the switch" if baseline else "")
        if not canary.requests:
            return Verdict(NO_DATA, "canary has had no request")
        if not stable.requests:
            return Verdict(INCONCLUSIVE, "stable has had no request to compare with; %s" % versus)
        limit = RATIO * stable.share + POINTS
        if canary.requests >= LEAST_REQUESTS and canary.failures >= LEAST_FAILURES and canary.share > limit:
            return Verdict(FAIL, "%s; at most %.2f %% is allowed" % (versus, limit))
        enough = max(self._enough, LEAST_REQUESTS) if canary.share > limit else self._enough
        if canary.requests < enough:
            return Verdict(INCONCLUSIVE, "%s; %d requests are needed" % (versus, enough))
        return Verdict(PASS, versus)


class Bounds:
    """Measurements against ``minimum`` and ``maximum``, or their own good or bad; ``in_a_row`` must agree."""

    def __init__(self, minimum: Optional[float], maximum: Optional[float], in_a_row: int) -> None:
        self._minimum = minimum
        self._maximum = maximum
        self._in_a_row = max(1, in_a_row)

    def start(self) -> State:
        return {"good": 0, "bad": 0, "verdict": Verdict(INCONCLUSIVE, "not measured yet").to_json()}

    def weigh(self, state: State, evidence: Evidence) -> Tuple[State, Verdict]:
        measurement = evidence.measurement
        if measurement is None:
            return state, Verdict.from_json(state["verdict"])
        good, bad = 0, 0
        if measurement.error:
            verdict = Verdict(ERROR, measurement.text)
        elif measurement.no_data:
            verdict = Verdict(NO_DATA, measurement.text)
        elif self._within(measurement):
            good = state["good"] + 1
            verdict = self._after(good, PASS, measurement.text)
        else:
            bad = state["bad"] + 1
            verdict = self._after(bad, FAIL, "%s%s" % (measurement.text, self._limits(measurement)))
        after: Dict[str, Any] = {"good": good, "bad": bad, "verdict": verdict.to_json()}
        return after, verdict

    def _within(self, measurement: Measurement) -> bool:
        if measurement.value is None:
            return bool(measurement.good)
        above = self._minimum is None or measurement.value >= self._minimum
        below = self._maximum is None or measurement.value <= self._maximum
        return above and below

    def _limits(self, measurement: Measurement) -> str:
        if measurement.value is None:
            return ""
        limits = [("at least %g" % self._minimum) if self._minimum is not None else ""]
        limits.append(("at most %g" % self._maximum) if self._maximum is not None else "")
        return "; expected %s" % " and ".join(limit for limit in limits if limit)

    def _after(self, count: int, outcome: str, text: str) -> Verdict:
        if count >= self._in_a_row:
            return Verdict(outcome, text)
        return Verdict(INCONCLUSIVE, "%s; %d of %d in a row" % (text, count, self._in_a_row))
