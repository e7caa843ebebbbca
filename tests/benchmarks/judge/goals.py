# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The goals, each with the stream that it is for, and what came of it.

Every figure names its dispersion; the warm-up is 0, as in the design's own. The evidence wanted is the watch's half of
alpha = 0.0005.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

from .peers import argo, flagger
from .port import found, reflex
from .streams import Ints, Scenario, Streams, dispersion_of_history, divided, streams

ALPHA = 5e-4
WANTED = -log(ALPHA / 2)
#: So many runs are made at once.
CHUNK = 500

JUDGES: dict[str, Callable[[Streams, float], Ints]] = {
    "zdm": lambda given, dispersion: found(given, WANTED, dispersion),
    "Flagger": lambda given, dispersion: flagger(given),
    "Argo": lambda given, dispersion: argo(given),
}


@dataclass(frozen=True)
class Goal:
    """What is wanted of zdm for a stream: the median of the seconds until it acts, of the failures until then, or how
    many of the runs of a good release it may turn back (a share). ``runs``: how many of the stream in full.
    ``history``: the dispersion is that of days before. ``guards``: these reflexes share half of alpha, each with its
    part of the requests, in place of the watch.
    """

    name: str
    scenario: Scenario
    dispersion: float = 1.0
    seconds: float | None = None
    failures: float | None = None
    alarms: float | None = None
    runs: int = 1000
    history: bool = False
    guards: int = 0


@dataclass(frozen=True)
class Result:
    """What a judge made of a goal's runs: seconds until it acted, and failed requests until then, where it did.
    ``dispersion``: what it was told.
    """

    goal: Goal
    judge: str
    seconds: tuple[float, ...]
    failures: tuple[float, ...]
    runs: int
    dispersion: float

    @property
    def acted(self) -> int:
        return len(self.seconds)

    @property
    def median(self) -> float:
        """Seconds; a run that was never found counts as endless."""
        return self._median(self.seconds)

    @property
    def leaked(self) -> float:
        return self._median(self.failures)

    @property
    def missed(self) -> bool:
        goal = self.goal
        return bool(
            (goal.seconds is not None and self.median > goal.seconds)
            or (goal.failures is not None and self.leaked > goal.failures)
            or (goal.alarms is not None and self.acted > goal.alarms * self.runs)
        )

    def _median(self, values: tuple[float, ...]) -> float:
        return float(np.median([*values, *[np.inf] * (self.runs - len(values))]))


def measure(goal: Goal, runs: int, seed: int, judges: tuple[str, ...] = tuple(JUDGES)) -> list[Result]:
    """What each judge makes of the same runs."""
    chance = np.random.default_rng(seed)
    dispersion = dispersion_of_history(goal.scenario, chance) if goal.history else goal.dispersion
    seconds: dict[str, list[float]] = {name: [] for name in judges}
    failures: dict[str, list[float]] = {name: [] for name in judges}
    for begun in range(0, runs, CHUNK):
        given = streams(goal.scenario, min(CHUNK, runs - begun), chance)
        for name in judges:
            onset = goal.scenario.onset
            for run, second in enumerate(_acts(goal, name, given, dispersion, chance)):
                if second >= onset:
                    seconds[name].append(float(second - onset + 1))
                    failures[name].append(float(given.canary_failures[run, onset : second + 1].sum()))
                elif second >= 0:  # before there was a reason
                    seconds[name].append(float("inf"))
                    failures[name].append(float("inf"))
    return [Result(goal, name, tuple(seconds[name]), tuple(failures[name]), runs, dispersion) for name in judges]


def _acts(goal: Goal, name: str, given: Streams, dispersion: float, chance: np.random.Generator) -> Ints:
    if name != "zdm" or not goal.guards:
        return JUDGES[name](given, dispersion)
    wanted = -log(ALPHA / 2 / goal.guards)
    parts = np.stack([reflex(part, wanted, dispersion) for part in divided(given, goal.guards, chance)])
    never = np.iinfo(parts.dtype).max
    first: Ints = np.where(parts < 0, never, parts).min(axis=0)
    return np.where(first == never, -1, first)


def _good(
    name: str, scenario: Scenario, dispersion: float = 1.0, alarms: float = 0.0005, runs: int = 10000, **more: Any
) -> Goal:
    return Goal("G1 good release, " + name, scenario, dispersion, alarms=alarms, runs=runs, **more)


def _wandering(sigma: float, tau: float) -> Goal:
    scenario = Scenario("noise", noise=(sigma, tau), base=0.01)
    name = f"each wanders (sigma {sigma:g}, {tau:g} s)"
    return _good(name, scenario, alarms=0.005, runs=3000, history=True)


RAMP = ((3600, 0.01), (7200, 0.05), (10800, 0.25), (14400, 0.5))
GOALS = (
    _good("4 h", Scenario("iid")),
    _good("both fail 20 % for a minute", Scenario("outage", outage=(3000, 60, 0.2))),
    _good("requests come and go", Scenario("day", day=0.7)),
    _good("1, 5, 25, 50 %", Scenario("ramp", share=RAMP)),
    _good("both wander (sigma 1)", Scenario("wander", shared_noise=(1.0, 300.0))),
    _good("bursts of 5 (geometric)", Scenario("bursts", burst=5.0), 9.0, alarms=0.005),
    _wandering(0.5, 60.0),
    _wandering(1.0, 300.0),
    _good("2 hosts that differ (sd 0.1)", Scenario("hosts", hosts=(0.1, 2)), runs=3000),
    _good("10 reflexes", Scenario("guards"), runs=600, guards=10),
    Goal("G2 all fail, 5 %", Scenario("all", 120, failing=1.0), seconds=2, failures=9),
    Goal("G2 all fail, 10 % of 2 requests/s", Scenario("sparse", 600, rate=2.0, share=0.1, failing=1.0), failures=6),
    Goal("G2 all fail, 50 % of 2 requests/s", Scenario("half", 300, rate=2.0, share=0.5, failing=1.0), failures=10),
    Goal("G3 10 % fail", Scenario("tenth", 300, failing=0.1), seconds=10),
    Goal("G3 1 % fail", Scenario("hundredth", 3000, failing=0.01), seconds=300, failures=16),
    Goal("G5 2 % fail, after 2 h", Scenario("late", 9000, failing=0.02, onset=7200), seconds=140, runs=300),
    Goal("G5 all fail, after 2 h", Scenario("late all", 7300, failing=1.0, onset=7200), seconds=2, runs=300),
    Goal("G5 30 % fail, 2 of 10 minutes", Scenario("at times", 1200, failing=0.3, on_off=(600, 120)), seconds=10),
)
