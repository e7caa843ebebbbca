# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Goal G6: what the judge takes of a core and of a journal."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts, Evidence, Histogram, Times
from ansible_collections.zdm.rollout.plugins.module_utils.judge.sequential import Sequential
from ansible_collections.zdm.rollout.plugins.module_utils.judge.sequential_latency import SequentialLatency

TICKS = 5000


@dataclass(frozen=True)
class Cost:
    """A figure, and the most that is wanted."""

    name: str
    unit: str
    value: float
    wanted: float
    runs: int


def cost() -> list[Cost]:
    """An update and the state of each judge, after so many ticks."""
    times = Times(Histogram({(0.0, 0.1): 5}), Histogram({(0.0, 0.1): 90, (0.1, 0.2): 5}))
    found = []
    for name, judge, evidence in (
        ("errors", Sequential(50), Evidence(Counts(5, 0), Counts(95, 1))),
        ("latency", SequentialLatency(50), Evidence(times=times)),
    ):
        state = judge.start()
        began = time.process_time()
        for tick in range(TICKS):
            state = judge.update(state, Evidence(evidence.canary, evidence.stable, times=evidence.times, t=float(tick)))
        micros = (time.process_time() - began) / TICKS * 1e6
        found.append(Cost(f"G6 an update, {name}", "µs", micros, 100.0, TICKS))
        found.append(Cost(f"G6 the state, {name}", "bytes", float(len(json.dumps(state))), 4000.0, 1))
    return found
