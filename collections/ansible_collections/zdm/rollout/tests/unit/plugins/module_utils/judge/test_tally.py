# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Totals of a router's members, made into what came since; proxies that restart and tries in flight included."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts, Tally, since

POOL_OF = {"p1": {"b1": "blue", "g1": "green", "g2": "green"}, "p2": {"g1": "green"}}


def totals(**members: tuple[int, int]) -> dict[str, dict[str, int]]:
    return {name: {"requests": requests, "failures": failures} for name, (requests, failures) in members.items()}


def test_the_first_look_only_remembers() -> None:
    assert Tally(POOL_OF).add("p1", totals(b1=(900, 9), g1=(5, 5))) == {"blue": Counts(), "green": Counts()}


def test_members_of_a_pool_are_summed_and_strangers_left_out() -> None:
    tally = Tally(POOL_OF)
    tally.add("p1", totals(b1=(900, 9), g1=(10, 0), g2=(20, 0), old=(7, 7)))
    news = tally.add("p1", totals(b1=(950, 9), g1=(13, 1), g2=(25, 2), old=(70, 70)))
    assert news == {"blue": Counts(50, 0), "green": Counts(8, 3)}


def test_what_each_member_had_is_told_too() -> None:
    tally = Tally(POOL_OF)
    tally.by_member("p1", totals(b1=(900, 9), g1=(10, 0), g2=(20, 0), old=(7, 7)))
    news = tally.by_member("p1", totals(b1=(950, 9), g1=(13, 1), g2=(25, 2), old=(70, 70)))
    assert news == {"blue": {"b1": Counts(50, 0)}, "green": {"g1": Counts(3, 1), "g2": Counts(5, 2)}}


def test_the_same_member_is_counted_at_each_router_for_itself() -> None:
    tally = Tally(POOL_OF)
    tally.add("p1", totals(g1=(100, 0)))
    tally.add("p2", totals(g1=(500, 0)))
    assert tally.add("p1", totals(g1=(103, 0))) == {"green": Counts(3, 0)}
    assert tally.add("p2", totals(g1=(504, 1))) == {"green": Counts(4, 1)}


def test_a_member_that_comes_later_starts_from_what_it_shows() -> None:
    tally = Tally(POOL_OF)
    tally.add("p1", totals(g1=(10, 0)))
    assert tally.add("p1", totals(g1=(10, 0), g2=(40, 4))) == {"green": Counts()}
    assert tally.add("p1", totals(g1=(10, 0), g2=(41, 5))) == {"green": Counts(1, 1)}


@pytest.mark.parametrize(
    ("shown", "news"),
    [
        ([(100, 10), (150, 12)], [(50, 2)]),
        ([(100, 10), (100, 10)], [(0, 0)]),
        # The proxy began anew: all that it shows is new.
        ([(100, 10), (5, 1), (9, 1)], [(5, 1), (4, 0)]),
        ([(100, 10), (0, 0), (3, 3)], [(0, 0), (3, 3)]),
        # Failures step back by tries in flight that went well after all: none is told twice.
        ([(100, 10), (110, 8), (120, 11)], [(10, 0), (10, 1)]),
    ],
    ids=["more", "no more", "restart", "restart, seen at once", "failures step back"],
)
def test_news_are_what_was_not_told_yet(shown: list[tuple[int, int]], news: list[tuple[int, int]]) -> None:
    tally = Tally(POOL_OF)
    told = [tally.add("p2", totals(g1=total))["green"] for total in shown]
    assert told == [Counts(), *(Counts(*new) for new in news)]


RUNS = st.lists(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=5), min_size=1, max_size=4
)


@given(RUNS)
def test_over_restarts_each_request_that_was_shown_is_told_once(runs: list[list[tuple[int, int]]]) -> None:
    """Each run of a proxy counts up from 0; the first look at it shows less than the last one at the run before."""
    tally = Tally(POOL_OF)
    tally.add("p2", totals(g1=(0, 0)))
    told, came, before = Counts(), Counts(), 0
    for run in runs:
        total = Counts()
        for requests, failing in run:
            new = Counts(requests, min(requests, failing))
            if total == Counts() and before:
                new = Counts(min(requests, before - 1), 0)  # or nobody could tell that it began anew
            total, came = total + new, came + new
            told = told + tally.add("p2", totals(g1=(total.requests, total.failures)))["green"]
        before = total.requests
    assert told == came


def test_since_is_all_of_now_where_counting_began_anew() -> None:
    assert since(Counts(100, 3), Counts(130, 5)) == Counts(30, 2)
    assert since(Counts(100, 3), Counts(30, 2)) == Counts(30, 2)
