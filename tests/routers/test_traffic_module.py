# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules `traffic` and `traffic_info` as Ansible runs them, on a real HAProxy and on a real Envoy.

That nothing was changed is shown from outside: by what passed on HAProxy's socket, and by Envoy's files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Store
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Health, Service
from demo.client import Client
from tests.support import envoy, haproxy
from tests.support.conversation import Conversation
from tests.support.modules import Answer, run_module
from tests.support.relay import Relay
from tests.support.wait import until

SPLIT = {"blue": 70, "green": 30}


class Router(Protocol):
    """A router with the service web, all traffic at blue."""

    service: Service
    definition: dict[str, Any]
    url: str

    def touched(self) -> object:
        """Something that differs as soon as anybody has changed anything at the proxy."""

    def share(self) -> float:
        """Green's share in percent, read by the test itself."""


class Haproxy:
    def __init__(self, site: haproxy.Site, relay: Relay) -> None:
        self._site, self._relay = site, relay
        self.service = site.service
        self.definition = {**site.definition, "socket": str(relay.path)}
        self.url = site.haproxy.url

    def touched(self) -> object:
        return list(self._relay.orders)

    def share(self) -> float:
        return self._site.share()


class Envoy:
    def __init__(self, site: envoy.Site, state: Path) -> None:
        self._envoy = site.envoy
        self.service = site.services["web"]
        self.definition = {**site.envoy.definition, "state": str(state)}
        self.url = site.envoy.url("web")

    def touched(self) -> object:
        return self._envoy.files()

    def share(self) -> float:
        weights = self._envoy.weights("web")
        return 100.0 * weights["web-green"] / sum(weights.values())


@pytest.fixture(params=["haproxy", "envoy"])
def router(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Router]:
    if request.param == "haproxy":
        words = {"blue": "weight 100", "green": "weight 0"}
        with (
            haproxy.Site(servers=words, health=Health("/health")) as running,
            Relay(running.directory / "relay.sock", running.haproxy.socket) as relay,
        ):
            yield Haproxy(running, relay)
    else:
        with envoy.Site(tmp_path / "site") as site:
            site.start()
            yield Envoy(site, tmp_path / "state")


@pytest.fixture
def run(router: Router, tmp_path: Path) -> Any:
    def module(name: str, *flags: str, **arguments: Any) -> Answer:
        given = {"router": router.definition, "service": router.service.to_json(), **arguments}
        return run_module(name, given, tmp_path / "home", *flags)

    return module


def records(router: Router) -> list[str]:
    return [record.name for record in Store.of(router.definition).all()]


def test_check_mode_shows_what_a_run_then_does_once(router: Router, run: Any) -> None:
    untouched = router.touched()
    checked = run("traffic", "--check", "--diff", split=SPLIT, by="a test")
    assert checked.changed
    assert checked.result["actions"]
    for action in checked.result["actions"]:
        assert "--- before: %s" % action["thing"] in checked.output
    assert "\n-" in checked.output.partition("--- before")[2]
    assert (router.touched(), router.share(), records(router)) == (untouched, 0, [])

    done = run("traffic", split=SPLIT, by="a test")
    assert done.changed
    assert done.result["actions"] == checked.result["actions"]
    assert router.touched() != untouched, "control: a change is seen"
    assert router.share() == pytest.approx(30, abs=0.5)
    assert done.result["traffic"]["split"]["green"] == pytest.approx(router.share(), abs=0.01)

    touched = router.touched()
    again = run("traffic", split=SPLIT, by="a test")
    assert not again.changed
    assert again.result["actions"] == []
    assert router.touched() == touched
    assert records(router) == ["web"]


def test_a_pool_that_is_none_is_refused(router: Router, run: Any) -> None:
    untouched = router.touched()
    refusal = run("traffic", split={"blue": 70, "gren": 30}).refusal
    assert refusal == "split names pool 'gren': expected blue and green"
    assert (router.touched(), router.share(), records(router)) == (untouched, 0, [])


def test_a_rollout_that_lives_is_not_disturbed(router: Router, run: Any) -> None:
    """Any other split is refused by the owner's name with the command that ends it; the one in force is no change."""
    rollout = Conversation(router.definition, router.service)
    rollout.arm({"blue": 75.0, "green": 25.0})
    touched = router.touched()

    refusal = run("traffic", split=SPLIT).refusal
    assert "run r1 of ann@ci holds the lease" in refusal
    assert "'zdm-agent revert'" in refusal
    same = run("traffic", split={"blue": 75, "green": 25})
    assert not same.changed
    assert router.touched() == touched
    assert router.share() == pytest.approx(25, abs=0.5)

    rollout.revert()
    assert router.share() == 0


def test_traffic_info_tells_what_is_in_force_and_changes_nothing(router: Router, run: Any) -> None:
    untouched = router.touched()
    told = run("traffic_info")
    assert not told.changed
    assert told.result["record"] == {}
    assert told.result["traffic"]["split"] == {"blue": 100.0, "green": 0.0}
    members = {member["name"]: member for member in told.result["traffic"]["members"]}
    assert {name: (member["pool"], member["health"]) for name, member in members.items()} == {
        member.name: (pool, "up") for pool, known in router.service.pools.items() for member in known
    }
    assert (router.touched(), records(router)) == (untouched, [])


def test_the_rate_is_counted_when_it_is_asked_for(router: Router, run: Any) -> None:
    assert "rate" not in run("traffic_info").result
    client = Client(router.url, rate=50, connections=2)
    client.start()
    try:
        until(lambda: client.result.requests > 20, "some traffic")
        rate = run("traffic_info", rate_over=2).result["rate"]
    finally:
        client.stop()
    assert rate["blue"]["requests"] == pytest.approx(50, rel=0.5)
    assert rate["blue"]["failures"] == 0
    assert rate["green"] == {"requests": 0, "failures": 0}


@pytest.mark.parametrize("seconds", [-1, 61])
def test_a_rate_over_a_time_that_is_none_is_refused(router: Router, run: Any, seconds: float) -> None:
    assert "expected seconds from 0 to 60" in run("traffic_info", rate_over=seconds).refusal


def test_a_proxy_that_does_not_answer_is_named(router: Router, run: Any) -> None:
    wrong = {"socket": "/nonexistent/s", "config": "/nonexistent", "admin": "/nonexistent/s"}
    refusal = run("traffic_info", router={**router.definition, **wrong}).refusal
    assert "/nonexistent/s" in refusal
