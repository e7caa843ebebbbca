# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs: what canary and stable had at the same time, batch by batch.

Rules of this room: pure; state is JSON. A comparison needs tries of both pools; what one of them had alone waits for
the other's next one.
"""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Tuple

from .counts import Counts

#: Canary's and stable's counts of one batch.
Pair = Tuple[Counts, Counts]


def start() -> Mapping[str, Any]:
    """Nothing waits."""
    return {"canary": [0, 0], "stable": [0, 0]}


def add(waiting: Mapping[str, Any], canary: Counts, stable: Counts) -> Tuple[Mapping[str, Any], Optional[Pair]]:
    """What waits after some more counts, and the batch if it is whole."""
    canary, stable = Counts(*waiting["canary"]) + canary, Counts(*waiting["stable"]) + stable
    if canary.requests and stable.requests:
        return start(), sound(canary, stable)
    return {"canary": as_json(canary), "stable": as_json(stable)}, None


def sound(canary: Counts, stable: Counts) -> Pair:
    """A batch in which nobody has more failures than requests.

    A failure may be told later than its request. Kept for the next batches it would make a row of failures at canary
    when an outage of both is over. So canary's are dropped, and stable's are tries more: both speak for canary.
    """
    return (
        Counts(canary.requests, min(canary.failures, canary.requests)),
        Counts(max(stable.failures, stable.requests), stable.failures),
    )


def as_json(counts: Counts) -> List[int]:
    """As [requests, failures]."""
    return [counts.requests, counts.failures]
