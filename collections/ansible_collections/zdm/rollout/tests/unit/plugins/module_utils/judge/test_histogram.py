# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Histograms of latency: sums, differences, shares over a threshold, whatever bins they came in."""

from __future__ import annotations

import json
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts
from ansible_collections.zdm.rollout.plugins.module_utils.judge.histogram import Histogram

EDGES = (0.005, 0.01, 0.025, 0.1, 1.0, inf)
ANY = st.lists(st.integers(0, 1000), min_size=len(EDGES), max_size=len(EDGES)).map(
    lambda counts: Histogram.of_edges(EDGES, [sum(counts[: at + 1]) for at in range(len(EDGES))])
)


def test_cumulative_edges_become_bins() -> None:
    assert Histogram.of_edges((0.1, 0.5, inf), (5, 7, 9)).bins == {(0.0, 0.1): 5, (0.1, 0.5): 2, (0.5, inf): 2}


def test_edges_that_were_read_while_they_were_counted_make_nothing_less_than_none() -> None:
    assert Histogram.of_edges((0.1, 0.5, inf), (5, 4, 6)).bins == {(0.0, 0.1): 5, (0.1, 0.5): 0, (0.5, inf): 1}


@given(ANY)
def test_json_and_back(histogram: Histogram) -> None:
    there = Histogram.from_json(json.loads(json.dumps(histogram.to_json())))
    assert there.bins == {place: count for place, count in histogram.bins.items() if count}


@given(ANY, ANY)
def test_what_came_since_is_the_difference(before: Histogram, news: Histogram) -> None:
    assert (before + news).since(before).bins == news.bins


@given(ANY)
def test_one_that_was_begun_anew_is_all_new(now: Histogram) -> None:
    assert now.since(now + Histogram({(0.1, 1.0): 1})) == now


@given(ANY, ANY, st.sampled_from(EDGES[:-1]))
def test_at_an_end_of_a_bin_both_counts_are_exact(one: Histogram, other: Histogram, edge: float) -> None:
    slower = sum(count for h in (one, other) for (low, dummy), count in h.bins.items() if low >= edge)
    assert (one + other).at_least(edge) == (one + other).at_most(edge)
    assert (one + other).at_least(edge) == Counts(one.requests + other.requests, slower)


@given(ANY, st.floats(0.0, 2.0))
def test_within_a_bin_canary_is_taken_for_fast_and_stable_for_slow(histogram: Histogram, seconds: float) -> None:
    assert histogram.at_least(seconds).failures <= histogram.at_most(seconds).failures


def test_a_tenth_more_than_an_edge_is_an_edge_but_for_the_last_digit() -> None:
    assert 1.1 * 0.1 > 0.11, "the last digit"
    assert Histogram({(0.11, 0.12): 3}).at_least(1.1 * 0.1) == Counts(3, 3)


@pytest.mark.parametrize(("share", "edge"), [(0.5, 0.1), (0.9, 0.5), (0.91, 1.0), (0.99, 1.0), (1.0, None)])
def test_a_quantile_is_the_first_edge_that_leaves_so_many_below(share: float, edge: float | None) -> None:
    assert Histogram.of_edges((0.1, 0.5, 1.0, inf), (600, 900, 990, 1000)).quantile(share) == edge


def test_of_nothing_there_is_no_quantile() -> None:
    assert Histogram({}).quantile(0.5) is None
    assert Histogram({(0.0, 0.1): 0}).quantile(0.5) is None


@given(ANY, st.integers(1, 6))
def test_in_fewer_bins_it_says_the_same_of_the_outermost_edges(histogram: Histogram, most: int) -> None:
    fewer = histogram.within(most)
    assert len(fewer.bins) <= most
    assert fewer.requests == histogram.requests
    for edge in EDGES[:-1]:
        assert fewer.at_least(edge).failures <= histogram.at_least(edge).failures
        assert fewer.at_most(edge).failures >= histogram.at_most(edge).failures
