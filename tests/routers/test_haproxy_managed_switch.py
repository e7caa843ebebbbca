# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switches of a managed HAProxy under load: nobody loses a request, and the share is the share."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from demo.client import Client
from tests.support.haproxy_managed import Site
from tests.support.load import SHARES, no_request_is_lost, seen_more
from tests.support.wait import until

REQUESTS = 20_000
#: So many standard deviations a random split is off once in 15,000 runs.
SIGMAS = 4


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


def test_no_request_is_lost_in_300_switches(site: Site) -> None:
    no_request_is_lost(site.haproxy.url(), site.members.values(), site.bring)
    assert site.haproxy.share() == 0


@pytest.mark.parametrize("share", [5.0, 2.0])
def test_a_share_is_that_share(site: Site, share: float) -> None:
    site.bring(share)
    client = Client(site.haproxy.url(), rate=None, connections=24).start()
    until(lambda: len(client.records) >= REQUESTS, "%d answers" % REQUESTS, deadline=120)
    result = client.stop()
    assert result.failed == 0, result.kinds
    deviation = 100 * math.sqrt(share / 100 * (1 - share / 100) / result.requests)
    assert result.shares["v2"] == pytest.approx(share, abs=SIGMAS * deviation)
    assert {name: member.count()["requests"] for name, member in site.members.items()} == {
        "web-blue": result.releases["v1"],
        "web-green": result.releases["v2"],
    }
    counters = site.driver.counters(site.web)
    assert {name: counted.requests for name, counted in counters.items()} == {
        "web-blue": result.releases["v1"],
        "web-green": result.releases["v2"],
    }


def test_the_finest_share_is_a_hundredth_of_a_percent(site: Site) -> None:
    site.bring(0.01)
    assert site.haproxy.share() == 0.01
    assert site.driver.read(site.web).split == {"blue": 99.99, "green": 0.01}


def test_two_services_do_not_disturb_each_other() -> None:
    with Site(names=("web", "web-blue")) as site:
        site.bring(30.0, "web-blue")
        client = Client(site.haproxy.url("web-blue"), rate=200).start()
        for number in range(40):
            site.bring(SHARES[number % len(SHARES)])
            seen_more(client, 1)
        result = client.stop()
        assert result.failed == 0, result.kinds
        assert site.haproxy.share("web-blue") == 30
        assert "web-blue blue:green:3000" in site.haproxy.map.read_text().splitlines()
        counters = site.driver.counters(site.services["web-blue"])
        assert counters["web-blue-blue"].requests == result.releases["v1"]


def test_failed_tries_are_counted_at_their_member(site: Site) -> None:
    site.members["web-green"].behave(fail=1.0)
    site.bring(50.0)
    client = Client(site.haproxy.url(), rate=200).start()
    seen_more(client, 100)
    result = client.stop()
    counters = site.driver.counters(site.web)
    assert counters["web-blue"].failures == 0
    assert 0 < counters["web-green"].failures == result.failed == counters["web-green"].kinds["http_5xx"]


def test_how_long_tries_take_is_read_from_its_ring_over_a_reload(site: Site) -> None:
    def slow() -> bool:
        bins = site.driver.times(site.web).pools["blue"]
        return sum(count for low, _high, count in bins if low >= 0.03) > 20

    site.members["web-blue"].behave(slow=0.03)
    client = Client(site.haproxy.url(), rate=100).start()
    until(slow, "slow tries in the ring")
    site.haproxy.reload()
    until(lambda: not slow(), "the new worker to be asked")
    until(slow, "slow tries in the new worker's ring")
    client.stop()
