# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others would do on the same records, with the settings that their documentation shows.

Rules of this room: pure. Both look at canary alone, at whole intervals, and count how often it was below a fixed rate
of success.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..module_utils.judge import Counts
from ._records import Tick


def flagger(ticks: Sequence[Tick], interval: float = 60.0, least: float = 99.0, threshold: int = 5) -> float | None:
    """Flagger's request-success-rate: the seconds after which it rolls back; None for never.

    An interval without a request fails as well. Failures add up and are never forgiven; the rollback comes with the
    interval after the one that reaches the threshold.
    """
    failed = 0
    for end, counts in _intervals(ticks, interval):
        failed += not counts.requests or 100.0 - counts.share < least
        if failed >= threshold:
            return end + interval
    return None


def argo(ticks: Sequence[Tick], interval: float = 300.0, least: float = 95.0, limit: int = 3) -> float | None:
    """Argo Rollouts' success-rate template: fails with one more than failureLimit; the seconds, None for never."""
    failed = 0
    for end, counts in _intervals(ticks, interval):
        failed += bool(counts.requests) and 100.0 - counts.share < least
        if failed > limit:
            return end
    return None


def _intervals(ticks: Sequence[Tick], interval: float) -> Iterator[tuple[float, Counts]]:
    """Canary's counts of each whole interval, by its end in seconds since the records' beginning."""
    began, number, counts = beginning(ticks), 1, Counts()
    for tick in ticks:
        while tick.t - began > number * interval + 1e-9:
            yield number * interval, counts
            number, counts = number + 1, Counts()
        counts += tick.canary
    if ticks and ticks[-1].t - began >= number * interval - 1e-9:
        yield number * interval, counts


def beginning(ticks: Sequence[Tick]) -> float:
    """When the first tick began: it was as long as the second."""
    return ticks[0].t - (ticks[1].t - ticks[0].t if len(ticks) > 1 else 0.0)
