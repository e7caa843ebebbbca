# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which members rest: a router that checks nobody is told whom to leave out, by the guard that asks them instead.

Theory of operation. While a lease lives its guard asks all members whom the router does not check. Who is not well
twice in a row rests, and whoever is well once is back. A pool never loses its last member to it, and no more than one
at a time: a router can go without one of many, and what else fails it finds out with its tries. With the lease the
asking ends, so nobody rests any more then: what nobody looks after must not stay.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Dict, FrozenSet, Mapping, Optional, Sequence

from ..routers.api import TRIED, Driver, RouterError, Service, Traffic
from .gate import Gate

#: How often members are asked, in seconds, and how often in a row one may be unwell before it rests.
ASK_SECONDS, IN_A_ROW = 2.0, 2


class Rests:
    """Pure: who rests, round by round. ``pools``: the members of each by name."""

    def __init__(self, pools: Mapping[str, Sequence[str]]) -> None:
        self._pools = pools
        self._unwell: Dict[str, int] = {}
        self.resting: FrozenSet[str] = frozenset()

    def hear(self, well: Mapping[str, bool]) -> FrozenSet[str]:
        """Who rests after another round, in which these members were found ``well`` or not."""
        for name, is_well in well.items():
            self._unwell[name] = 0 if is_well else self._unwell.get(name, 0) + 1
        self.resting = frozenset(name for name in map(self._of, self._pools.values()) if name)
        return self.resting

    def _of(self, members: Sequence[str]) -> str:
        """Who rests in one pool; whoever does so now before another one."""
        unwell = [name for name in members if self._unwell.get(name, 0) >= IN_A_ROW]
        if len(unwell) == len(members):
            return ""
        return next(iter(sorted(unwell, key=lambda name: name not in self.resting)), "")


class Keeping:
    """Asks the members of one service, and tells the router."""

    def __init__(self, driver: Driver, service: Service, gate: Gate) -> None:
        self._driver, self._service, self._gate = driver, service, gate
        self._rests = Rests({pool: [member.name for member in known] for pool, known in service.pools.items()})
        self._asked_at: Optional[float] = None
        self._asking: Optional[threading.Thread] = None
        self._lock = threading.Lock()
        self._over = False

    def tick(self, t: float, traffic: Optional[Traffic]) -> None:
        """Ask beside, if it is time and anybody is there whom the router does not check."""
        if traffic is None or not any(member.health == TRIED for member in traffic.members):
            return
        if self._asked_at is not None and t - self._asked_at < ASK_SECONDS:
            return
        if self._asking is not None and self._asking.is_alive():
            return
        self._asked_at = t
        self._asking = threading.Thread(target=self.ask, daemon=True)
        self._asking.start()

    def ask(self) -> None:
        """One round."""
        names = [member.name for known in self._service.pools.values() for member in known]
        answers = self._gate.answers(self._service, list(self._service.pools), names)
        before = self._rests.resting
        resting = self._rests.hear({name: not answer.failure for name, answer in answers.items()})
        if resting or before:  # each round: whoever makes the service known has all back
            self._tell(resting)

    def end(self) -> None:
        """Nobody is asked any more, so nobody rests."""
        with self._lock:
            self._over = True
        if self._rests.resting:
            self._rests = Rests({})
            self._tell(frozenset(), anyway=True)

    def _tell(self, resting: FrozenSet[str], anyway: bool = False) -> None:
        with self._lock:
            if self._over and not anyway:
                return
            with suppress(RouterError):  # while somebody rests, every round tells it again
                self._driver.leave_out(self._service, resting)
