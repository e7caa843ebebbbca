# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How soon each judge finds a bad release, by how much it fails, by canary's share, by traffic: for the plots."""

from __future__ import annotations

from dataclasses import dataclass

from .goals import JUDGES, Goal, measure
from .streams import Scenario

RUNS, SECONDS = 50, 3600


@dataclass(frozen=True)
class Sweep:
    """``points``: what varies, and the scenario of it."""

    name: str
    axis: str
    points: tuple[tuple[float, Scenario], ...]


def _at(**scenario: float) -> Scenario:
    return Scenario("sweep", seconds=SECONDS, **{"failing": 0.1, **scenario})  # type: ignore[arg-type]


SWEEPS = (
    Sweep(
        "by-errors",
        "canary's failures in percent (5 % of 100 requests/s)",
        tuple((100 * rate, _at(failing=rate)) for rate in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)),
    ),
    Sweep(
        "by-share",
        "canary's share in percent (10 % of its requests fail, 100 requests/s)",
        tuple((100 * share, _at(share=share)) for share in (0.01, 0.05, 0.1, 0.25, 0.5)),
    ),
    Sweep(
        "by-traffic",
        "requests/s (10 % fail at 5 %)",
        tuple((rate, _at(rate=rate)) for rate in (2.0, 10.0, 100.0, 1000.0)),
    ),
)


def line(sweep: Sweep, seed: int) -> dict[str, list[tuple[float, float, float]]]:
    """By judge: of each point what varies, the median seconds, and the median of failed requests until then."""
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in JUDGES}
    for x, scenario in sweep.points:
        for result in measure(Goal(sweep.name, scenario), RUNS, seed):
            found[result.judge].append((x, result.median, result.leaked))
    return found
