# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switches of a managed nginx under load: nobody loses a request, and the share is the share."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from demo.client import Client
from demo.log import Result
from tests.support.load import SHARES, SWITCHES, seen_more
from tests.support.nginx_managed import Site
from tests.support.wait import until

REQUESTS = 20_000
#: So many standard deviations a random split is off once in 15,000 runs.
SIGMAS = 4
#: Requests that take this long, in seconds, are in flight over most switches; so many connections have one each.
LONG, LONG_ONES = 3.0, 8


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


def switched(switches: int, reload: bool) -> tuple[Result, Result]:
    """What becomes of 600 requests a second, and of others of 3 s, in so many switches (every tenth of them of the
    latter).
    ``reload``: as other tools do it, with a reload each tenth time."""
    with Site(names=("web", "slow")) as site:
        for name, member in site.members.items():
            member.behave(slow=LONG if name.startswith("slow") else 0.02)
        long = Client(site.nginx.url("slow"), rate=None, connections=LONG_ONES, timeout=10).start()
        client = Client(site.nginx.url(), rate=600, connections=32).start()
        seen_more(client, 60)
        in_flight = 0
        for number in range(switches):
            share = SHARES[number % len(SHARES)]
            site.bring(share)
            if number % 10 == 0:
                site.bring(share, "slow")
                in_flight += sum(member.count()["in_flight"] for member in site.members.values())
            if reload and number % 10 == 0:
                site.nginx.reload(wait=False)
            if number % 3 == 0:
                seen_more(client, 1)
        results = client.stop(), long.stop()
        assert in_flight > LONG_ONES * switches / 10, "there was nothing to lose at many of the switches"
        assert site.nginx.share() == SHARES[(switches - 1) % len(SHARES)]
    assert min(results[0].releases.values()) > switches / 10, "both releases have to answer"
    assert results[1].requests >= LONG_ONES
    return results


def test_no_request_is_lost_in_300_switches() -> None:
    quick, long = switched(SWITCHES, reload=False)
    assert (quick.failed, long.failed) == (0, 0), (quick.kinds, long.kinds)


def test_control_the_reload_way_loses_requests() -> None:
    """Connections that are kept alive are closed by it, and a client that does not look first loses a request."""
    assert switched(SWITCHES // 6, reload=True)[0].failed > 0


@pytest.mark.parametrize("share", [5.0, 2.0])
def test_a_share_is_that_share(site: Site, share: float) -> None:
    site.bring(share)
    site.driver.counters(site.web)  # it counts from the first look on
    client = Client(site.nginx.url(), rate=None, connections=24).start()
    until(lambda: len(client.records) >= REQUESTS, "%d answers" % REQUESTS, deadline=120)
    result = client.stop()
    assert result.failed == 0, result.kinds
    deviation = 100 * math.sqrt(share / 100 * (1 - share / 100) / result.requests)
    assert result.shares["v2"] == pytest.approx(share, abs=SIGMAS * deviation)
    counted = {name: member.count()["requests"] for name, member in site.members.items()}
    assert counted == {"web-blue": result.releases["v1"], "web-green": result.releases["v2"]}
    counters = site.driver.counters(site.web)
    assert {name: each.requests for name, each in counters.items()} == counted


def test_the_finest_share_is_a_tenth_of_a_percent(site: Site) -> None:
    site.bring(0.1)
    assert site.nginx.share() == 0.1
    assert site.driver.read(site.web).split == {"blue": 99.9, "green": 0.1}


def test_two_services_do_not_disturb_each_other() -> None:
    with Site(names=("web", "web-blue")) as site:
        site.bring(30.0, "web-blue")
        site.driver.counters(site.services["web-blue"])
        client = Client(site.nginx.url("web-blue"), rate=200).start()
        for number in range(40):
            site.bring(SHARES[number % len(SHARES)])
            seen_more(client, 1)
        result = client.stop()
        assert result.failed == 0, result.kinds
        assert site.nginx.share("web-blue") == 30
        counters = site.driver.counters(site.services["web-blue"])
        assert counters["web-blue-blue"].requests == result.releases["v1"]


def test_failed_tries_are_counted_at_their_member(site: Site) -> None:
    site.driver.counters(site.web)
    site.members["web-green"].behave(fail=1.0)
    site.bring(50.0)
    client = Client(site.nginx.url(), rate=200).start()
    seen_more(client, 100)
    result = client.stop()
    counters = site.driver.counters(site.web)
    assert counters["web-blue"].failures == 0
    assert 0 < counters["web-green"].failures == result.failed == counters["web-green"].kinds["http_5xx"]


def test_a_split_outlives_reload_and_crash(site: Site) -> None:
    site.bring(100.0)
    site.nginx.reload()
    assert {site.nginx.release() for _ in range(20)} == {"v2"}
    site.nginx.kill()
    site.nginx.start()
    assert {site.nginx.release() for _ in range(20)} == {"v2"}
    assert site.driver.read(site.web).split == {"blue": 0.0, "green": 100.0}
