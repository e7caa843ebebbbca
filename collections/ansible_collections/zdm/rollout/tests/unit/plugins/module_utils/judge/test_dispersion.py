# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dispersion that stable's own members show."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts
from ansible_collections.zdm.rollout.plugins.module_utils.judge.dispersion import BLOCK, PRIOR, Dispersion

NAMES = ("a", "b", "c", "d")


def observed(size: int, blocks: int, rate: float = 0.01, requests: int = 4000) -> float:
    """What is known after so many blocks in which failures come in bursts of ``size``, from a seed."""
    chance = random.Random(4711 + size)
    judge = Dispersion()
    state: Any = judge.start()
    for block in range(blocks + 1):
        members = {
            name: Counts(requests, sum(size for dummy in range(requests // size) if chance.random() < rate))
            for name in NAMES
        }
        state = judge.add(state, members, block * (BLOCK + 1))
    return judge.value(state)


def test_without_a_history_it_is_the_default() -> None:
    assert Dispersion().value(Dispersion().start()) == 2.0
    assert Dispersion(3.0).value(Dispersion(3.0).start()) == 3.0


def test_single_failures_bring_it_down_to_1() -> None:
    assert observed(1, 60) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("size", [4, 8])
def test_bursts_bring_it_to_their_size(size: int) -> None:
    assert observed(size, 100) == pytest.approx(size, rel=0.25)


def test_a_block_counts_when_it_is_over() -> None:
    judge = Dispersion()
    state = judge.add(judge.start(), {"a": Counts(1000, 100), "b": Counts(1000, 0)}, 0.0)
    state = judge.add(state, {"a": Counts(1000, 100), "b": Counts(1000, 0)}, BLOCK - 1)
    assert judge.value(state) == 2.0
    state = judge.add(state, {"a": Counts(1, 0), "b": Counts(1, 0)}, BLOCK)
    # (200 - 0.5 * 200)^2 / (200 * 0.5 * 0.5) = 200, at each of the two.
    assert judge.value(state) == pytest.approx((PRIOR * 2.0 + 2 * 200.0) / (PRIOR + 2))


@pytest.mark.parametrize(
    "members",
    [{"a": Counts(1000, 50)}, {"a": Counts(1000, 2), "b": Counts(1000, 2)}, {"a": Counts(1000, 9), "b": Counts()}],
    ids=["one alone", "too few failures", "one without requests"],
)
def test_what_tells_nothing_changes_nothing(members: dict[str, Counts]) -> None:
    judge = Dispersion()
    state = judge.add(judge.add(judge.start(), members, 0.0), {}, BLOCK)
    assert judge.value(state) == 2.0


def test_its_state_is_json() -> None:
    judge = Dispersion()
    state = judge.add(judge.start(), {"a": Counts(10, 1)}, 0.0)
    assert json.loads(json.dumps(state)) == state
