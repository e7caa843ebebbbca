# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters against what the members and the client have counted themselves, for each way to fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _envoy_documents as documents
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Counters
from demo.client import Client
from demo.log import Result
from tests.support.envoy import Site
from tests.support.wait import until


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Without health checks, so that a member which fails goes on getting requests."""
    with Site(tmp_path, health=None) as running:
        running.start()
        running.bring(50.0)
        yield running


def load(site: Site, requests: int = 200) -> Result:
    client = Client(site.envoy.url("web"), rate=None, connections=8).start()
    until(lambda: len(client.records) >= requests, "%d answers" % requests)
    return client.stop()


def counters(site: Site) -> dict[str, Counters]:
    return site.driver.counters(site.services["web"])


def test_answers_good_and_bad(site: Site) -> None:
    site.members["web-green"].behave(fail=0.25, fail_status=503)
    result = load(site)
    blue, green = (site.members["web-%s" % pool].count() for pool in ("blue", "green"))
    assert result.failed == green["statuses"]["503"] > 0
    assert counters(site) == {
        "web-blue": Counters(blue["requests"], 0, {"timeout": 0, "connect": 0}),
        "web-green": Counters(green["requests"], green["statuses"]["503"], {"timeout": 0, "connect": 0}),
    }


def test_an_answer_404_is_no_failure_of_the_member(site: Site) -> None:
    site.members["web-green"].behave(fail=1.0, fail_status=404)
    load(site)
    counted = site.members["web-green"].count()
    assert counted["statuses"]["404"] == counted["requests"] > 0
    assert counters(site)["web-green"] == Counters(counted["requests"], 0, {"timeout": 0, "connect": 0})


def test_connections_that_are_refused(site: Site) -> None:
    """rq_total would not hold them; as tries they count."""
    site.members["web-green"].stop()
    result = load(site)
    green = counters(site)["web-green"]
    assert green.requests == green.failures == result.failed > 0
    assert 0 < green.kinds["connect"] <= green.failures
    assert green.kinds["timeout"] == 0
    assert counters(site)["web-blue"].requests == site.members["web-blue"].count()["requests"]


def test_answers_that_do_not_come_in_time(site: Site) -> None:
    """The time-out is the routes'; the test brings in a shorter one."""
    routes = documents.routes(site.services["web"], {"web-blue": 5000, "web-green": 5000})
    routes["virtual_hosts"][0]["routes"][0]["route"]["retry_policy"] = {"per_try_idle_timeout": "0.2s"}
    path = site.envoy.directory / "rds" / "web.json"
    path.with_suffix(".new").write_text(documents.as_text("short", [routes]))
    path.with_suffix(".new").rename(path)
    until(lambda: site.envoy.stat("http.web.rds.web.version_text") == "short", "Envoy to take it")
    site.members["web-green"].behave(hang=True)
    result = load(site, 60)
    green = counters(site)["web-green"]
    assert green.requests == green.failures == result.failed == result.statuses[504] > 0
    assert green.kinds == {"timeout": result.failed, "connect": 0}


def test_a_pool_without_a_healthy_member_counts_at_none(tmp_path: Path) -> None:
    """As the promises say: Envoy's own 503 is no try at any member; the client sees it."""
    with Site(tmp_path) as site:
        site.start()
        site.bring(100.0)
        site.members["web-green"].behave(healthy=False)
        until(lambda: site.driver.read(site.services["web"]).healthy("green") == 0, "green to be found down")
        before = counters(site)
        result = load(site, 20)
        assert result.failed == result.requests
        assert counters(site) == before
        assert any("count at no member" in promise for promise in site.driver.read(site.services["web"]).promises)
