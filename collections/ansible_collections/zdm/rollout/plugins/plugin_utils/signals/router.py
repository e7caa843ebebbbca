# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routers' own counters, made into counts per pool and time.

Theory of operation. Every renewal brings the total of each member at each router. A *tally* remembers the totals
last seen and gives what came since, summed over routers and members. A total that went back means that the proxy
began anew (restart): what it shows is then all new. A member seen for the first time starts from what it shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils.judge import Counts, Measurement

Totals = Mapping[str, Mapping[str, Any]]


class Tally:
    """What canary and stable received since the tally was last asked."""

    def __init__(self, pool_of: Mapping[str, Mapping[str, str]]) -> None:
        """``pool_of``: router -> server name at it -> pool."""
        self._pool_of = pool_of
        self._seen: dict[tuple[str, str], Counts] = {}

    def add(self, router: str, totals: Totals) -> dict[str, Counts]:
        """Counts by pool since this router's totals were last added."""
        news: dict[str, Counts] = {}
        for member, total in totals.items():
            pool = self._pool_of[router].get(member)
            if pool is None:
                continue
            now = Counts(total["requests"], total["failures"])
            before = self._seen.get((router, member), now)
            if now.requests >= before.requests:
                # A failure count may step back by tries that were in flight; each failure is told once.
                now = Counts(now.requests, max(now.failures, before.failures))
            self._seen[(router, member)] = now
            news[pool] = news.get(pool, Counts()) + since(before, now)
        return news


def since(before: Counts, now: Counts) -> Counts:
    """What came between two totals; all of ``now`` where the proxy began to count anew."""
    if now.requests < before.requests:
        return now
    return Counts(now.requests - before.requests, now.failures - before.failures)


def measure(counts: Counts) -> Measurement:
    """The share of failed tries of a pool in a stretch of time, as a measurement for bounds."""
    if not counts.requests:
        return Measurement("canary has had no request", no_data=True)
    return Measurement("canary fails %s requests" % counts, value=counts.share)
