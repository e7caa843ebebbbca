# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verdict: one of five outcomes, never folded into two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterable, Mapping

PASS, FAIL, INCONCLUSIVE, NO_DATA, ERROR = "pass", "fail", "inconclusive", "no_data", "error"

#: From the worst: of several checks the first that any of them says is what counts.
SEVERITY = (FAIL, ERROR, NO_DATA, INCONCLUSIVE, PASS)


@dataclass(frozen=True)
class Verdict:
    """``outcome`` is one of SEVERITY; ``reason`` one sentence for people with the numbers that decided."""

    outcome: str
    reason: str

    def to_json(self) -> Dict[str, Any]:
        return {"outcome": self.outcome, "reason": self.reason}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        return cls(data["outcome"], data["reason"])


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that counts; a pass when there is nothing to judge."""
    by_outcome: Dict[str, Verdict] = {}
    for verdict in verdicts:
        by_outcome.setdefault(verdict.outcome, verdict)
    for outcome in SEVERITY:
        if outcome in by_outcome:
            return by_outcome[outcome]
    return Verdict(PASS, "no check is declared for this step")
