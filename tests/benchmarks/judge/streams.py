# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of requests and failures at canary and stable, many runs at once, from a seed.

A run's ticks are seconds. Requests are Poisson, failures binomial, unless the scenario says how they are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Scenario:
    """What happens to a release. Rates of failures are shares of the requests.

    ``share``: canary's part, or (until second, part) of a ramp. ``failing``: canary's rate from ``onset`` on, None for
    a release that is like stable; ``on_off`` = (period, seconds of it that it fails). ``burst``: mean size of geometric
    groups that fail together. ``noise`` = (sigma, tau) of a wandering log-rate of each pool, ``shared_noise`` of both.
    ``outage`` = (at, seconds, rate) of both. ``day``: requests swing by this part over four hours.
    """

    name: str
    seconds: int = 14400
    rate: float = 100.0
    share: float | Sequence[tuple[int, float]] = 0.05
    base: float = 0.001
    failing: float | None = None
    onset: int = 0
    on_off: tuple[int, int] | None = None
    burst: float = 1.0
    noise: tuple[float, float] | None = None
    shared_noise: tuple[float, float] | None = None
    outage: tuple[int, int, float] | None = None
    day: float = 0.0


@dataclass(frozen=True)
class Streams:
    """Of shape (runs, seconds)."""

    canary_requests: Ints
    canary_failures: Ints
    stable_requests: Ints
    stable_failures: Ints


def streams(scenario: Scenario, runs: int, chance: np.random.Generator) -> Streams:
    """So many runs of a scenario."""
    t = np.arange(scenario.seconds)
    shape = (runs, scenario.seconds)
    rate = scenario.rate * (1.0 + scenario.day * np.sin(2.0 * np.pi * t / 14400.0))
    share = _share(scenario, t)
    requests = (
        chance.poisson(np.broadcast_to(rate * share, shape)),
        chance.poisson(np.broadcast_to(rate * (1.0 - share), shape)),
    )
    base = np.broadcast_to(_base(scenario, t), shape)
    canary = np.where(_fails(scenario, t), scenario.failing if scenario.failing is not None else base, base)
    if scenario.shared_noise:
        wander = np.exp(_wander(shape, *scenario.shared_noise, chance))
        canary, base = canary * wander, base * wander
    if scenario.noise:
        canary = canary * np.exp(_wander(shape, *scenario.noise, chance))
        base = base * np.exp(_wander(shape, *scenario.noise, chance))
    failures = [
        _failures(counts, np.minimum(rates, 1.0), scenario.burst, chance)
        for counts, rates in zip(requests, (canary, base), strict=True)
    ]
    return Streams(requests[0], failures[0], requests[1], failures[1])


def _share(scenario: Scenario, t: Ints) -> Floats:
    if isinstance(scenario.share, float):
        return np.full(len(t), scenario.share)
    untils, parts = zip(*scenario.share, strict=True)
    chosen: Floats = np.asarray(parts)[np.minimum(np.searchsorted(untils, t, side="right"), len(parts) - 1)]
    return chosen


def _base(scenario: Scenario, t: Ints) -> Floats:
    base = np.full(len(t), scenario.base)
    if scenario.outage:
        at, seconds, rate = scenario.outage
        base[at : at + seconds] = rate
    return base


def _fails(scenario: Scenario, t: Ints) -> Bools:
    failing = t >= scenario.onset if scenario.failing is not None else np.zeros(len(t), dtype=bool)
    if scenario.on_off:
        period, seconds = scenario.on_off
        failing = failing & ((t - scenario.onset) % period < seconds)
    return failing


def _wander(shape: tuple[int, int], sigma: float, tau: float, chance: np.random.Generator) -> Floats:
    """An AR(1) of variance sigma^2 that forgets in tau seconds; its exponential has mean 1."""
    keep = np.exp(-1.0 / tau)
    steps = chance.normal(0.0, sigma * np.sqrt(1.0 - keep**2), shape)
    steps[:, 0] = chance.normal(0.0, sigma, shape[0])
    for second in range(1, shape[1]):
        steps[:, second] += keep * steps[:, second - 1]
    return steps - sigma**2 / 2.0


def _failures(requests: Ints, rates: Floats, burst: float, chance: np.random.Generator) -> Ints:
    if burst == 1.0:
        return chance.binomial(requests, rates)
    groups = chance.poisson(requests * rates / burst)
    # The sum of geometric sizes of mean m is the groups and a negative binomial beyond them.
    more = chance.negative_binomial(np.maximum(groups, 1), 1.0 / burst)
    failures: Ints = np.minimum(requests, np.where(groups > 0, groups + more, 0))
    return failures
