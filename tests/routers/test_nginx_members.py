# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool of a managed nginx of which one member is dead, or not well: it is left out, and zdm goes back to the pool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.apply import Order, apply
from ansible_collections.zdm.rollout.plugins.module_utils.agent.gate import Gate
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import Place
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Store
from ansible_collections.zdm.rollout.plugins.module_utils.agent.rests import Keeping
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import DOWN, TRIED, Service, Sick
from demo.client import Client
from tests.support.load import seen_more
from tests.support.members import RunningMember
from tests.support.nginx_managed import Site


class Two(Site):
    """Blue has two members."""

    def start(self) -> None:
        self.second = RunningMember("web-blue-2", "v1", self.directory)
        self.members["web-blue-2"] = self.second
        pools = {**self.web.pools, "blue": (*self.web.pools["blue"], self.second.member)}
        self.services["web"] = replace(self.web, pools=pools)
        super().start()

    def place(self, directory: Path, green: float) -> None:
        """A split by the one way of an order, gate and all."""
        service: Service = self.web
        event = Place({"blue": 100.0 - green, "green": green}, "ann")
        order = Order("test", "web", event, "now", service, self.nginx.definition)
        apply(Store(str(directory)), self.driver, Gate(), order)


@pytest.fixture
def site() -> Iterator[Two]:
    with Two() as running:
        yield running


def test_one_dead_member_is_no_reason_to_stay_where_the_traffic_is(site: Two, tmp_path: Path) -> None:
    site.place(tmp_path, 100.0)
    site.second.kill()
    client = Client(site.nginx.url(), rate=200, connections=8).start()
    seen_more(client, 20)
    site.place(tmp_path, 0.0)
    seen_more(client, 100)
    result = client.stop()
    assert result.failed == 0, "nginx tries the other one"
    assert result.releases["v1"] > 50


def test_nobody_is_sent_to_a_pool_without_a_member_that_answers(site: Two, tmp_path: Path) -> None:
    site.place(tmp_path, 100.0)
    site.second.kill()
    site.members["web-blue"].kill()
    with pytest.raises(Sick, match=r"blue would get 100 % of web, but .* web-blue: .*; web-blue-2: "):
        site.place(tmp_path, 0.0)
    assert site.nginx.share() == 100.0


def got(site: Two, requests: int = 40) -> dict[str, int]:
    """How many of so many requests each member of blue got."""
    names = ("web-blue", "web-blue-2")
    before = {name: site.members[name].count()["requests"] for name in names}
    for dummy in range(requests):
        assert site.nginx.release() == "v1"
    return {name: site.members[name].count()["requests"] - before[name] for name in names}


def healths(site: Two) -> list[str]:
    return [member.health for member in site.driver.read(site.web).members if member.pool == "blue"]


def test_who_is_not_well_gets_nothing_until_he_is_again(site: Two) -> None:
    """nginx itself would go on: the member answers."""
    keeping, workers = Keeping(site.driver, site.web, Gate()), site.nginx.workers()
    keeping.ask()
    assert min(got(site).values()) > 0
    site.second.behave(healthy=False)
    keeping.ask()
    assert min(got(site).values()) > 0, "once is not enough"
    keeping.ask()
    assert got(site)["web-blue-2"] == 0
    assert healths(site) == [TRIED, DOWN]
    site.second.behave(healthy=True)
    keeping.ask()
    assert min(got(site).values()) > 0
    assert healths(site) == [TRIED, TRIED]
    assert site.nginx.workers() == workers, "without a reload"


def test_the_last_member_of_a_pool_is_never_left_out(site: Two) -> None:
    keeping = Keeping(site.driver, site.web, Gate())
    for member in (site.second, site.members["web-blue"], site.members["web-green"]):
        member.behave(healthy=False)
    for dummy in range(3):
        keeping.ask()
    assert healths(site) == [TRIED, TRIED]
    assert sum(got(site).values()) == 40


def test_nobody_is_left_out_when_nobody_asks_any_more(site: Two) -> None:
    keeping = Keeping(site.driver, site.web, Gate())
    site.second.behave(healthy=False)
    keeping.ask()
    keeping.ask()
    assert healths(site) == [TRIED, DOWN]
    keeping.end()
    assert healths(site) == [TRIED, TRIED]
    keeping.ask()
    keeping.ask()
    assert healths(site) == [TRIED, TRIED], "nor by a round that was under way"


def test_who_was_left_out_by_a_guard_that_died_is_back_when_the_service_is_made_known(site: Two) -> None:
    site.driver.leave_out(site.web, {"web-blue-2"})
    site.driver.define(site.web, "blue")
    assert healths(site) == [TRIED, TRIED]
