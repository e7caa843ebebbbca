# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pool of a managed nginx gets which request: users who stay, rules, and what is sent again."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Service, Wanted
from ansible_collections.zdm.rollout.plugins.module_utils.routers.rules import read
from tests.support.breaking import RESET, BreakingMember
from tests.support.nginx_managed import Site

USERS = 1000
RULES = read(
    {
        "match": [{"header": "X-Canary", "value": "insider"}, {"cookie": "beta", "value": "1.0"}],
        "preview": [{"header": "x-preview", "value": "idle"}],
    }
)


class Visitor:
    """Requests one after the other over one connection."""

    def __init__(self, site: Site) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", site.nginx.ports["web"], timeout=5)

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def ask(self, method: str = "GET", **headers: str) -> tuple[int, str, str]:
        """Status, release and cookie that was given of one request."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, "/", headers=named)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status, answer.headers.get("x-release", ""), answer.headers.get("set-cookie", "")

    def users(self) -> dict[str, str]:
        """Who answers each of so many users."""
        names = ["user-%d" % number for number in range(USERS)]
        return {name: self.ask(cookie="theme=dark; uid=%s" % name)[1] for name in names}


@pytest.fixture
def sticky() -> Iterator[Site]:
    with Site(sticky={"cookie": "uid", "ttl": "1h"}) as running:
        yield running


def test_users_stay_where_they_are_and_a_raise_moves_only_stables(sticky: Site) -> None:
    with Visitor(sticky) as visitor:
        sticky.bring(20.0)
        first = visitor.users()
        assert list(first.values()).count("v2") == pytest.approx(200, abs=60)
        assert visitor.users() == first, "at a constant share nobody moves"
        sticky.bring(40.0)
        raised = visitor.users()
        moved = {name for name in first if first[name] != raised[name]}
        assert moved and {first[name] for name in moved} == {"v1"}
        sticky.bring(10.0)
        lowered = visitor.users()
        assert not [name for name in raised if raised[name] == "v1" and lowered[name] == "v2"]
        sticky.nginx.reload()
        with Visitor(sticky) as again:
            assert again.users() == lowered


def test_control_without_it_users_move() -> None:
    with Site() as site, Visitor(site) as visitor:
        site.bring(40.0)
        assert visitor.users() != visitor.users()


def test_who_has_no_cookie_is_given_one_and_stays(sticky: Site) -> None:
    sticky.bring(50.0)
    with Visitor(sticky) as visitor:
        for _ in range(50):
            _status, release, given = visitor.ask()
            cookie, *attributes = [part.strip() for part in given.split(";")]
            assert attributes == ["Path=/", "Max-Age=3600", "HttpOnly"]
            assert visitor.ask(cookie=cookie)[1:] == (release, "")


def led(site: Site) -> Service:
    service = replace(site.web, rules=RULES)
    site.driver.define(service, "blue")
    return service


def test_split_and_rules_are_one_change() -> None:
    with Site() as site:
        service = led(site)
        assert site.driver.read(service).rules == {"preview": "green"}
        wanted = Wanted({"blue": 100.0, "green": 0.0}, "blue", armed=True)
        (change,) = site.driver.changes(service, wanted)
        assert (change.before, change.after) == ("green=0,preview=green", "green=0,match=green,preview=green")
        workers = site.nginx.workers()
        site.driver.write(service, wanted)
        assert site.driver.verify(service, wanted).rules == {"match": "green", "preview": "green"}
        with Visitor(site) as visitor:
            assert visitor.ask(x_canary="insider")[1] == "v2"
            assert visitor.ask(cookie="a=b; beta=1.0; c=d")[1] == "v2"
            for headers in ({}, {"x_canary": "INSIDER"}, {"cookie": "beta=1x0"}, {"cookie": "alphabeta=1.0"}):
                assert visitor.ask(**headers)[1] == "v1", headers
            site.driver.revert(service, "blue")
            assert visitor.ask(x_canary="insider")[1] == "v1"
            assert visitor.ask(x_preview="idle")[1] == "v2"
            site.driver.revert(service, "green")
            assert (visitor.ask()[1], visitor.ask(x_preview="idle")[1]) == ("v2", "v1")
        assert site.nginx.workers() == workers, "nothing of this is a reload"
        assert site.driver.define(service, "blue") == []


def test_rules_that_the_configuration_does_not_have_are_none() -> None:
    with Site() as site:
        assert site.driver.read(replace(site.web, rules=RULES)).rules is None


@pytest.mark.parametrize(("method", "asked", "lost"), [("GET", False, 0), ("POST", False, 1), ("POST", True, 0)])
def test_only_what_may_be_sent_twice_is(method: str, asked: bool, lost: int) -> None:
    """blue has a second member that takes each request and closes without an answer. nginx leaves it out for a while
    once it has failed three times."""
    with Site(retry_non_idempotent=asked) as site, BreakingMember(RESET) as breaking:
        bad = replace(site.web.pools["blue"][0], name="bad", port=breaking.port)
        service = replace(site.web, pools={**site.web.pools, "blue": (*site.web.pools["blue"], bad)})
        site.driver.define(service, "blue")
        site.driver.counters(service)
        with Visitor(site) as visitor:
            statuses = [visitor.ask(method)[0] for _ in range(10)]
        assert min(statuses.count(502), 1) == lost, statuses
        assert site.driver.counters(service)["bad"].failures >= 1, "no try that failed is hidden"
