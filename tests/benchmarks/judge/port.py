# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sequential judge's evidence for many runs at once, with the product's own constants.

The product's judge is made for one rollout. What is computed here is the same to a rounding error, as a test shows on
streams of every kind; so what is measured with it holds for the product.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log

import numpy as np

from ansible_collections.zdm.rollout.plugins.module_utils.judge import hard_fail, margin, sequential
from ansible_collections.zdm.rollout.plugins.module_utils.judge.bets import SOON

from .streams import Bools, Floats, Ints, Streams


class _Bets:
    """As judge/bets.py; ``bets`` is of shape (runs, alternatives), and each run restarts by its own time."""

    def __init__(self, runs: int, alternatives: int, at_once: float, every: float, horizon: float) -> None:
        self._at_once, self._every, self._horizon = at_once, every, horizon
        self._began, self._restarts = np.full(runs, np.nan), np.zeros(runs)
        self.bets = np.full((runs, alternatives), log(at_once / alternatives))

    def weigh(self, whole: Bools, gains: Floats, t: float) -> None:
        """A batch, for those runs whose is whole."""
        self.at(whole, t)
        self.bets += np.where(whole[:, None], gains, 0.0)

    def at(self, whole: Bools, t: float) -> None:
        self._began = np.where(whole & np.isnan(self._began), t, self._began)
        restarts = np.where(whole, np.maximum(self._restarts, (t - self._began) // self._every), self._restarts)
        due = (self._reserve(self._restarts) - self._reserve(restarts)) / self.bets.shape[1]
        self._restarts = restarts
        if due.any():
            with np.errstate(divide="ignore"):
                self.bets = np.logaddexp(self.bets, np.log(due)[:, None])

    def log_e(self) -> Floats:
        return np.asarray(np.logaddexp(np.logaddexp.reduce(self.bets, axis=1), np.log(self._reserve(self._restarts))))

    def _reserve(self, restarts: Floats) -> Floats:
        after = np.log(1.0 + restarts * self._every / SOON)
        return np.asarray((1.0 - self._at_once) * np.exp(-after / log(1.0 + self._horizon / SOON)))


def evidence(streams: Streams, dispersion: float, warm_up: int = 0) -> Iterator[Floats]:
    """log E after each second, for all runs."""
    runs, seconds = streams.canary_requests.shape
    patient = _Bets(runs, len(margin.ALTERNATIVES), margin.AT_ONCE, margin.EVERY, sequential.HORIZON)
    hasty = _Bets(runs, len(hard_fail.ALTERNATIVES), hard_fail.AT_ONCE, 10.0, sequential.HORIZON)
    baseline = np.zeros((runs, 2))
    waiting = {name: np.zeros((runs, 4)) for name in ("hasty", "patient")}
    for second in range(seconds):
        t = float(second)
        news = _news(streams, second)
        hasty.at(np.ones(runs, dtype=bool), t)
        whole, batch = _paired(waiting, "hasty", news)
        hasty.weigh(whole, _hard(batch, baseline) / dispersion, t)
        baseline += np.where(whole[:, None], batch[:, 2:], 0.0)
        if second >= warm_up:
            whole, batch = _paired(waiting, "patient", news)
            patient.weigh(whole, _margin(batch) / dispersion, t)
        yield np.logaddexp(log(sequential.PATIENT) + patient.log_e(), log(sequential.HASTY) + hasty.log_e())


def reflex(streams: Streams, wanted: float, dispersion: float) -> Ints:
    """The second in which a guard's reflex has enough evidence, for each run; -1 for never."""
    runs, seconds = streams.canary_requests.shape
    hasty = _Bets(runs, len(hard_fail.ALTERNATIVES), hard_fail.AT_ONCE, 10.0, sequential.HORIZON)
    baseline, waiting = np.zeros((runs, 2)), {"hasty": np.zeros((runs, 4))}
    first = np.full(runs, -1)
    for second in range(seconds):
        hasty.at(np.ones(runs, dtype=bool), float(second))
        whole, batch = _paired(waiting, "hasty", _news(streams, second))
        hasty.weigh(whole, _hard(batch, baseline) / dispersion, float(second))
        baseline += np.where(whole[:, None], batch[:, 2:], 0.0)
        first = np.where((first < 0) & (hasty.log_e() >= wanted), second, first)
    return first


def _news(streams: Streams, second: int) -> Floats:
    parts = (streams.canary_requests, streams.canary_failures, streams.stable_requests, streams.stable_failures)
    return np.stack([part[:, second] for part in parts], axis=1).astype(float)


def _paired(waiting: dict[str, Floats], name: str, news: Floats) -> tuple[Bools, Floats]:
    had = waiting[name] + news
    whole = (had[:, 0] > 0) & (had[:, 2] > 0)
    waiting[name] = np.where(whole[:, None], 0.0, had)
    batch = had.copy()
    batch[:, 1] = np.minimum(batch[:, 1], batch[:, 0])
    batch[:, 2] = np.maximum(batch[:, 2], batch[:, 3])
    batch[~whole] = (1.0, 0.0, 1.0, 0.0)
    return whole, batch


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


def found(streams: Streams, wanted: float, dispersion: float, warm_up: int = 0) -> Ints:
    """The second in which each run has so much evidence (log E); -1 for one that never has."""
    first = np.full(streams.canary_requests.shape[0], -1)
    for second, log_e in enumerate(evidence(streams, dispersion, warm_up)):
        first = np.where((first < 0) & (log_e >= wanted), second, first)
        if (first >= 0).all():
            break
    return first
