# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a managed nginx has of a service: share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _nginx_share as share
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Member, Service

WEB = Service("web", "test", {pool: (Member(pool, "127.0.0.1", 80),) for pool in ("blue", "green")})
PARTS = st.integers(0, 1000)


def parts(green: int) -> dict[str, int]:
    return {"blue": 1000 - green, "green": green}


def test_files_are_the_buckets_of_the_second_pool_and_where_rules_lead() -> None:
    assert share.files(parts(0), {}) == frozenset()
    assert share.files(parts(2), {"match": "green", "preview": "blue"}) == {
        "0.green",
        "1.green",
        "match.green",
        "preview.blue",
    }
    assert share.name(parts(50), {"preview": "green", "match": "green"}) == "green=50,match=green,preview=green"


@given(PARTS, st.dictionaries(st.sampled_from(share.SETS), st.sampled_from(["blue", "green"])))
def test_what_is_written_is_read(green: int, targets: dict[str, str]) -> None:
    names = share.files(parts(green), targets)
    assert share.parts_of(names, ["green", "blue"]) == parts(green)
    assert share.targets_of(names, ["green", "blue"]) == targets
    last, beyond = share.edges(share.buckets_of(names, "green"))
    assert last == (green - 1 if green else None)
    assert beyond == (green if green < 1000 else None)


@given(PARTS, PARTS)
def test_a_greater_share_takes_no_bucket_away(one: int, other: int) -> None:
    less, more = sorted((one, other))
    assert share.files(parts(less), {}) <= share.files(parts(more), {})


def test_files_of_others_are_no_buckets() -> None:
    names = {"0.green", "00.green", "01.green", "1000.green", "7.blue", "x.green", ".green", "2.green.x", "3"}
    assert share.buckets_of(names, "green") == [0]
    assert share.parts_of(names, ["blue", "red"]) == {"blue": 1000, "red": 0}, "it means the same to other pools"


def test_buckets_with_gaps() -> None:
    names = {"0.green", "2.green"}
    assert share.parts_of(names, ["blue", "green"]) == parts(2)
    assert share.edges(share.buckets_of(names, "green")) == (2, 1)


def test_one_pool_has_all() -> None:
    assert share.files({"blue": 1000}, {}) == frozenset()
    assert share.parts_of(frozenset(), ["blue"]) == {"blue": 1000}


def test_weights_of_a_split() -> None:
    assert share.weights(WEB, {"blue": 95.0, "green": 5.0}) == parts(50)
    assert share.weights(WEB, {"blue": 99.99, "green": 0.01}) == parts(1), "a share above 0 is never none"
    assert share.weights(WEB, {"blue": 100.0}) == parts(0)
    with pytest.raises(ValueError, match="the split names pool 'red': service web has blue and green"):
        share.weights(WEB, {"red": 100.0})
    with pytest.raises(ValueError, match="sums to 90"):
        share.weights(WEB, {"blue": 90.0})
