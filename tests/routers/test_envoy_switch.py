# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switches under load: nobody loses a request, and the share is the share. Each protection is shown to be one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import lease
from ansible_collections.zdm.rollout.plugins.module_utils.agent.apply import Order, apply
from ansible_collections.zdm.rollout.plugins.module_utils.agent.gate import Gate
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Store
from ansible_collections.zdm.rollout.plugins.module_utils.routers import _envoy_documents as documents
from ansible_collections.zdm.rollout.plugins.module_utils.routers._envoy_admin import Admin
from ansible_collections.zdm.rollout.plugins.module_utils.routers._envoy_files import Files
from ansible_collections.zdm.rollout.plugins.module_utils.routers._envoy_push import Pusher
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import DOWN, Refused, Sick
from demo.client import Client
from tests.support.envoy import Site
from tests.support.load import SHARES, no_request_is_lost, seen_more
from tests.support.wait import until


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as running:
        running.start()
        yield running


def test_no_request_is_lost_in_300_switches(site: Site) -> None:
    no_request_is_lost(site.envoy.url("web"), site.members.values(), site.bring)
    assert site.envoy.weights("web") == {"web-blue": 10000, "web-green": 0}


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_a_share_for_a_cluster_that_envoy_does_not_know(site: Site, protected: bool) -> None:
    """validate_clusters is what keeps it out: with it Envoy refuses, without it requests fail."""
    routes = documents.routes(site.services["web"], {"web-blue": 5000, "web-nope": 5000})
    routes["validate_clusters"] = protected
    files = Files(str(site.envoy.directory))
    path = files.routes_of("web")
    good = Path(path).read_text()
    pusher = Pusher(Admin(str(site.envoy.directory / "admin.sock")), files)
    client = Client(site.envoy.url("web"), rate=300).start()
    seen_more(client, 20)
    if protected:
        with pytest.raises(Refused, match="unknown weighted cluster 'web-nope'"):
            pusher.push("http.web.rds.web", path, documents.document([routes]), good)
    else:
        pusher.push("http.web.rds.web", path, documents.document([routes]), good)
    seen_more(client, 60)
    result = client.stop()
    assert (result.failed == 0) is protected, result.kinds


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_a_share_for_a_pool_that_is_dead(site: Site, tmp_path: Path, protected: bool) -> None:
    """The gate is what keeps it out, by the health that the driver reads; without it requests fail."""
    site.members["web-green"].kill()
    service = site.services["web"]
    until(lambda: [m for m in site.driver.read(service).members if m.health == DOWN], "green to be found down")
    client = Client(site.envoy.url("web"), rate=300).start()
    seen_more(client, 20)
    order = Order(
        environment="test",
        name="web",
        event=lease.Place({"blue": 50.0, "green": 50.0}, by="a test"),
        at="2026-01-01T00:00:00Z",
        service=service,
        router=site.envoy.definition,
        even_if_sick=not protected,
    )
    store = Store(str(tmp_path / "state"))
    if protected:
        with pytest.raises(Sick, match="green would get 50 %"):
            apply(store, site.driver, Gate(), order)
    else:
        apply(store, site.driver, Gate(), order)
    seen_more(client, 60)
    result = client.stop()
    assert (result.failed == 0) is protected, result.kinds


def test_five_percent_are_five_percent(site: Site) -> None:
    site.bring(5.0)
    client = Client(site.envoy.url("web"), rate=None, connections=24).start()
    until(lambda: len(client.records) >= 20_000, "20,000 answers", deadline=60)
    result = client.stop()
    assert result.failed == 0, result.kinds
    assert result.shares["v2"] == pytest.approx(5.0, abs=0.5)
    assert {name: member.count()["requests"] for name, member in site.members.items()} == {
        "web-blue": result.releases["v1"],
        "web-green": result.releases["v2"],
    }


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_a_client_cannot_order_retries(tmp_path: Path, protected: bool) -> None:
    """They would hide failures; the bootstrap's use_remote_address and internal_address_config forbid them."""

    def trusting(bootstrap: str) -> str:
        document = json.loads(bootstrap)
        manager = document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        manager["internal_address_config"] = {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]}
        return json.dumps(document)

    with Site(tmp_path) as site:
        site.start(str if protected else trusting)
        site.members["web-blue"].behave(fail=1.0, fail_status=503)
        assert site.ask(headers={"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "2"}) == 503
        tries = site.members["web-blue"].count()["requests"]
    assert tries == (1 if protected else 3)


def test_two_services_do_not_disturb_each_other(tmp_path: Path) -> None:
    with Site(tmp_path, names=("web", "api")) as site:
        site.start()
        site.bring(30.0, "api")
        files = {name: seen for name, seen in site.envoy.files().items() if "api" in name}
        client = Client(site.envoy.url("api"), rate=300).start()
        for number in range(40):
            site.bring(SHARES[number % len(SHARES)])
            seen_more(client, 1)
        green = site.members["web-green"].member
        more = {**site.services["web"].pools, "red": (replace(green, name="web-red"),)}
        assert site.driver.define(replace(site.services["web"], pools=more), "blue")
        seen_more(client, 20)
        result = client.stop()

        assert result.failed == 0, result.kinds
        assert site.envoy.weights("api") == {"api-blue": 7000, "api-green": 3000}
        assert {name: seen for name, seen in site.envoy.files().items() if "api" in name} == files
        assert site.driver.counters(site.services["api"])["api-blue"].requests == result.releases["v1"]
