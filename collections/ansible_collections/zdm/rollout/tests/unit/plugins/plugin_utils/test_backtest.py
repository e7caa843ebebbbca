# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backtest: the watch's own judging on records, beside what others would do."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts
from ansible_collections.zdm.rollout.plugins.plugin_utils import _backtest, _generator, _peers
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._records import Tick

from .example import spec_of

SPEC = spec_of()
FAULT = _generator.parse({"rate": 100, "bad": 20, "onset": "10m", "duration": "30m"})


def test_a_fault_is_made_as_it_is_said() -> None:
    ticks = _generator.ticks(FAULT)
    before, after = (
        sum((tick.canary for tick in ticks if (tick.t > FAULT.onset) is late), Counts()) for late in (False, True)
    )
    stable = sum((tick.stable for tick in ticks), Counts())
    assert (before.requests, after.requests, stable.requests) == (3000, 6000, 171_000)
    assert before.share < 0.5
    assert after.share == pytest.approx(20, abs=2)
    assert stable.share == pytest.approx(0.1, abs=0.05)
    assert ticks == _generator.ticks(FAULT) != _generator.ticks(replace(FAULT, seed=2))


@pytest.mark.parametrize("rate", [0.0, 0.003, 0.4, 1.0])
def test_failures_come_by_chance_and_as_often_as_said(rate: float) -> None:
    chance = random.Random(1)
    found = [_generator.failures_of(50, rate, chance) for dummy in range(4000)]
    assert 0 <= min(found) <= max(found) <= 50
    assert sum(found) / 200_000 == pytest.approx(rate, abs=4 * (rate * (1 - rate) / 200_000) ** 0.5)


@pytest.mark.parametrize(
    ("written", "rule", "key"),
    [
        ({}, "key.missing", "generate.rate"),
        ({"rate": 1}, "key.missing", "generate.bad"),
        ({"rate": 1, "bad": 101}, "value.number", "generate.bad"),
        ({"rate": 1, "bad": 1, "onset": "soon"}, "value.duration", "generate.onset"),
        ({"rate": 1, "bad": 1, "weight": 5}, "key.unknown", "generate.weight"),
    ],
)
def test_a_fault_that_cannot_be_read_is_refused(written: dict[str, Any], rule: str, key: str) -> None:
    with pytest.raises(SpecError) as refusal:
        _generator.parse(written)
    assert (rule, key) in [(problem.rule, problem.key) for problem in refusal.value.problems]


def test_a_bad_release_is_found_and_what_leaked_is_counted() -> None:
    ticks = _generator.ticks(FAULT)
    zdm, flagger, argo = _backtest.acts(SPEC, ticks)
    assert zdm.after is not None and FAULT.onset < zdm.after < FAULT.onset + 30
    assert zdm.leaked == sum((tick.canary for tick in ticks if tick.t <= zdm.after), Counts())
    assert zdm.reason.startswith("errors: canary fails ")
    assert flagger.after is not None and argo.after is not None
    assert zdm.after < flagger.after < argo.after
    assert str(zdm).startswith("zdm: after 10m")
    assert f"{zdm.leaked.failures} of canary's {zdm.leaked.requests:,} requests had failed" in str(zdm)


def test_a_good_release_is_left_alone_by_all() -> None:
    acts = _backtest.acts(SPEC, _generator.ticks(replace(FAULT, bad=0.1)))
    assert [act.after for act in acts] == [None, None, None]
    assert str(acts[0]).startswith("zdm: never; ")


def test_hours_of_records_take_seconds() -> None:
    ticks = _generator.ticks(replace(FAULT, duration=4 * 3600.0, bad=0.1))
    began = time.process_time()
    _backtest.acts(SPEC, ticks)
    assert time.process_time() - began < 30


def test_after_the_switch_it_is_compared_with_what_was_before() -> None:
    """Stable has no requests any more, and canary starts to fail."""
    ticks = [Tick(float(t), Counts(50, 0), Counts(50, 0), 50.0) for t in range(1, 301)]
    ticks += [Tick(float(t), Counts(100, 60 if t > 400 else 0), Counts(), 100.0) for t in range(301, 500)]
    zdm = _backtest.zdm(SPEC, ticks)
    assert zdm.after is not None and 400 < zdm.after < 430
    assert "before the switch" in zdm.reason


def test_records_may_begin_at_any_time() -> None:
    ticks = _generator.ticks(FAULT)
    later = [replace(tick, t=tick.t + 1.8e9) for tick in ticks]
    assert [act.after for act in _backtest.acts(SPEC, later)] == pytest.approx(
        [act.after for act in _backtest.acts(SPEC, ticks)]
    )


def test_a_spec_that_records_cannot_test_is_said_to_be_one() -> None:
    with pytest.raises(_backtest.NothingToTest, match="no check with signal: router"):
        _backtest.zdm(spec_of({"checks.errors": {"signal": "http", "path": "/"}}), _generator.ticks(FAULT))


# --- the others, as their documentation has it


def minutes(*shares: float | None, every: float = 60.0) -> list[Tick]:
    """Of each minute, so many percent of canary's 100 requests fail; None: it has none."""
    counts = [Counts() if share is None else Counts(100, int(share)) for share in shares]
    return [Tick((index + 1) * every, count, Counts(100)) for index, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("shares", "after"),
    [
        ((2, 2, 2, 2, 2, 2), 360.0),  # the fifth, and the interval after it
        ((1, 1, 1, 1, 1, 1), None),  # 99 % is enough
        ((2, 0, 2, 0, 2, 0, 2, 0, 2, 0), 600.0),  # none is forgiven
        ((None, None, None, None, None), 360.0),  # nothing is a failure too
        ((2, 2, 2, 2), None),
    ],
)
def test_flaggers_example(shares: tuple[float | None, ...], after: float | None) -> None:
    assert _peers.flagger(minutes(*shares)) == after


@pytest.mark.parametrize(
    ("shares", "after"),
    [
        ((6,) * 20, 1200.0),  # the fourth of five minutes
        ((5,) * 20, None),
        ((None,) * 20, None),  # inconclusive is not failed
        ((6,) * 19, None),
    ],
)
def test_argos_example(shares: tuple[float | None, ...], after: float | None) -> None:
    assert _peers.argo(minutes(*shares)) == after
