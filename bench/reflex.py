# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reflex, as users feel it: canary goes bad in the middle of a rollout, and a client counts what it gets.

Canary's members stay healthy for the proxy (the health URL answers 200), so that nobody but who counts the answers
can find out. With the reflex off it is the watch that does, with the ordinary check of a spec.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.table import Row
from demo.client import Client
from demo.log import Result
from tests.support.fleet import Fleet
from tests.support.wait import until

WEIGHT, RATE = 10.0, 1000.0
#: For how long canary is good under load before it goes bad, in seconds.
GOOD = 3.0
#: Targets of the time from the first to the last bad answer, in seconds, by the share of requests that fail.
TARGETS = {1.0: 0.3, 0.2: 1.0}
#: The most failed requests when all fail: so many at the nominal rate; at another so many and canary's in 0.1 s.
MOST_FAILED, LEAST_FAILED = 25.0, 20.0


@dataclass(frozen=True)
class Turn:
    """One rollout that was turned back. ``seconds`` from the first bad answer to the last, ``failed`` how many there
    were; the rates in requests a second as they really were before; ``by``: who ended it, as in the outcome."""

    seconds: float
    failed: int
    rate: float
    canary_rate: float
    by: str


def rows(proxy: str, failing: float, runs: int, reflex: bool = True, rate: float = RATE) -> list[Row]:
    """Two rows: the time and the failed requests of so many rollouts, in which ``failing`` of 1 of canary's fail."""
    with Fleet(proxy=proxy) as fleet:
        fleet.spec.update(spec(reflex))
        turns = [turn(fleet, failing, rate) for dummy in range(runs)]
    what = "%s: canary fails %g %%%s" % (proxy, 100 * failing, "" if reflex else ", reflex off")
    failed = [float(each.failed) for each in turns]
    most = _most_failed(turns, rate) if reflex and failing == 1.0 else None
    seconds = [each.seconds for each in turns]
    return [
        Row(
            "%s, first to last bad answer" % what, "s", seconds, TARGETS.get(failing) if reflex else None, _note(turns)
        ),
        Row("%s, failed requests" % what, "", failed, most),
    ]


def spec(reflex: bool) -> dict[str, Any]:
    """What the rollouts' spec has beside a fleet's own: a first step that is long enough."""
    steps = [{"weight": WEIGHT, "hold": "120s"}, {"weight": 100}]
    return {"steps": steps, "reflex": "enabled" if reflex else "disabled"}


def turn(fleet: Fleet, failing: float, rate: float) -> Turn:
    """One rollout, in whose first step canary goes bad."""
    running = fleet.start("rollout")
    running.says("read back", times=len(fleet.routers))
    client = Client(fleet.url(), rate=rate, connections=32).start()
    try:
        until(lambda: len(client.records) >= GOOD * rate, "the client to have had its good answers", 10 * GOOD)
        before = client.result
        fleet.members["green"].behave(fail=failing)
        ended = running.wait()
    finally:
        result = client.stop()
        fleet.members["green"].behave(fail=0.0)
    outcome = fleet.outcome()
    if outcome["outcome"] != "rolled_back" or fleet.shares() != [0.0]:
        raise AssertionError("expected a rollout that is turned back: %s" % ended.output)
    return _turned(before, result, str(outcome["actor"]))


def _turned(before: Result, result: Result, by: str) -> Turn:
    if before.failed or set(result.kinds) != {"status"} or set(result.of("v2").kinds) != {"status"}:
        raise AssertionError("requests failed that had nothing to do with canary: %s" % result.kinds)
    bad = sorted(record.ended for record in result.failures)
    lasted = before.records[-1].ended - before.records[0].ended
    return Turn(
        seconds=bad[-1] - bad[0],
        failed=len(bad),
        rate=before.requests / lasted,
        canary_rate=before.of("v2").requests / lasted,
        by=by,
    )


def _most_failed(turns: Sequence[Turn], rate: float) -> float:
    had = min(each.canary_rate for each in turns)
    nominal = rate == RATE and had >= 0.9 * RATE * WEIGHT / 100
    return MOST_FAILED if nominal else LEAST_FAILED + 0.1 * had


def _note(turns: Sequence[Turn]) -> str:
    ended = ", ".join("%s %d" % item for item in sorted(Counter(each.by for each in turns).items()))
    slowest = min(turns, key=lambda each: each.rate)
    return "%.0f requests/s, canary %.0f/s (the slowest run); ended by %s" % (slowest.rate, slowest.canary_rate, ended)
