# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sight: what a router shows of one service, look by look, and what was counted since the last one."""

from __future__ import annotations

import threading
from typing import Dict, Optional

from ..judge import Counts, Tally
from ..routers.api import Counters, Driver, RouterError, Service, Traffic
from .gate import UNKNOWN, Gate

#: How often members that the proxy does not check are asked whether they are well, in seconds.
ASK_SECONDS = 2.0
HERE = "here"


class Sight:
    """``traffic`` and ``counters`` as last seen; ``failure``: why the last look failed, for people; empty."""

    def __init__(self, driver: Driver, service: Service, gate: Gate) -> None:
        self._driver = driver
        self._service = service
        self._gate = gate
        pool_of = {member.name: pool for pool, members in service.pools.items() for member in members}
        self._tally = Tally({HERE: pool_of})
        self._news: Dict[str, Counts] = {}
        self._asked_at: Optional[float] = None
        self._asking: Optional[threading.Thread] = None
        self.traffic: Optional[Traffic] = None
        self.counters: Dict[str, Counters] = {}
        self.failure = ""
        self.stable_is_sick = ""

    def look(self, t: float, stable: str = "") -> None:
        """Look once. With ``stable``: could it take all traffic now?"""
        try:
            self.traffic, self.counters = self._driver.observe(self._service)
        except RouterError as error:
            self.failure, self._news = str(error), {}
            return
        self.failure = ""
        self._news = self._tally.add(HERE, {name: vars(counters) for name, counters in self.counters.items()})
        if stable:
            self._ask(self.traffic, stable, t)

    def counted(self, pool: str) -> Counts:
        """What the pool received between the last two looks."""
        return self._news.get(pool, Counts())

    def _ask(self, traffic: Traffic, stable: str, t: float) -> None:
        """Members that nobody checks are asked beside: it may take as long as their timeout."""
        if all(member.health not in UNKNOWN for member in traffic.members if member.pool == stable):
            self.stable_is_sick = self._gate.sickness(self._service, traffic, stable)
            return
        resting = self._asked_at is not None and t - self._asked_at < ASK_SECONDS
        if resting or (self._asking is not None and self._asking.is_alive()):
            return
        self._asked_at = t
        self._asking = threading.Thread(target=self._ask_now, args=(traffic, stable), daemon=True)
        self._asking.start()

    def _ask_now(self, traffic: Traffic, stable: str) -> None:
        self.stable_is_sick = self._gate.sickness(self._service, traffic, stable)
