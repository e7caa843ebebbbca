# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal G4: how soon a slower canary is found, by the product's own test, on times that are log-normal."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts
from ansible_collections.zdm.rollout.plugins.module_utils.judge.continuous import HORIZON
from ansible_collections.zdm.rollout.plugins.module_utils.judge.latency import QUANTILES, SCALE, Latency

#: The spread of the logarithm of stable's times, and requests a second of both pools.
SPREAD, CANARY, STABLE = 0.5, 5, 95
#: What is known of stable before, in requests.
KNOWN = 2000


@dataclass(frozen=True)
class Slower:
    """Canary takes ``by`` times as long in a ``share`` of its requests; wanted is a median of ``seconds``."""

    name: str
    by: float
    share: float
    seconds: float | None


SLOWER = (
    Slower("G4 twice as slow", 2.0, 1.0, 6),
    Slower("G4 half slower", 1.5, 1.0, 20),
    Slower("G4 a quarter slower", 1.25, 1.0, 120),
    Slower("G4 5 % of requests take 5 times as long", 5.0, 0.05, 90),
    Slower("G4 no slower (how many of the runs, in 20 minutes)", 1.0, 1.0, None),
)


def seconds(slower: Slower, seed: int, wanted: float = log(2 / 5e-4), most: int = 1200) -> float:
    """Seconds until it is sure; endless for never."""
    chance = np.random.default_rng(seed)
    judge = Latency(1.0, HORIZON)
    before = chance.lognormal(0.0, SPREAD, KNOWN)
    thresholds = np.quantile(before, QUANTILES)
    baseline = [[KNOWN, int((before > threshold).sum())] for threshold in thresholds]
    state = {**judge.start(), "baseline": baseline}
    for second in range(1, most + 1):
        canary, stable = (chance.lognormal(0.0, SPREAD, count) for count in (CANARY, STABLE))
        canary = np.where(chance.random(CANARY) < slower.share, slower.by * canary, canary)
        slow = tuple(
            (
                Counts(CANARY, int((canary > SCALE * threshold).sum())),
                Counts(STABLE, int((stable > threshold).sum())),
            )
            for threshold in thresholds
        )
        state = judge.weigh(state, slow, float(second))
        if judge.log_e(state) >= wanted:
            return float(second)
    return float("inf")
