# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rounds: each check at its own pace, as long as its step lasts; and a measure that breaks."""

from __future__ import annotations

import asyncio
from typing import Any

from ansible_collections.zdm.rollout.plugins.plugin_utils._checks import Check
from ansible_collections.zdm.rollout.plugins.plugin_utils._rounds import Rounds

from .example import spec_of
from .test_judging import step

CHECKS = spec_of(
    {"checks": {name: {"signal": "http", "path": "/" + name, "every": 1} for name in ("one", "other", "broken")}}
).checks


class Judging:
    def __init__(self) -> None:
        self.told: list[Any] = []

    def unread(self, name: str, why: str) -> None:
        self.told.append((name, why))


class Bench:
    """Rounds whose measures are noted; seconds pass at once."""

    def __init__(self, monkeypatch: Any) -> None:
        self.measured: list[str] = []
        self.judging = Judging()
        sleep = asyncio.sleep
        monkeypatch.setattr(asyncio, "sleep", lambda seconds: sleep(0.001 * seconds))
        self.rounds = Rounds(CHECKS, dict.fromkeys(CHECKS, self._measure), self.judging)  # type: ignore[arg-type]

    async def _measure(self, check: Check) -> None:
        self.measured.append(check.name)
        if check.name == "broken":
            raise ZeroDivisionError("of our own")

    async def until(self, *names: str, times: int = 3) -> None:
        for dummy in range(2000):
            if all(self.measured.count(name) >= times for name in names):
                return
            await asyncio.sleep(1)
        raise AssertionError(self.measured)


def test_a_step_measures_its_own_checks_and_the_next_one_others(monkeypatch: Any) -> None:
    bench = Bench(monkeypatch)

    async def run() -> None:
        bench.rounds.begin(step("one"))
        await bench.until("one")
        assert set(bench.measured) == {"one"}
        bench.rounds.begin(step("other", "of the routers"))
        bench.measured.clear()
        await bench.until("other")
        assert set(bench.measured) == {"other"}
        bench.rounds.end()
        bench.measured.clear()
        await asyncio.sleep(20)
        assert bench.measured == []

    asyncio.run(run())


def test_a_check_that_cannot_be_measured_is_an_error_and_is_tried_again(monkeypatch: Any) -> None:
    """Else it would go on saying what it said at last, which may be a pass."""
    bench = Bench(monkeypatch)

    async def run() -> None:
        bench.rounds.begin(step("broken", "one"))
        await bench.until("broken", "one")
        bench.rounds.end()

    asyncio.run(run())
    assert set(bench.judging.told) == {("broken", "it cannot be measured: ZeroDivisionError: of our own")}
    assert len(bench.judging.told) >= 3
