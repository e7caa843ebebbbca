# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmark computes for many runs is what the product's judge says of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts, Evidence
from ansible_collections.zdm.rollout.plugins.module_utils.judge.sequential import Sequential
from ansible_collections.zdm.rollout.plugins.plugin_utils import _peers
from ansible_collections.zdm.rollout.plugins.plugin_utils._records import Tick

from . import peers
from .port import evidence
from .streams import Scenario, streams

KINDS = [
    Scenario("plain", failing=0.1, onset=200),
    Scenario("few requests", rate=3.0, failing=0.5, onset=100),
    Scenario("bursts", burst=5.0),
    Scenario("noise", noise=(0.5, 60.0), base=0.02),
    Scenario("ramp", share=((100, 0.01), (200, 0.05), (300, 0.5))),
    Scenario("outage", outage=(50, 60, 0.5)),
]


@pytest.mark.parametrize("scenario", KINDS, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("dispersion", [1.0, 2.0])
def test_it_is_the_same_evidence(scenario: Scenario, dispersion: float) -> None:
    runs = 3
    given = streams(replace(scenario, seconds=400), runs, np.random.default_rng(7))
    judges = [Sequential(1, dispersion=dispersion) for dummy in range(runs)]
    states = [judge.start() for judge in judges]
    for second, log_e in enumerate(evidence(given, dispersion, warm_up=30)):
        for run, judge in enumerate(judges):
            news = Evidence(
                Counts(int(given.canary_requests[run, second]), int(given.canary_failures[run, second])),
                Counts(int(given.stable_requests[run, second]), int(given.stable_failures[run, second])),
                t=float(second),
                warm=second >= 30,
            )
            states[run], _verdict = judge.weigh(states[run], news)
            assert log_e[run] == pytest.approx(judge.log_e(states[run]), abs=1e-6), (second, run)


@pytest.mark.parametrize("failing", [0.02, 0.06, 0.5])
@pytest.mark.parametrize("rate", [0.2, 100.0])
def test_the_others_are_those_of_the_backtest(failing: float, rate: float) -> None:
    given = streams(Scenario("others", 2400, rate=rate, failing=failing, onset=150), 3, np.random.default_rng(7))
    for many, one in ((peers.flagger, _peers.flagger), (peers.argo, _peers.argo)):
        for run, second in enumerate(many(given)):
            requests, failures = given.canary_requests[run], given.canary_failures[run]
            ticks = [
                Tick(at + 1.0, Counts(int(had), int(failed)), Counts())
                for at, (had, failed) in enumerate(zip(requests, failures, strict=True))
            ]
            assert one(ticks) == (None if second < 0 else second)
