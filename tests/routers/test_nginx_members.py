# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool of a managed nginx of which one member is dead: nginx leaves that out, and zdm goes back to the pool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.apply import Order, apply
from ansible_collections.zdm.rollout.plugins.module_utils.agent.gate import Gate
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import Place
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Store
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Service, Sick
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
