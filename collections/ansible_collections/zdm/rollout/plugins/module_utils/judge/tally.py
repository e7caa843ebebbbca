# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Totals of routers, made into counts per pool and time; the watch and the agent count alike.

Rules of this room: no I/O and no clock; what was read is brought in.

Theory of operation. Every look brings the total of each member at each router. A *tally* remembers the totals
last seen and gives what came since, summed over routers and members. A total that went back means that the proxy
began anew (restart): what it shows is then all new. A member seen for the first time starts from what it shows.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Tuple

from .counts import Counts

#: Member -> its totals, as the agent's protocol carries them: ``requests``, ``failures``.
Totals = Mapping[str, Mapping[str, Any]]


class Tally:
    """What canary and stable received since the tally was last asked."""

    def __init__(self, pool_of: Mapping[str, Mapping[str, str]]) -> None:
        """``pool_of``: router -> server name at it -> pool."""
        self._pool_of = pool_of
        self._seen: Dict[Tuple[str, str], Counts] = {}

    def add(self, router: str, totals: Totals) -> Dict[str, Counts]:
        """Counts by pool since this router's totals were last added."""
        news: Dict[str, Counts] = {}
        for pool, members in self.by_member(router, totals).items():
            news[pool] = sum(members.values(), Counts())
        return news

    def by_member(self, router: str, totals: Totals) -> Dict[str, Dict[str, Counts]]:
        """Counts by pool and member since this router's totals were last added."""
        news: Dict[str, Dict[str, Counts]] = {}
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
            news.setdefault(pool, {})[member] = since(before, now)
        return news


def since(before: Counts, now: Counts) -> Counts:
    """What came between two totals; all of ``now`` where the proxy began to count anew."""
    if now.requests < before.requests:
        return now
    return Counts(now.requests - before.requests, now.failures - before.failures)
