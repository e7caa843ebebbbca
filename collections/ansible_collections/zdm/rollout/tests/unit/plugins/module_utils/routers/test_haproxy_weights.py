# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves from any weights to any split: safe at every instant, right at the end, none the second time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.zdm.rollout.plugins.module_utils import _split
from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_stat import Backend, Server
from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_weights import TOP, Weights
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Member, Service, Sick, Unsupported, Wanted


def server(name: str, weight: int = 1, initial: int = 1, status: str = "UP", backup: bool = False) -> Server:
    return Server(name, weight, initial, status, backup=backup)


def backend(*servers: Server) -> Backend:
    return Backend("web", "http", "roundrobin", {server.name: server for server in servers})


def service(names: Mapping[str, int]) -> Service:
    """Pools with members ``blue-1`` …"""
    pools = {
        pool: tuple(Member("%s-%d" % (pool, n + 1), "10.0.0.1", 8000 + n) for n in range(count))
        for pool, count in names.items()
    }
    return Service("web", "test", pools)


ONE = service({"blue": 1, "green": 1})
TWO = service({"blue": 2, "green": 2})


def split(green: float) -> Wanted:
    return Wanted({"blue": 100 - green, "green": green}, "blue")


def moved(weights: Weights, moves: list[tuple[str, int]]) -> Backend:
    """The backend after the moves."""
    new = dict(moves)
    servers = {
        name: replace(known, weight=new.get(name, known.weight)) for name, known in weights.backend.servers.items()
    }
    return replace(weights.backend, servers=servers)


def test_weight_1_everywhere_becomes_the_whole_scale() -> None:
    weights = Weights(backend(server("blue-1"), server("green-1")), ONE)
    moves = weights.moves(split(5.0))
    assert [name for name, dummy in moves] == ["blue-1", "green-1"], "stable is raised first"
    after = dict(moves)
    assert 100 * after["green-1"] / (after["green-1"] + after["blue-1"]) == pytest.approx(5, abs=0.2)
    assert max(after.values()) > TOP / 2


def test_up_raises_canary_first_and_down_raises_stable_first() -> None:
    armed = backend(server("blue-1", 200), server("green-1", 20))
    assert [name for name, dummy in Weights(armed, ONE).moves(split(90.0))] == ["green-1", "blue-1"]
    most = backend(server("blue-1", 20), server("green-1", 200))
    assert [name for name, dummy in Weights(most, ONE).moves(split(10.0))] == ["blue-1", "green-1"]


def test_back_lowers_only_where_stable_has_its_part() -> None:
    weights = Weights(backend(server("blue-1", 10, 10), server("green-1", 10, 10)), ONE)
    assert weights.moves(split(0.0)) == [("green-1", 0)]


def test_back_raises_stable_where_it_has_nothing_or_too_little() -> None:
    weights = Weights(backend(server("blue-1", 0, 10), server("green-1", 256, 10)), ONE)
    assert weights.moves(split(0.0)) == [("blue-1", TOP), ("green-1", 0)]
    uneven = backend(server("blue-1", 1, 30), server("blue-2", 1, 10), server("green-1", 90), server("green-2", 90))
    after = moved(Weights(uneven, TWO), Weights(uneven, TWO).moves(split(0.0))).servers
    assert after["blue-1"].weight == pytest.approx(3 * after["blue-2"].weight, abs=2)


def test_a_part_is_the_configured_weight_or_one_where_the_whole_pool_has_0() -> None:
    weights = Weights(
        backend(server("blue-1", 5, 30), server("blue-2", 5, 0), server("green-1", 0, 0), server("green-2", 0, 0)), TWO
    )
    assert weights.bases == {"blue": {"blue-1": 30, "blue-2": 0}, "green": {"green-1": 1, "green-2": 1}}
    assert weights.configured() == {"blue": 100.0, "green": 0.0}


def test_the_split_is_that_of_the_live() -> None:
    servers = [server("blue-1", 90, status="DOWN"), server("blue-2", 90), server("green-1", 10), server("green-2", 10)]
    assert Weights(backend(*servers), TWO).split() == {
        "blue": pytest.approx(900 / 11),
        "green": pytest.approx(200 / 11),
    }
    nobody = [server(known.name, known.weight, status="MAINT") for known in servers]
    assert Weights(backend(*nobody), TWO).split() == {"blue": 0.0, "green": 0.0}


def test_one_that_is_down_has_its_part_for_when_it_comes_back() -> None:
    servers = [server("blue-1", status="DOWN"), server("blue-2"), server("green-1"), server("green-2")]
    weights = Weights(backend(*servers), TWO)
    after = dict(weights.moves(split(10.0)))
    assert after["blue-1"] == after["blue-2"]


def test_members_that_haproxy_does_not_have_are_left_out() -> None:
    weights = Weights(backend(server("blue-1"), server("stranger")), ONE)
    assert weights.pools["green"] == {}
    assert weights.pool_of == {"blue-1": "blue"}
    with pytest.raises(Sick, match="it has none of them"):
        weights.moves(split(5.0))
    assert weights.moves(split(0.0)) == []


@pytest.mark.parametrize("status", ["DOWN", "MAINT", "DRAIN", "NOLB"])
def test_a_pool_with_nobody_live_gets_nothing(status: str) -> None:
    weights = Weights(backend(server("blue-1"), server("green-1", status=status)), ONE)
    with pytest.raises(Sick, match=r"pool green is to get 5 %% .*\(green-1 %s\)" % status):
        weights.refuse_sick(split(5.0))
    weights.refuse_sick(split(0.0))
    unchecked = Weights(backend(server("blue-1"), server("green-1", status="no check")), ONE)
    unchecked.refuse_sick(split(5.0))  # the agent's own probe decides


def test_what_whole_weights_cannot_hold_is_refused_with_the_nearest() -> None:
    weights = Weights(backend(server("blue-1"), server("green-1")), ONE)
    with pytest.raises(Unsupported, match=r"cannot hold .* green 0\.1 %: .* its 2 live members is .* green 0\.39 %"):
        weights.moves(split(0.1))


SERVERS = some.builds(
    lambda weight, initial, up: (weight, initial, "UP" if up else "DOWN"),
    some.one_of(some.integers(0, 3), some.integers(0, TOP)),
    some.one_of(some.just(1), some.integers(0, TOP)),
    some.sampled_from([True, True, True, False]),
)
POOL = some.lists(SERVERS, min_size=1, max_size=4)
SHARES = some.sampled_from([0.0, 0.5, 1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 95.0, 99.0, 100.0])


@given(blue=POOL, green=POOL, share=SHARES)
def test_from_any_weights_to_any_split(
    blue: list[tuple[int, int, str]], green: list[tuple[int, int, str]], share: float
) -> None:
    servers = [
        server("%s-%d" % (pool, n + 1), *known)
        for pool, members in (("blue", blue), ("green", green))
        for n, known in enumerate(members)
    ]
    wanted = split(share)
    weights = Weights(backend(*servers), service({"blue": len(blue), "green": len(green)}))
    try:
        weights.refuse_sick(wanted)
        moves = weights.moves(wanted)
    except (Sick, Unsupported):
        return
    before, now = weights.split(), weights
    after = Weights(moved(weights, moves), weights_service(weights)).split()
    assert _split.can_hold(after, wanted.split)

    # Within a pool that is uneven one is raised before another is lowered: for that instant it has more.
    directions = {weight > weights.before[name] for name, weight in moves if weights.pool_of[name] == "green"}
    for name, weight in moves:
        assert 0 <= weight <= TOP
        now = Weights(moved(now, [(name, weight)]), weights_service(weights))
        seen = now.split()
        if any(before.values()):
            assert any(seen.values()), "all at 0 in between"
            assert len(directions) > 1 or seen["green"] <= max(before["green"], after["green"]) + 1e-9
    assert now.moves(wanted) == [], "a second run has nothing to do"


def weights_service(weights: Weights) -> Service:
    return service({pool: len(servers) for pool, servers in weights.pools.items()})
