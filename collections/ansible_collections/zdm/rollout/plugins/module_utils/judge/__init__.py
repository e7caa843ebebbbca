# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges: evidence in, verdict with its reason out.

A judge is a pair of pure functions over JSON, so that its state can be journalled, carried to another machine and
taken up there with the same result. A new judge is one file here.
"""

from __future__ import annotations

from . import traffic_share
from .combination import combined
from .common_cause import CommonCause
from .continuous import Continuous, odds
from .counts import Counts
from .evidence import Evidence, Measurement, Times
from .hard_fail import HardFail
from .histogram import Histogram
from .sequential import Sequential
from .sequential_latency import SequentialLatency
from .tally import Tally, Totals, since
from .threshold import Bounds, Comparison, Judge
from .verdict import ERROR, FAIL, INCONCLUSIVE, NO_DATA, PASS, Verdict, worst

__all__ = [
    "ERROR",
    "FAIL",
    "INCONCLUSIVE",
    "NO_DATA",
    "PASS",
    "Bounds",
    "CommonCause",
    "Comparison",
    "Continuous",
    "Counts",
    "Evidence",
    "HardFail",
    "Histogram",
    "Judge",
    "Measurement",
    "Sequential",
    "SequentialLatency",
    "Tally",
    "Times",
    "Totals",
    "Verdict",
    "combined",
    "odds",
    "since",
    "traffic_share",
    "worst",
]
