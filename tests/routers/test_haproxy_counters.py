# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters against what the members and the client have counted themselves: retries hide no failure.

The members are not checked, so that one which fails goes on getting requests. Each way to fail is tried with and
without retries; with them HAProxy's own error columns show nothing of most, as the controls assert.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Counters
from demo.client import Client
from demo.log import Result
from tests.support.breaking import CUT, RESET, STALL, BreakingMember
from tests.support.haproxy import Site
from tests.support.ports import free_port
from tests.support.wait import until

NO_RETRIES = "balance roundrobin\nretries 0"
REDISPATCH = "balance roundrobin\nretries 3\noption redispatch 1"
ALL_ERRORS = REDISPATCH + "\nretry-on all-retryable-errors"


def load(site: Site, requests: int = 200) -> Result:
    client = Client(site.haproxy.url, rate=None, connections=8).start()
    until(lambda: len(client.records) >= requests, "%d answers" % requests)
    result = client.stop()
    site.quiet()
    return result


def counters(site: Site) -> Mapping[str, Counters]:
    return site.driver.counters(site.service)


def at(member: BreakingMember) -> Mapping[str, int]:
    return {"green-1": member.port}


def claimed(site: Site, server: str = "green-1") -> int:
    """What HAProxy's error columns say of a server."""
    row = site.haproxy.rows()[server]
    return sum(int(row[column] or 0) for column in ("econ", "eresp", "hrsp_5xx"))


@pytest.mark.parametrize("backend", [NO_RETRIES, REDISPATCH, ALL_ERRORS], ids=["no retries", "redispatch", "retries"])
def test_answers_500_and_503(backend: str) -> None:
    with Site(backend=backend, server="") as site:
        site.members["green-1"].behave(fail=0.25, fail_status=503)
        result = load(site)
        blue, green = (site.members[name].count() for name in ("blue-1", "green-1"))
        seen = counters(site)
        hidden = "retry-on" in backend

        failed = green["statuses"]["503"]
        assert failed > 10
        assert (seen["blue-1"].requests, seen["blue-1"].failures) == (blue["requests"], 0)
        assert (seen["green-1"].requests, seen["green-1"].failures) == (green["requests"], failed)
        assert result.failed == (0 if hidden else failed)
        assert (claimed(site) == 0) is hidden, "control: the columns show nothing of what was tried again"
        assert seen["green-1"].kinds["http_5xx"] == (0 if hidden else failed)


@pytest.mark.parametrize("backend", [NO_RETRIES, REDISPATCH, ALL_ERRORS], ids=["no retries", "redispatch", "retries"])
def test_connections_that_are_refused(backend: str) -> None:
    with Site(backend=backend, server="", addresses={"green-1": free_port()}) as site:
        result = load(site)
        seen = counters(site)
        blue = site.members["blue-1"].count()["requests"]
        hidden = backend != NO_RETRIES

        assert (seen["blue-1"].requests, seen["blue-1"].failures) == (blue, 0)
        assert seen["green-1"].requests == seen["green-1"].failures > 10
        assert result.failed == (0 if hidden else seen["green-1"].failures)
        assert result.requests == blue + result.failed
        assert (claimed(site) == 0) is hidden, "control"
        assert seen["green-1"].kinds["connect"] == (0 if hidden else seen["green-1"].failures)


@pytest.mark.parametrize("backend", [NO_RETRIES, ALL_ERRORS], ids=["no retries", "retries"])
@pytest.mark.parametrize("way", [RESET, CUT, STALL])
def test_connections_that_break(way: str, backend: str) -> None:
    """Before an answer they can be tried again, within it they cannot."""
    backend += "\ntimeout server 200ms"
    with BreakingMember(way, every=4) as member, Site(backend=backend, server="", addresses=at(member)) as site:
        result = load(site)
        seen = counters(site)
        hidden = way == RESET and backend.startswith(ALL_ERRORS)

        assert (seen["green-1"].requests, seen["green-1"].failures) == (member.requests, member.broken)
        assert member.broken > 10
        assert seen["green-1"].kinds["response"] == member.broken
        assert result.failed == (0 if hidden else member.broken)
        blue = site.members["blue-1"].count()["requests"]
        assert seen["blue-1"] == Counters(blue, 0, {"http_5xx": 0, "connect": 0, "response": 0})


@pytest.mark.parametrize("backend", [NO_RETRIES, ALL_ERRORS], ids=["no retries", "retries"])
def test_answers_that_do_not_come_in_time(backend: str) -> None:
    """The member has not answered, so has not counted; the client's time-outs and the failed tries are the same."""
    with Site(backend=backend + "\ntimeout server 200ms", server="") as site:
        site.members["green-1"].behave(hang=True)
        result = load(site, 60)
        seen = counters(site)
        hidden = backend != NO_RETRIES

        assert seen["green-1"].requests == seen["green-1"].failures > 5
        assert result.failed == result.statuses.get(504, 0) == (0 if hidden else seen["green-1"].failures)
        assert seen["blue-1"].requests == site.members["blue-1"].count()["requests"]


def test_tries_that_all_fail_count_each() -> None:
    """A client's one failure is four failed tries when every server is broken."""
    with BreakingMember(RESET) as member:
        both = {"blue-1": member.port, "green-1": member.port}
        with Site(backend=ALL_ERRORS, server="", addresses=both) as site:
            result = load(site, 20)
            seen = counters(site)
            assert result.failed == result.requests
            assert sum(seen[name].failures for name in both) == member.requests == 4 * result.requests
            assert all(seen[name].requests == seen[name].failures for name in both)


@pytest.mark.parametrize("status", [404, 301, 429])
def test_other_answers_are_no_failures_of_the_member(status: int) -> None:
    with Site(backend=ALL_ERRORS, server="") as site:
        site.members["green-1"].behave(fail=1.0, fail_status=status)
        load(site)
        counted = site.members["green-1"].count()
        assert counted["statuses"][str(status)] == counted["requests"] > 10
        assert (counters(site)["green-1"].requests, counters(site)["green-1"].failures) == (counted["requests"], 0)


def test_requests_in_flight_are_neither_good_nor_bad() -> None:
    with Site(backend=ALL_ERRORS, server="") as site:
        for member in site.members.values():
            member.behave(slow=0.3)
        client = Client(site.haproxy.url, rate=None, connections=8).start()
        until(lambda: int(site.haproxy.rows()["green-1"]["scur"]) > 2, "some requests to be at green")
        seen = counters(site)["green-1"]
        result = client.stop()
        site.quiet()
        assert (seen.requests > 0, seen.failures) == (True, 0)
        assert result.failed == counters(site)["green-1"].failures == 0


def test_a_client_that_leaves_is_no_failure_of_the_member() -> None:
    with Site(backend="balance roundrobin\noption abortonclose", server="") as site:
        for member in site.members.values():
            member.behave(slow=0.5)
        client = Client(site.haproxy.url, rate=None, connections=8, timeout=0.1).start()
        until(lambda: len(client.records) >= 24, "24 requests to have been given up")
        result = client.stop()
        site.quiet()
        assert result.kinds["timeout"] >= 24
        for name in ("blue-1", "green-1"):
            assert (counters(site)[name].requests > 0, counters(site)[name].failures) == (True, 0)


def test_the_proxys_own_answers_count_at_no_member() -> None:
    with Site() as site:
        for member in site.members.values():
            member.behave(healthy=False)
        until(lambda: site.share() == -1, "all members to be found down")
        before = counters(site)
        result = load(site, 20)
        assert result.failed == result.statuses[503] == result.requests
        assert counters(site) == before


def test_counters_are_of_the_services_members_alone() -> None:
    with Site({"blue": 2, "green": 1}) as site:
        assert set(counters(site)) == {"blue-1", "blue-2", "green-1"}
        load(site)
        seen = counters(site)
        assert {name: seen[name].requests for name in seen} == {
            name: member.count()["requests"] for name, member in site.members.items()
        }


def test_in_mode_tcp_only_broken_connections_count() -> None:
    """As the warning says: HAProxy sees no answers there."""
    with Site(mode="tcp", backend=NO_RETRIES, server="", addresses={"green-1": free_port()}) as site:
        site.members["blue-1"].behave(fail=1.0)
        load(site, 60)
        seen = counters(site)
        assert seen["blue-1"].failures == 0
        assert seen["green-1"].requests == seen["green-1"].failures > 0
