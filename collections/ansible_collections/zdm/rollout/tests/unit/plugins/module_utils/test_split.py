# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of a split: shares that sum to 100, weights that hold them, an order that is safe at every instant."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils import _split

TOP = 256
#: Hundredths of a percent: the finest share that any router can hold.
HUNDREDTHS = st.integers(0, 10000)


def split_of(green: float) -> dict[str, float]:
    return {"blue": 100 - green, "green": green}


def even(blue: int, green: int) -> dict[str, dict[str, int]]:
    """Bases of so many servers in each pool, all alike."""
    return {
        "blue": {"b%d" % index: 1 for index in range(blue)},
        "green": {"g%d" % index: 1 for index in range(green)},
    }


# What people write.


@pytest.mark.parametrize(
    ("given_split", "read"),
    [
        ({"blue": 95, "green": 5}, {"blue": 95.0, "green": 5.0}),
        ({"blue": "95", "green": "5"}, {"blue": 95.0, "green": 5.0}),
        ({"green": 100}, {"blue": 0.0, "green": 100.0}),
        ({"blue": 99.99, "green": 0.01}, {"blue": 99.99, "green": 0.01}),
    ],
)
def test_a_split_is_read_whole(given_split: Mapping[str, Any], read: Mapping[str, float]) -> None:
    assert _split.read(given_split, ["blue", "green"]) == read


@pytest.mark.parametrize(
    ("given_split", "reason"),
    [
        ({"red": 100}, "names pool 'red': expected blue and green"),
        ({"blue": 90, "green": 5}, "sums to 95: expected 100"),
        ({"blue": 110, "green": -10}, "expected 0 to 100 percent"),
        ({"blue": "most", "green": 5}, "expected a number of percent"),
        ({"blue": None, "green": 5}, "expected a number of percent"),
        ({"blue": "nan", "green": 5}, "expected 0 to 100 percent"),
        ({}, "sums to 0: expected 100"),
    ],
)
def test_what_is_no_split_is_refused_with_what_was_expected(given_split: Mapping[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        _split.read(given_split, ["blue", "green"])


@pytest.mark.parametrize(
    ("share", "text"), [(5, "5"), (4.83, "4.83"), (4.8349, "4.83"), (0.1, "0.1"), (100, "100"), (0, "0")]
)
def test_a_share_is_written_with_what_matters(share: float, text: str) -> None:
    assert _split.percent(share) == text


def test_a_split_is_described_in_the_same_order_always() -> None:
    assert _split.describe({"green": 5, "blue": 95}) == _split.describe({"blue": 95, "green": 5})


# Weights for each pool (Envoy).


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=3).filter(any), st.sampled_from([100, 256, 10000]))
def test_parts_sum_to_the_whole_and_no_share_is_lost(ratio: list[int], whole: int) -> None:
    split = {"pool%d" % index: 100.0 * part / sum(ratio) for index, part in enumerate(ratio)}
    parts = _split.parts(split, whole)
    assert sum(parts.values()) == whole
    for pool, share in split.items():
        exact = share * whole / 100
        assert (parts[pool] > 0) == (share > 0)
        assert exact - len(split) < parts[pool] < exact + 1 + 1e-9


@pytest.mark.parametrize(
    ("split", "parts"),
    [
        ({"a": 33.3, "b": 33.3, "c": 33.4}, {"a": 33, "b": 33, "c": 34}),
        ({"a": 0.1, "b": 99.9}, {"a": 1, "b": 99}),
        # Made up to 1, a has no remainder left.
        ({"a": 0.9, "b": 49.55, "c": 49.55}, {"a": 1, "b": 50, "c": 49}),
        ({"a": 0.1, "b": 0.1, "c": 99.8}, {"a": 1, "b": 1, "c": 98}),
    ],
)
def test_what_is_left_goes_to_the_largest_remainder(split: Mapping[str, float], parts: Mapping[str, int]) -> None:
    assert _split.parts(split, 100) == parts


@given(HUNDREDTHS)
def test_envoys_parts_are_exact_to_the_hundredth(hundredths: int) -> None:
    assert _split.parts(split_of(hundredths / 100), 10000) == {"blue": 10000 - hundredths, "green": hundredths}


# Weights for each server (HAProxy).


@pytest.mark.parametrize(
    ("green", "bases", "weights"),
    [
        (0, even(1, 1), {"blue": {"b0": 256}, "green": {"g0": 0}}),
        (100, even(1, 2), {"blue": {"b0": 0}, "green": {"g0": 256, "g1": 256}}),
        (50, even(1, 2), {"blue": {"b0": 256}, "green": {"g0": 128, "g1": 128}}),
        # The largest weights that hold 1 to 3 and 1 to 19 exactly.
        (25, even(1, 1), {"blue": {"b0": 255}, "green": {"g0": 85}}),
        (5, even(1, 1), {"blue": {"b0": 247}, "green": {"g0": 13}}),
        # Two thirds and one third of 256, as the operator's own weights are to each other: 170.67 and 85.33.
        (50, {"blue": {"b0": 2, "b1": 1}, "green": {"g0": 1}}, {"blue": {"b0": 171, "b1": 85}, "green": {"g0": 256}}),
    ],
)
def test_weights_hold_the_split_and_keep_the_bases(
    green: float, bases: _split.Bases, weights: Mapping[str, Mapping[str, int]]
) -> None:
    assert _split.allot(split_of(green), bases, TOP) == weights


BASES = st.fixed_dictionaries(
    {
        pool: st.dictionaries(st.sampled_from([pool[0] + digit for digit in "0123"]), st.integers(1, 9), min_size=1)
        for pool in ("blue", "green")
    }
)


@given(HUNDREDTHS, BASES)
def test_weights_are_on_the_scale_and_no_server_of_a_share_is_left_out(hundredths: int, bases: Any) -> None:
    split = split_of(hundredths / 100)
    weights = _split.allot(split, bases, TOP)
    assert {pool: set(servers) for pool, servers in weights.items()} == {pool: set(bases[pool]) for pool in bases}
    for pool, servers in weights.items():
        for weight in servers.values():
            assert (1 <= weight <= TOP) if split[pool] else weight == 0
    assert sum(_split.achieved(weights).values()) == pytest.approx(100)


@given(st.integers(1, 9999), st.integers(1, 6), st.integers(1, 6))
def test_the_share_achieved_is_within_the_scales_resolution(hundredths: int, blue: int, green: int) -> None:
    """The heaviest server at the top leaves the lightest ``light``; rounding that is off by half a weight at most.

    So the odds of a share p are off by a factor of 1 - 0.5/light at most, and p by a quarter of its logarithm.
    """
    split = split_of(hundredths / 100)
    ideal = [split["blue"] / blue, split["green"] / green]
    light = TOP * min(ideal) / max(ideal)
    achieved = _split.achieved(_split.allot(split, even(blue, green), TOP))
    if light >= 1:
        assert _split.distance(achieved, split) <= -25 * math.log(1 - 0.5 / light) + 1e-9
    else:  # no less than one weight to the top is to be had
        least = 100 / (1 + TOP * ((blue / green) if split["green"] < split["blue"] else (green / blue)))
        assert _split.distance(achieved, split) <= least + 1e-9


@given(HUNDREDTHS, HUNDREDTHS, st.integers(1, 4), st.integers(1, 4))
def test_who_asks_for_more_gets_no_less(one: int, other: int, blue: int, green: int) -> None:
    def got(hundredths: int) -> float:
        return _split.achieved(_split.allot(split_of(hundredths / 100), even(blue, green), TOP))["green"]

    less, more = sorted((one, other))
    assert got(less) <= got(more) + 1e-9


def test_no_weights_at_all_give_no_share() -> None:
    assert _split.achieved({"blue": {"b0": 0}, "green": {}}) == {"blue": 0.0, "green": 0.0}


# What counts as the wanted split.


@pytest.mark.parametrize(
    ("green", "got", "held"),
    [
        (5, 5.5, True),  # a tenth of 5, and half a point
        (5, 5.51, False),
        (5, 4.5, True),
        (5, 4.49, False),
        (1, 1.1, True),  # a tenth of 1
        (1, 1.11, False),
        (50, 50.5, True),  # half a point
        (50, 50.51, False),
        (0, 0, True),
        (0, 0.01, False),  # nothing is nothing
        (100, 99.99, False),
        (99.9, 99.91, True),  # a tenth of stable's 0.1
        (99.9, 99.92, False),
    ],
)
def test_a_share_is_held_within_a_tenth_of_itself_and_half_a_point(green: float, got: float, held: bool) -> None:
    assert _split.can_hold(split_of(got), split_of(green)) == held


def test_a_pool_that_nobody_asked_for_is_not_held() -> None:
    assert not _split.can_hold({"blue": 95, "green": 4.99, "old": 0.01}, split_of(5))


# The order of changes.

POOL_OF = {"b0": "blue", "b1": "blue", "g0": "green", "g1": "green"}
#: Few different weights, so that pools and servers often change places.
WEIGHTS = st.fixed_dictionaries({server: st.sampled_from([0, 1, 2, 128, TOP]) for server in POOL_OF})


def instants(before: Mapping[str, int], changes: list[tuple[str, int]]) -> Iterator[dict[str, int]]:
    """What is in force after each change, one after the other."""
    now = dict(before)
    yield dict(now)
    for server, weight in changes:
        now[server] = weight
        yield dict(now)


def share(weights: Mapping[str, int], pool: str) -> float:
    total = sum(weights.values())
    return sum(weight for server, weight in weights.items() if POOL_OF[server] == pool) / total if total else 0.0


@given(WEIGHTS, WEIGHTS, st.sampled_from(["blue", "green"]))
def test_every_change_is_made_once_and_nothing_else(before: Any, after: Any, stable: str) -> None:
    changes = _split.order(before, after, POOL_OF, stable)
    assert sorted(changes) == sorted((server, after[server]) for server in POOL_OF if before[server] != after[server])
    assert list(instants(before, changes))[-1] == after


@given(WEIGHTS, WEIGHTS, st.sampled_from(["blue", "green"]))
def test_at_no_instant_is_there_less_room_than_before_or_after(before: Any, after: Any, stable: str) -> None:
    """So both pools never have 0 unless one asks for it."""
    least = min(sum(before.values()), sum(after.values()))
    for now in instants(before, _split.order(before, after, POOL_OF, stable)):
        assert sum(now.values()) >= least


@pytest.mark.parametrize(("turned", "least"), [(False, 256), (True, 0)], ids=["raise first", "control: lower first"])
def test_lowering_first_would_leave_nothing(turned: bool, least: int) -> None:
    before, after = {"b0": 256, "g0": 0}, {"b0": 0, "g0": 256}
    changes = _split.order(before, after, POOL_OF, "blue")
    assert min(sum(now.values()) for now in instants(before, changes[::-1] if turned else changes)) == least


ONE_EACH = st.fixed_dictionaries({server: st.integers(0, TOP) for server in ("b0", "g0")}).filter(
    lambda weights: any(weights.values())
)


@given(ONE_EACH, ONE_EACH)
def test_at_no_instant_has_canary_more_than_before_or_after(before: Any, after: Any) -> None:
    most = max(share(before, "green"), share(after, "green"))
    for now in instants(before, _split.order(before, after, POOL_OF, "blue")):
        assert share(now, "green") <= most + 1e-12


def test_canary_would_have_more_if_stable_were_not_raised_first() -> None:
    """From 1 to 1 on a small scale to 1 to 1 on the whole one: the control for the test above."""
    before, after = {"b0": 1, "g0": 1}, {"b0": 256, "g0": 256}
    peaks = [
        max(share(now, "green") for now in instants(before, _split.order(before, after, POOL_OF, stable)))
        for stable in ("blue", "green")
    ]
    assert peaks == [0.5, 256 / 257]
