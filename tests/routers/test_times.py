# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long tries take, as real proxies count it, against what their client sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic, sleep

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Bin, Unreachable, Unsupported
from ansible_collections.zdm.rollout.plugins.module_utils.routers.haproxy import HaproxyServers
from demo.client import Client
from tests.support.envoy import Site as EnvoySite
from tests.support.haproxy import TO_RING, Site
from tests.support.nginx_managed import Site as NginxSite
from tests.support.ports import free_port
from tests.support.wait import until

SLOW = 0.05


def requests(bins: Sequence[Bin]) -> int:
    return sum(count for dummy, dummy2, count in bins)


def quickest(bins: Sequence[Bin]) -> float:
    return min(low for low, dummy, count in bins if count)


def check(times: Mapping[str, Sequence[Bin]], served: Mapping[str, int]) -> None:
    """Every request is in a bin, and those of green took at least as long as it waits."""
    assert {pool: requests(bins) for pool, bins in times.items()} == served
    assert quickest(times["green"]) >= SLOW - 0.002 > quickest(times["blue"])


def sources(kind: str, tmp_path: Path) -> tuple[str, dict[str, object]]:
    """HAProxy's `log`, and what zdm is told of it."""
    if kind == "ring":
        return TO_RING, {"ring": "lb"}
    if kind == "file":
        return "stdout format raw local0", {"file": "haproxy.log"}
    port = free_port()
    return "127.0.0.1:%d local0" % port, {"udp": port}


@pytest.mark.parametrize("kind", ["ring", "file", "udp"])
def test_haproxy_writes_a_line_for_each(kind: str, tmp_path: Path) -> None:
    target, log = sources(kind, tmp_path)
    with Site(log=target) as site:
        if "file" in log:
            log["file"] = str(site.directory / "haproxy.log")
        driver = HaproxyServers({**site.definition, "log": log})
        site.haproxy.ask("set server web/green-1 weight 256")
        site.haproxy.ask("set server web/blue-1 weight 256")
        site.members["green-1"].behave(slow=SLOW)
        assert requests(driver.times(site.service).pools["blue"]) == 0
        sleep(1.0)  # it is followed by now
        before = {name: member.count()["requests"] for name, member in site.members.items()}
        client = Client(site.haproxy.url, rate=200, connections=16).start()
        until(lambda: len(client.records) >= 300, "300 answers")
        client.stop()
        site.quiet()
        served = {name.split("-")[0]: site.members[name].count()["requests"] - before[name] for name in site.members}
        until(
            lambda: sum(map(requests, driver.times(site.service).pools.values())) == sum(served.values()), "all lines"
        )
        check(driver.times(site.service).pools, served)


def test_without_a_log_it_is_said_what_to_do() -> None:
    with Site() as site, pytest.raises(Unsupported, match=r"zdm_router\.log, such as \{ring: lb\}"):
        site.driver.times(site.service)


def test_a_ring_that_is_not_there_is_haproxys_own_word() -> None:
    with Site() as site:
        driver = HaproxyServers({**site.definition, "log": {"ring": "lb"}})
        deadline = monotonic() + 20
        with pytest.raises(Unreachable, match="HAProxy's log cannot be read: ring lb: ") as refusal:
            while monotonic() < deadline:
                driver.times(site.service)
                sleep(0.05)
        assert len(str(refusal.value)) > len("HAProxy's log cannot be read: ring lb: ")


def test_envoy_counts_them_and_says_how_late(tmp_path: Path) -> None:
    with EnvoySite(tmp_path) as site:
        site.start()
        site.driver.write(site.services["web"], site.split(50))
        site.members["web-green"].behave(slow=SLOW)
        client = Client(site.envoy.url("web"), rate=200, connections=16).start()
        until(lambda: len(client.records) >= 300, "300 answers")
        client.stop()
        served = {pool: site.members["web-" + pool].count()["requests"] for pool in ("blue", "green")}
        until(lambda: requests(site.driver.times(site.services["web"]).pools["blue"]) == served["blue"], "a flush")
        times = site.driver.times(site.services["web"])
        check(times.pools, served)
        assert times.lag == 1.0, "stats_flush_interval of the role's bootstrap"


def test_nginx_writes_how_long_each_took() -> None:
    with NginxSite() as site:
        site.driver.times(site.web)  # it counts from the first look on
        site.bring(50.0)
        site.members["web-green"].behave(slow=SLOW)
        client = Client(site.nginx.url(), rate=200).start()
        until(lambda: len(client.records) > 200, "200 answers")
        releases = client.stop().releases
        check(site.driver.times(site.web).pools, {"blue": releases["v1"], "green": releases["v2"]})
