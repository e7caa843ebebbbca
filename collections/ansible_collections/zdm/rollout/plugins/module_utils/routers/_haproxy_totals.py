# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all workers of a HAProxy have counted together, over reloads.

Rules of this room: pure but for what it remembers; no I/O.

A reload begins a new worker at zero while the old one still finishes requests, and then the old one is gone. The sum
over those that are there would fall then, and a count that falls is one that begins anew, which counts the new
worker's requests twice. So what a worker had counted when it was last seen is kept.
"""

from __future__ import annotations

from typing import Dict, Mapping

from .api import Counters

Counted = Mapping[str, Counters]


class Totals:
    """The sums of one service; they rise as long as this object lives."""

    def __init__(self) -> None:
        self._last: Dict[str, Counted] = {}
        #: Of processes whose ids others have now.
        self._others: Counted = {}

    def add(self, seen: Mapping[str, Counted]) -> Dict[str, Counters]:
        """The sums, by server, with what each worker (its process id) shows now."""
        for pid, counted in seen.items():
            if pid in self._last and _began_anew(self._last[pid], counted):
                self._others = plus(self._others, self._last[pid])
            self._last[pid] = counted
        total: Dict[str, Counters] = dict(self._others)
        for counted in self._last.values():
            total = plus(total, counted)
        return total


def plus(one: Counted, other: Counted) -> Dict[str, Counters]:
    """Both together."""
    result = dict(one)
    for server, counted in other.items():
        before = result.get(server, Counters(0, 0))
        kinds = {
            kind: before.kinds.get(kind, 0) + counted.kinds.get(kind, 0) for kind in {**before.kinds, **counted.kinds}
        }
        result[server] = Counters(before.requests + counted.requests, before.failures + counted.failures, kinds)
    return result


def _began_anew(before: Counted, now: Counted) -> bool:
    """Another process with the same id."""
    return any(server in now and now[server].requests < counted.requests for server, counted in before.items())
