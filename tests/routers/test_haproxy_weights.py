# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights as people have them, and what becomes of a share when members go and come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import DOWN, NotInForce, Sick, Unsupported
from tests.support.conversation import Conversation
from tests.support.haproxy import Site
from tests.support.wait import until

FIVE = {"blue": 95.0, "green": 5.0}
TWO = {"blue": 2, "green": 2}


def within(share: float, tolerance: float) -> Any:
    return pytest.approx(share, abs=tolerance)


def test_servers_without_weights_have_weight_1_and_are_put_on_the_scale_together() -> None:
    """Setting only the canary's would give it nearly everything: 13 against 1."""
    with Site(TWO) as site:
        assert site.weights() == {"blue-1": 1, "blue-2": 1, "green-1": 1, "green-2": 1}
        assert site.driver.read(site.service).split == {"blue": 50.0, "green": 50.0}
        site.bring(5.0)
        assert site.share() == within(5, 0.5)
        weights = site.weights()
        assert max(weights.values()) > 128, "the scale is used, or there is no room for small shares"
        assert weights["blue-1"] == weights["blue-2"]
        assert weights["green-1"] == weights["green-2"]


def test_a_second_write_has_nothing_to_do() -> None:
    with Site(TWO) as site:
        assert site.driver.changes(site.service, site.split(5.0))
        site.bring(5.0)
        before = site.weights()
        assert site.driver.changes(site.service, site.split(5.0)) == []
        site.bring(5.0)
        assert site.weights() == before


def test_members_keep_their_part_of_their_pool() -> None:
    """The configuration gives blue-1 three times the load of blue-2."""
    with Site(TWO, servers={"blue-1": "weight 30", "blue-2": "weight 10", "green": "weight 10"}) as site:
        for green in (5.0, 50.0, 90.0):
            site.bring(green)
            weights = site.weights()
            assert weights["blue-1"] == within(3 * weights["blue-2"], 2)
            assert weights["green-1"] == weights["green-2"]
            assert site.share() == within(green, 0.5)
        site.bring(100.0)
        site.driver.revert(site.service, "blue")
        weights = site.weights()
        assert weights["blue-1"] == within(3 * weights["blue-2"], 2), "the way back keeps it too"


def test_an_idle_pool_configured_with_weight_0_gets_traffic_evenly() -> None:
    with Site(TWO, servers={"blue": "weight 100", "green": "weight 0"}) as site:
        assert site.driver.read(site.service).split == {"blue": 100.0, "green": 0.0}
        site.bring(25.0)
        weights = site.weights()
        assert weights["green-1"] == weights["green-2"] > 0
        assert site.share() == within(25, 0.5)


@pytest.mark.parametrize("green", [0.5, 1.0, 99.0, 99.5])
def test_the_ends_of_the_scale(green: float) -> None:
    with Site() as site:
        site.bring(green)
        assert all(0 < weight <= 256 for weight in site.weights().values())
        assert site.share() == within(green, 0.1 * min(green, 100 - green))


def test_a_share_that_whole_weights_cannot_hold_is_refused() -> None:
    """One of 257 is the least that one member of each pool can have: 0.39 %."""
    with Site() as site:
        for method in (site.driver.changes, site.driver.write):
            with pytest.raises(
                Unsupported, match=r"cannot hold blue 99\.9 %, green 0\.1 %: the nearest .* green 0\.39 %"
            ):
                method(site.service, site.split(0.1))
        assert site.weights() == {"blue-1": 1, "green-1": 1}


def test_weights_that_somebody_else_set_are_not_in_force() -> None:
    with Site() as site:
        site.bring(5.0)
        site.haproxy.ask("set server web/green-1 weight 100")
        with pytest.raises(NotInForce, match=r"wanted blue 95 %, green 5 %, in force is .*green-1 100 up"):
            site.driver.verify(site.service, site.split(5.0))
        site.bring(5.0)
        assert site.share() == within(5, 0.5)


def test_all_weights_0_is_no_share() -> None:
    with Site(servers={"blue": "weight 0", "green": "weight 0"}) as site:
        traffic = site.driver.read(site.service)
        assert not traffic.held
        assert traffic.split == {"blue": 0.0, "green": 0.0}
        with pytest.raises(NotInForce, match="no share at all"):
            site.driver.verify(site.service, site.split(0.0))
        site.bring(0.0)
        assert site.share() == 0


def test_another_backend_and_a_server_of_no_pool_are_left_alone() -> None:
    with Site({"blue": 1, "green": 1, "red": 1}, servers={"red": "weight 0"}) as site:
        pools = {pool: site.service.pools[pool] for pool in ("blue", "green")}
        service = replace(site.service, pools=pools)
        site.driver.write(service, site.split(30.0))
        assert site.share() == within(30, 0.5)
        assert site.haproxy.weight("red-1") == 0
        assert site.haproxy.ask("get weight other/blue-1").strip() == "7 (initial 7)"
        assert any("red-1: in no pool" in warning for warning in site.driver.read(service).warnings)


def test_the_share_is_that_of_the_servers_that_are_up() -> None:
    with Site(TWO) as site:
        site.members["blue-1"].stop()
        until(lambda: site.status("blue-1") == "DOWN", "blue-1 to be found down")
        traffic = site.driver.read(site.service)
        assert {member.name for member in traffic.members if member.health == DOWN} == {"blue-1"}
        assert traffic.split == {"blue": within(100 / 3, 0.1), "green": within(200 / 3, 0.1)}
        site.bring(20.0)
        assert site.share() == within(20, 0.5)
        weights = site.weights()
        assert weights["blue-1"] == weights["blue-2"], "it has its proper part as soon as it is back"


def test_a_pool_with_nobody_up_gets_nothing() -> None:
    with Site() as site:
        site.members["green-1"].stop()
        until(lambda: site.status("green-1") == "DOWN", "green-1 to be found down")
        with pytest.raises(Sick, match=r"pool green is to get 5 % of backend web, .* \(green-1 DOWN\)"):
            site.driver.write(site.service, site.split(5.0))
        assert site.weights() == {"blue-1": 1, "green-1": 1}
        site.bring(0.0)
        assert site.weights()["green-1"] == 0, "lowering a sick pool is always possible"


def rollout_of(site: Site, split: Mapping[str, float]) -> Conversation:
    """A rollout that has armed a split."""
    rollout = Conversation(site.definition, site.service)
    rollout.arm(split)
    return rollout


def test_a_share_that_drifts_as_members_go_and_come_is_put_right() -> None:
    """Between two looks it is bounded: with m of n members of a pool gone, the other has n/(n-m) times at most."""
    with Site(TWO) as site:
        rollout = rollout_of(site, {"blue": 90.0, "green": 10.0})
        assert (rollout.look()["corrections"], site.share()) == (0, within(10, 0.5))

        site.members["blue-1"].stop()
        until(lambda: site.status("blue-1") == "DOWN", "blue-1 to be found down")
        drifted = site.share()
        assert 15 < drifted <= 20, "nobody has looked yet"
        assert (rollout.look()["corrections"], site.share()) == (1, within(10, 0.5))

        site.members["blue-1"].start()
        until(lambda: site.status("blue-1") == "UP", "blue-1 to be found up")
        assert 2.5 < site.share() < 7.5, "canary has less than its share, never more"
        assert (rollout.look()["corrections"], site.share()) == (2, within(10, 0.5))
        assert rollout.look()["corrections"] == 2, "and then there is rest"
        rollout.revert()
        assert site.share() == 0


def test_weights_set_by_somebody_else_are_put_back_once_and_not_fought_over() -> None:
    """Only a drift by health is corrected in silence."""
    with Site(TWO) as site:
        rollout = rollout_of(site, FIVE)
        site.haproxy.ask("set server web/green-1 weight 200")
        shown = site.share()
        seen = rollout.look()
        assert (seen["corrections"], seen["state"]) == (0, "armed")
        assert seen["foreign"][0]["shown"]["green"] == within(shown, 0.01)
        assert seen["traffic"]["split"]["green"] == within(site.share(), 0.01)
        assert site.share() == within(5, 0.5)
        site.haproxy.ask("set server web/green-1 weight 200")
        assert rollout.look()["state"] == "reverted"
        assert site.share() == 0
