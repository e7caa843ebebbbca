# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be had in somebody's configuration is said before anything moves; what is doubtful is said too."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import lease
from ansible_collections.zdm.rollout.plugins.module_utils.agent.apply import Order, apply
from ansible_collections.zdm.rollout.plugins.module_utils.agent.gate import Gate
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Store
from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_socket import RuntimeSocket
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import (
    UNCHECKED,
    Health,
    Refused,
    Sick,
    Unreachable,
    Unsupported,
)
from ansible_collections.zdm.rollout.plugins.module_utils.routers.haproxy import HaproxyServers
from demo.client import Client
from tests.support.haproxy import Site
from tests.support.ports import free_port
from tests.support.relay import Relay
from tests.support.wait import until

ONES = {"blue-1": 1, "green-1": 1}


def refuses(site: Site, said: str) -> None:
    """Both ways to ask for a split are refused, nothing is changed, and reading warns of it."""
    for method in (site.driver.changes, site.driver.write):
        with pytest.raises(Unsupported, match=said):
            method(site.service, site.split(5.0))
    assert site.weights() == ONES
    assert any("backend web" in warning for warning in site.driver.read(site.service).warnings)


@pytest.mark.parametrize("algorithm", ["static-rr", "source", "uri", "first", "hdr(host)", "url_param user"])
def test_an_algorithm_that_does_not_follow_weights_is_refused(algorithm: str) -> None:
    with Site(backend="balance %s" % algorithm) as site:
        refuses(
            site, r"cannot be split: it balances by `%s`, .*use `balance roundrobin`" % re.split("[ (]", algorithm)[0]
        )


@pytest.mark.parametrize("algorithm", ["roundrobin", "leastconn", "random"])
def test_the_others_are_taken(algorithm: str) -> None:
    with Site(backend="balance %s" % algorithm) as site:
        site.bring(5.0)
        warned = any("`balance %s`" % algorithm in warning for warning in site.driver.read(site.service).warnings)
        assert warned == (algorithm != "roundrobin")


@pytest.mark.parametrize("algorithm", ["roundrobin", "leastconn"])
def test_the_warning_of_leastconn_is_true(algorithm: str) -> None:
    """Under little load: 5 % become a half."""
    with Site(backend="balance %s" % algorithm) as site:
        site.bring(5.0)
        client = Client(site.haproxy.url, rate=None, connections=1).start()
        until(lambda: len(client.records) >= 400, "400 answers")
        share = client.stop().shares["v2"]
    assert (share > 25) == (algorithm == "leastconn"), share


@pytest.mark.parametrize("green", [0, 10])
def test_a_static_algorithm_does_not_keep_traffic_from_going_back(green: int) -> None:
    """It takes no other weights at run time than 0 and the configured one, so nobody may be raised for it."""
    with Site(backend="balance static-rr", servers={"blue": "weight 10", "green": "weight %d" % green}) as site:
        assert "static LB algorithm" in site.haproxy.ask("set server web/blue-1 weight 256"), "control"
        site.driver.revert(site.service, "blue")
        assert site.weights() == {"blue-1": 10, "green-1": 0}
        site.driver.verify(site.service, site.split(0.0))


def test_a_server_that_haproxy_does_not_have_is_named_with_those_that_it_has() -> None:
    with Site() as site:
        wrong = replace(site.service.pools["green"][0], name="green-9")
        site.service = replace(site.service, pools={**site.service.pools, "green": (wrong,)})
        with pytest.raises(Unsupported, match=r"no server green-9 \(there are blue-1, green-1\)"):
            site.driver.write(site.service, site.split(5.0))
        assert site.haproxy.weight("blue-1") == site.haproxy.weight("green-1") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"green": "backup"}, "green-1 is marked `backup`"),
        ({"blue": "backup", "green": "backup"}, "blue-1, green-1 are marked `backup`"),
    ],
)
def test_servers_that_wait_for_others_to_fail_are_refused(words: dict[str, str], said: str) -> None:
    with Site(servers=words) as site:
        refuses(site, said)


def test_a_server_of_no_pool_that_takes_traffic_is_refused_but_never_keeps_traffic_from_going_back() -> None:
    with Site({"blue": 1, "green": 1, "red": 1}) as site:
        site.service = replace(site.service, pools={pool: site.service.pools[pool] for pool in ("blue", "green")})
        refuses(site, "red-1 takes traffic outside of the split")
        site.driver.revert(site.service, "blue")
        assert site.weights()["green-1"] == 0
        assert site.haproxy.weight("red-1") == 1


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("wep", r"no backend wep \(there are .*web.*\): name the right one as zdm_router\.services"),
        ("empty", "backend empty has no servers"),
        ("web; disable server web/blue-1", "expected a backend's name"),
        ("web\ndisable server web/blue-1", "expected a backend's name"),
    ],
)
def test_a_wrong_backend_is_refused(backend: str, said: str) -> None:
    with Site() as site, Relay(site.directory / "relay.sock", site.haproxy.socket) as relay:
        driver = HaproxyServers({"socket": str(relay.path)})
        service = replace(site.service, options={"backend": backend})
        for method in (driver.read, driver.counters):
            with pytest.raises(Unsupported, match=said):
                method(service)
        with pytest.raises(Unsupported, match=said):
            driver.write(service, site.split(5.0))
        assert relay.orders == []
        assert site.status("blue-1") == "UP"


@pytest.mark.parametrize("level", ["user", "operator"])
def test_the_level_of_the_socket_is_named_before_anything_is_tried(level: str) -> None:
    with Site(level=level) as site:
        for attempt in (site.driver.read, site.driver.counters):
            with pytest.raises(Unsupported, match="has level %s, .*`level admin`" % level):
                attempt(site.service)
        with pytest.raises(Unsupported, match="has level %s" % level):
            site.driver.write(site.service, site.split(5.0))


@pytest.mark.parametrize(
    ("makes", "said"),
    [
        (lambda path: None, "does not exist: start HAProxy, add `stats socket"),
        (lambda path: socket.socket(socket.AF_UNIX).bind(str(path)), "HAProxy is not running"),
        (lambda path: path.write_text("no socket"), "HAProxy is not running"),
    ],
    ids=["missing", "nobody listens", "a file"],
)
def test_a_socket_where_nobody_answers(tmp_path: Path, makes: Callable[[Path], object], said: str) -> None:
    makes(tmp_path / "s")
    with pytest.raises(Unreachable, match=said):
        RuntimeSocket(str(tmp_path / "s")).ask(["show info"])


def test_a_socket_that_is_silent(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen(1)
        with pytest.raises(Unreachable, match=r"did not answer at its runtime socket .* within 0\.2 s"):
            RuntimeSocket(str(tmp_path / "s"), timeout=0.2).ask(["show info"])


def test_an_error_in_a_reply_is_an_error() -> None:
    """HAProxy's replies carry no status: its words are all there is. (Here the server vanishes on the way.)"""

    def vanished(line: str) -> str:
        return line.replace("set server web/green-1", "set server web/green-2")

    with Site() as site, Relay(site.directory / "relay.sock", site.haproxy.socket, vanished) as relay:
        driver = HaproxyServers({"socket": str(relay.path)})
        with pytest.raises(Refused, match=r"did not take all of `.*set server web/green-1 weight .*`: No such server"):
            driver.write(site.service, site.split(5.0))


def test_nobody_is_lowered_for_one_who_could_not_be_raised() -> None:
    """HAProxy goes on with a line after a command that failed; the control shows what would come of it."""

    def vanished(line: str) -> str:
        return line.replace("web/green-1 weight", "web/green-2 weight")

    with Site(servers={"green": "weight 0"}) as site:
        relay = Relay(site.directory / "relay.sock", site.haproxy.socket, vanished)
        driver = HaproxyServers({"socket": str(relay.path)})
        with relay, pytest.raises(Refused, match="No such server"):
            driver.write(site.service, site.split(100.0))
        assert site.weights() == {"blue-1": 1, "green-1": 0}

        site.haproxy.ask(vanished("set server web/green-1 weight 256;set server web/blue-1 weight 0"))
        assert site.share() == -1, "control: in one line both are at 0, and nobody answers"


def test_fewer_replies_than_orders_are_an_error() -> None:
    def first_only(line: str) -> str:
        return line.partition(";")[0] + "\n" if line.startswith("set ") else line

    with Site() as site, Relay(site.directory / "relay.sock", site.haproxy.socket, first_only) as relay:
        driver = HaproxyServers({"socket": str(relay.path)})
        with pytest.raises(Refused, match="1 replies to 2 commands"):
            driver.write(site.service, site.split(5.0))


def test_servers_without_check_are_reported() -> None:
    with Site(server="") as site:
        traffic = site.driver.read(site.service)
        assert {member.health for member in traffic.members} == {UNCHECKED}
        assert any(warning.startswith("blue-1, green-1: no `check`") for warning in traffic.warnings)


@pytest.mark.parametrize("health", [None, Health(path="/health", timeout=1.0)], ids=["tcp", "http"])
@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_a_dead_member_that_haproxy_does_not_check_is_found_by_the_agent(
    health: Health | None, protected: bool
) -> None:
    """The gate's own probe is what keeps traffic from it; without it requests fail."""
    addresses = {} if health else {"green-1": free_port()}
    with Site(backend="balance roundrobin\nretries 0", server="", health=health, addresses=addresses) as site:
        site.driver.write(site.service, site.split(0.0))
        if health:
            site.members["green-1"].behave(healthy=False, fail=1.0)
        client = Client(site.haproxy.url, rate=300).start()
        until(lambda: len(client.records) >= 20, "20 answers")
        order = Order(
            environment="test",
            name="web",
            event=lease.Place({"blue": 50.0, "green": 50.0}, by="a test"),
            at="2026-01-01T00:00:00Z",
            service=site.service,
            router=site.definition,
            even_if_sick=not protected,
        )
        store = Store(str(site.directory / "state"))
        if protected:
            with pytest.raises(
                Sick, match=r"green would get 50 %.*does not check its members and the agent found green-1"
            ):
                apply(store, site.driver, Gate(), order)
        else:
            apply(store, site.driver, Gate(), order)
        until(lambda: len(client.records) >= 100, "100 answers")
        result = client.stop()
    assert (result.failed == 0) is protected, result.kinds


@pytest.mark.parametrize(
    ("mode", "backend", "words", "said"),
    [
        ("tcp", "", "", "`mode tcp`: the share is of connections"),
        ("http", "cookie pool insert", "cookie c", "a cookie: who has one stays"),
        ("http", "", "slowstart 60s", "`slowstart`"),
    ],
    ids=["tcp", "cookie", "slowstart"],
)
def test_what_makes_a_share_less_exact_is_said(mode: str, backend: str, words: str, said: str) -> None:
    with Site(mode=mode, backend="balance roundrobin\n" + backend, servers={"green": words}) as site:
        if "slowstart" in words:  # it acts on servers that come up
            site.haproxy.ask("set server web/green-1 state maint")
            site.haproxy.ask("set server web/green-1 state ready")
        warnings = site.driver.read(site.service).warnings
        assert any(said in warning for warning in warnings), warnings
