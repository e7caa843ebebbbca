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
    ``outage`` = (at, seconds, rate) of both. ``day``: requests swing by this part over four hours. ``hosts`` = (sd, n):
    a lasting log-effect of each of canary's n hosts, and of stable's twenty.
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
    hosts: tuple[float, int] | None = None


@dataclass(frozen=True)
class Streams:
    """Of shape (runs, seconds)."""

    canary_requests: Ints
    canary_failures: Ints
    stable_requests: Ints
    stable_failures: Ints


FIELDS = ("canary_requests", "canary_failures", "stable_requests", "stable_failures")


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
    if scenario.hosts:
        deviation, canaries = scenario.hosts
        canary = canary * _of_hosts(runs, deviation, canaries, chance)
        base = base * _of_hosts(runs, deviation, 20, chance)
    failures = [
        _failures(counts, np.minimum(rates, 1.0), scenario.burst, chance)
        for counts, rates in zip(requests, (canary, base), strict=True)
    ]
    return Streams(requests[0], failures[0], requests[1], failures[1])


def divided(given: Streams, parts: int, chance: np.random.Generator) -> list[Streams]:
    """The same requests at so many routers, each as likely as the others."""
    left, found = given, []
    for part in range(parts, 0, -1):
        mine = _some_of(left, 1.0 / part, chance)
        found.append(mine)
        left = Streams(*(getattr(left, name) - getattr(mine, name) for name in FIELDS))
    return found


def _some_of(given: Streams, share: float, chance: np.random.Generator) -> Streams:
    arms = []
    for requests, failures in (
        (given.canary_requests, given.canary_failures),
        (given.stable_requests, given.stable_failures),
    ):
        failed = chance.binomial(failures, share)
        arms += [failed + chance.binomial(requests - failures, share), failed]
    return Streams(*arms)


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


def _of_hosts(runs: int, deviation: float, hosts: int, chance: np.random.Generator) -> Floats:
    """What a pool's hosts make of its rate of failures, run by run."""
    effects: Floats = np.exp(chance.normal(0.0, deviation, (runs, hosts))).mean(axis=1, keepdims=True)
    return effects


def dispersion_of_history(scenario: Scenario, chance: np.random.Generator, days: int = 3) -> float:
    """How bursty failures are over blocks of 1 to 60 minutes, learnt from days on which nothing was released.

    The largest mean of (e - th*E)^2 / (E*th*(1-th)), with e of E failures at canary, which had th of the requests.
    """
    history = streams(scenario, 6 * days, chance)
    found = [1.0]
    for block in (60, 300, 1800, 3600):
        whole = scenario.seconds // block * block
        had = [getattr(history, name)[:, :whole].reshape(-1, block).sum(axis=1) for name in FIELDS]
        share, failures = had[0] / np.maximum(had[0] + had[2], 1), had[1] + had[3]
        there = (failures > 0) & (had[0] > 0)
        excess = (had[1] - share * failures)[there] ** 2 / (failures * share * (1.0 - share))[there]
        found.append(float(excess.mean()))
    return max(found)


def _failures(requests: Ints, rates: Floats, burst: float, chance: np.random.Generator) -> Ints:
    if burst == 1.0:
        return chance.binomial(requests, rates)
    groups = chance.poisson(requests * rates / burst)
    # The sum of geometric sizes of mean m is the groups and a negative binomial beyond them.
    more = chance.negative_binomial(np.maximum(groups, 1), 1.0 / burst)
    return _later(requests, np.where(groups > 0, groups + more, 0))


def _later(requests: Ints, failures: Ints) -> Ints:
    """Of a group that is larger than its second has requests the rest fails in the next ones; none is lost."""
    fitting, left = np.empty_like(failures), np.zeros(len(failures), dtype=failures.dtype)
    for second in range(failures.shape[1]):
        left += failures[:, second]
        fitting[:, second] = np.minimum(left, requests[:, second])
        left -= fitting[:, second]
    return fitting
