# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long requests took, as a signal: totals of histograms, made into what came since the last look."""

from __future__ import annotations

from collections.abc import Mapping

from ...module_utils.judge import Histogram, Times

#: Pool -> what counts it (a member, or a router) -> its histogram since that began to count.
Totals = Mapping[str, Mapping[str, Histogram]]
NONE = Histogram({})


class Tally:
    """What canary and stable had since the tally was last asked."""

    def __init__(self, stable: str, canary: str) -> None:
        self._stable = stable
        self._canary = canary
        self._seen: dict[tuple[str, str], Histogram] = {}

    def add(self, totals: Totals) -> Times:
        """What came since these were last added; what stable had when it was seen first is from before."""
        before, news = NONE, {self._stable: NONE, self._canary: NONE}
        for pool, counted in totals.items():
            for source, histogram in counted.items():
                seen = self._seen.get((pool, source))
                if seen is not None:
                    news[pool] += histogram.since(seen)
                elif pool == self._stable:
                    before += histogram
                self._seen[(pool, source)] = histogram
        return Times(news[self._canary], news[self._stable], before)
