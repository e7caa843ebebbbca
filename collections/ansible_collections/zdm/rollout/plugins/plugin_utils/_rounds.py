# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rounds: what is measured again and again as long as a step lasts, each check at its own pace."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from ._checks import Check
from ._fleet import Fleet
from ._judging import Judging
from ._log import log
from ._plan import Plan, Step
from ._prober import Prober
from ._routers import Routers
from ._scraper import Scraper
from ._spec import Spec
from ._timekeeper import Timekeeper

#: Measures a check once, and tells the judging.
Measure = Callable[[Check], Awaitable[None]]
#: So many members are asked at once from here. Threads of their own: nobody who is to be told waits behind them.
THREADS = 16


class Rounds:
    """``measures``: how the checks are measured that are not judged by what the routers count, by name."""

    def __init__(self, checks: Mapping[str, Check], measures: Mapping[str, Measure], judging: Judging) -> None:
        self._checks = checks
        self._measures = measures
        self._judging = judging
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    def of(cls, spec: Spec, fleet: Fleet, made: Plan, routers: Routers, judging: Judging) -> Rounds:
        """The rounds of a rollout: each check is measured by who can, or is counted by the keepers anyway."""
        threads = ThreadPoolExecutor(THREADS)
        prober = Prober(routers, fleet, made.canary, judging, threads)
        scraper = Scraper(fleet, made.stable, made.canary, judging, threads)
        ways: dict[str, Measure] = {"http": prober.measure, "metrics": scraper.measure}
        measures = {name: ways[check.signal] for name, check in spec.checks.items() if check.signal in ways}
        timed = [name for name, check in spec.checks.items() if check.signal == "router" and check.of == "latency"]
        measures.update({name: Timekeeper(routers, judging).measure for name in timed})
        return cls(spec.checks, measures, judging)

    def begin(self, step: Step) -> None:
        """Measure what this step asks for, and no longer what the one before did."""
        self.end()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._repeat(name)) for name in (*step.checks, *step.learns) if name in self._measures
        ]

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []

    async def _repeat(self, name: str) -> None:
        while True:
            try:
                await self._measures[name](self._checks[name])
            except Exception as error:  # noqa: BLE001 -- a check that nobody measures any more must not go on passing
                log(f"check {name}: {traceback.format_exc()}")
                self._judging.unread(name, f"it cannot be measured: {type(error).__name__}: {error}")
            await asyncio.sleep(self._checks[name].every)
