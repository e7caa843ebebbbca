# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sequential judge's evidence for many runs at once, with the product's own constants.

The product's judge is made for one rollout. What is computed here is the same to a rounding error, as a test shows on
streams of every kind; so what is measured with it holds for the product.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import log

import numpy as np

from ansible_collections.zdm.rollout.plugins.module_utils.judge import hard_fail, margin, sequential
from ansible_collections.zdm.rollout.plugins.module_utils.judge.bets import SOON, alike
from ansible_collections.zdm.rollout.plugins.module_utils.judge.continuous import HORIZON

from .streams import FIELDS, Bools, Floats, Ints, Streams


class _Bets:
    """As judge/bets.py; ``bets`` is of shape (runs, alternatives), and each run restarts by its own time."""

    def __init__(self, runs: int, weights: Sequence[float], at_once: float, every: float, horizon: float) -> None:
        self._at_once, self._every, self._horizon = at_once, every, horizon
        self._began, self._restarts = np.full(runs, np.nan), np.zeros(runs)
        self._weights = np.asarray(weights)
        self.bets = np.tile(np.log(at_once * self._weights), (runs, 1))

    def weigh(self, whole: Bools, gains: Floats, t: float) -> None:
        """A batch, for those runs whose is whole."""
        self.at(whole, t)
        self.bets += np.where(whole[:, None], gains, 0.0)

    def at(self, whole: Bools, t: float) -> None:
        self._began = np.where(whole & np.isnan(self._began), t, self._began)
        restarts = np.where(whole, np.maximum(self._restarts, (t - self._began) // self._every), self._restarts)
        due = self._reserve(self._restarts) - self._reserve(restarts)
        self._restarts = restarts
        if due.any():
            with np.errstate(divide="ignore"):
                self.bets = np.logaddexp(self.bets, np.log(due)[:, None] + np.log(self._weights))

    def log_e(self) -> Floats:
        return np.asarray(np.logaddexp(np.logaddexp.reduce(self.bets, axis=1), np.log(self._reserve(self._restarts))))

    def _reserve(self, restarts: Floats) -> Floats:
        t = restarts * self._every
        evenly = np.maximum(0.0, 1.0 - t / self._horizon)
        early = np.exp(-np.log(1.0 + t / SOON) / log(1.0 + self._horizon / SOON))
        return np.asarray((1.0 - self._at_once) * (evenly + early) / 2.0)


class _Hasty:
    """As judge/hard_fail.py while both pools have traffic."""

    def __init__(self, runs: int, dispersion: float) -> None:
        self._bets = _Bets(runs, alike(len(hard_fail.ALTERNATIVES)), hard_fail.AT_ONCE, 10.0, HORIZON)
        self._baseline, self._waiting = np.zeros((runs, 2)), np.zeros((runs, 4))
        self._dispersion = dispersion

    def weigh(self, news: Floats, t: float) -> Floats:
        """log E after some more requests."""
        self._bets.at(np.ones(len(news), dtype=bool), t)
        self._waiting, whole, batch = _paired(self._waiting + news)
        self._bets.weigh(whole, _hard(batch, self._baseline) / self._dispersion, t)
        self._baseline += np.where(whole[:, None], batch[:, 2:], 0.0)
        return self._bets.log_e()


def evidence(streams: Streams, dispersion: float, warm_up: int = 0) -> Iterator[Floats]:
    """log E after each second, for all runs."""
    runs = len(streams.canary_requests)
    hasty = _Hasty(runs, dispersion)
    patient = _Bets(runs, margin.WEIGHTS, margin.AT_ONCE, margin.EVERY, HORIZON)
    waiting = np.zeros((runs, 4))
    for second, news in _seconds(streams):
        hard = hasty.weigh(news, float(second))
        if second >= warm_up:
            waiting, whole, batch = _paired(waiting + news)
            patient.weigh(whole, _margin(batch) / dispersion, float(second))
        yield np.logaddexp(log(sequential.PATIENT) + patient.log_e(), log(sequential.HASTY) + hard)


def found(streams: Streams, wanted: float, dispersion: float, warm_up: int = 0) -> Ints:
    """The second in which each run has so much evidence (log E); -1 for one that never has."""
    return _first(evidence(streams, dispersion, warm_up), wanted, len(streams.canary_requests))


def reflex(streams: Streams, wanted: float, dispersion: float) -> Ints:
    """The second in which a guard's reflex has enough evidence, for each run; -1 for never."""
    runs = len(streams.canary_requests)
    hasty = _Hasty(runs, dispersion)
    return _first((hasty.weigh(news, float(second)) for second, news in _seconds(streams)), wanted, runs)


def _first(evidence: Iterable[Floats], wanted: float, runs: int) -> Ints:
    first = np.full(runs, -1)
    for second, log_e in enumerate(evidence):
        first = np.where((first < 0) & (log_e >= wanted), second, first)
        if (first >= 0).all():
            break
    return first


def _seconds(streams: Streams) -> Iterator[tuple[int, Floats]]:
    """What came in each second, of shape (runs, 4)."""
    for second in range(streams.canary_requests.shape[1]):
        yield second, np.stack([getattr(streams, name)[:, second] for name in FIELDS], axis=1).astype(float)


def _paired(had: Floats) -> tuple[Floats, Bools, Floats]:
    """What still waits, which runs have a whole batch, and that."""
    whole = (had[:, 0] > 0) & (had[:, 2] > 0)
    batch = had.copy()
    batch[:, 1] = np.minimum(batch[:, 1], batch[:, 0])
    batch[:, 2] = np.maximum(batch[:, 2], batch[:, 3])
    batch[~whole] = (1.0, 0.0, 1.0, 0.0)
    return np.where(whole[:, None], 0.0, had), whole, batch


def _hard(batch: Floats, baseline: Floats) -> Floats:
    nc, ec, nb, eb = (batch[:, place, None] for place in range(4))
    rate = (baseline[:, 1] + hard_fail.PRIOR_FAILURES) / (baseline[:, 0] + hard_fail.PRIOR_TRIES)
    theta_b = np.minimum(rate, hard_fail.CEILING)[:, None]
    theta_c = np.asarray(hard_fail.ALTERNATIVES)[None, :]
    t0 = (nc * theta_c + nb * theta_b) / (nc + nb)
    ones = ec * np.log(theta_c / t0) + (nc - ec) * np.log((1 - theta_c) / (1 - t0))
    others = eb * np.log(theta_b / t0) + (nb - eb) * np.log((1 - theta_b) / (1 - t0))
    return np.asarray(np.where(theta_c == t0, 0.0, ones + others))


def _margin(batch: Floats) -> Floats:
    nc, ec, nb, eb = (batch[:, place, None] for place in range(4))
    rho = np.asarray(margin.ALTERNATIVES)[None, :]
    expected = sequential.RATIO * nc
    q = (expected + nb) / (rho * expected + nb)
    m = rho * q
    return np.asarray(ec * np.log(m) + eb * np.log(q) - (m - 1.0) * sequential.POINTS * nc)
