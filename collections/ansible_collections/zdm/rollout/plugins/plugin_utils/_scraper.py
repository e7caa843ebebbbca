# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scraper: reads ``metrics`` checks off the pages of both pools' members, asked for from here.

Theory of operation. A member of canary that cannot be read is an error of the check: what it would have counted is not
known, so the step does not pass. Of stable it is enough to read some: its members are alike, and the comparison goes by
what was counted. Both keep what they have counted for the next time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from ..module_utils._http import get
from ..module_utils.routers.api import Member
from ._checks import Check, Series
from ._fleet import Fleet
from ._judging import Judging
from ._selector import Selector
from .signals import metrics
from .signals.metrics import Page, Unreadable

#: More than a page may have, in bytes.
PAGE_LIMIT = 8 << 20

T = TypeVar("T")


class Scraper:
    """Reads members' pages; what is on them goes to the judging."""

    def __init__(self, fleet: Fleet, stable: str, canary: str, judging: Judging, threads: Executor) -> None:
        self._pools = {pool: [known.member for known in fleet.pools[pool]] for pool in (stable, canary)}
        self._canary = canary
        self._judging = judging
        self._threads = threads

    async def measure(self, check: Check) -> None:
        try:
            await self._measure(check)
        except Unreadable as error:
            self._judging.unread(check.name, str(error))

    async def _measure(self, check: Check) -> None:
        name, series = check.name, check.series
        match series:
            case Series(value=Selector() as value):
                found = await self._read(check, self._canary, lambda page: page.value(value))
                self._judging.measured(name, metrics.measure(value, found, check.min))
            case Series(histogram=Selector() as histogram):
                times = await self._both(check, lambda page: page.histogram(histogram))
                self._judging.timed(name, times, time.monotonic())
            case Series(requests=Selector() as requests, failures=Selector() as failures):
                totals = await self._both(check, lambda page: page.totals(requests, failures))
                self._judging.counted_by_members(name, totals, time.monotonic())

    async def _both(self, check: Check, read: Callable[[Page], T]) -> dict[str, dict[str, T]]:
        return {pool: await self._read(check, pool, read) for pool in self._pools}

    async def _read(self, check: Check, pool: str, read: Callable[[Page], T]) -> dict[str, T]:
        """What the members of a pool have on their pages; Unreadable."""
        members = self._pools[pool]
        loop = asyncio.get_running_loop()
        asked = [loop.run_in_executor(self._threads, _scrape, check, member, read) for member in members]
        results = await asyncio.gather(*asked)
        found = {each.name: got for each, got in zip(members, results, strict=True) if not isinstance(got, Unreadable)}
        lost = [str(got) for got in results if isinstance(got, Unreadable)]
        if lost and (pool == self._canary or not found):
            raise Unreadable("; ".join(lost))
        return found


def _scrape(check: Check, member: Member, read: Callable[[Page], T]) -> T | Unreadable:
    """What is on one member's page; blocks."""
    port = check.port or member.port
    where = f"{check.path} of {member.name} ({member.address}:{port})"
    try:
        status, text = get(member.address, port, str(check.path), check.timeout, PAGE_LIMIT)
    except OSError as error:
        why = f"no whole answer within {check.timeout:g} s" if isinstance(error, TimeoutError) else str(error)
        return Unreadable(f"{where}: {why or type(error).__name__}")
    if status != 200:
        return Unreadable(f"{where} answered {status}, expected 200")
    if len(text.encode()) >= PAGE_LIMIT:
        return Unreadable(f"{where} is longer than {PAGE_LIMIT >> 20} MB: name a smaller page")
    try:
        return read(Page(text))
    except Unreadable as error:
        return Unreadable(f"{where}: {error}")
