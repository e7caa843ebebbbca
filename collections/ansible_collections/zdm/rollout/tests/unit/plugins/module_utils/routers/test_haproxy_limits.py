# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backend allows: one backend without fault, and what each fault makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _haproxy_limits as limits
from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_stat import Backend, Server
from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_weights import Weights
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Member, Service

SERVICE = Service(
    "web", "test", {"blue": (Member("blue", "10.0.0.1", 80),), "green": (Member("green", "10.0.0.1", 81),)}
)
SERVERS = {name: Server(name, weight=1, initial=1, status="UP") for name in ("blue", "green")}
GOOD = Backend("web", "http", "roundrobin", SERVERS)


def with_server(name: str, **fields: Any) -> Backend:
    """The good backend with one server changed or added."""
    known = SERVERS.get(name, Server(name, weight=1, initial=1, status="UP"))
    return replace(GOOD, servers={**SERVERS, name: replace(known, **fields)})


def obstacles(backend: Backend) -> list[str]:
    return limits.obstacles(Weights(backend, SERVICE), SERVICE)


def warnings(backend: Backend) -> list[str]:
    return limits.warnings(Weights(backend, SERVICE))


def test_nothing_is_said_of_a_good_backend() -> None:
    assert obstacles(GOOD) == warnings(GOOD) == []


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        (replace(GOOD, algorithm="static-rr"), "it balances by `static-rr`"),
        (replace(GOOD, algorithm="source"), "it balances by `source`"),
        (replace(GOOD, algorithm="uri"), "use `balance roundrobin`"),
        (replace(GOOD, servers={"blue": SERVERS["blue"]}), "it has no server green (there are blue)"),
        (replace(GOOD, servers={}), "it has no server blue, green (there are none)"),
        (with_server("green", backup=True), "green is marked `backup`"),
        (with_server("red"), "red takes traffic outside of the split"),
        (with_server("red", status="DOWN"), "red takes traffic outside of the split"),
    ],
)
def test_an_obstacle_says_what_and_the_way_out(backend: Backend, said: str) -> None:
    (obstacle,) = obstacles(backend)
    assert said in obstacle
    assert ":" in obstacle


@pytest.mark.parametrize("fields", [{"weight": 0}, {"status": "MAINT"}, {"status": "DRAIN"}, {"backup": True}], ids=str)
def test_a_stranger_that_takes_nothing_is_no_obstacle(fields: dict[str, Any]) -> None:
    backend = with_server("red", **fields)
    assert obstacles(backend) == []
    assert warnings(backend) == ["red: in no pool of the service, and take nothing: left alone"]


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        (replace(GOOD, algorithm="leastconn"), "`balance leastconn`"),
        (replace(GOOD, algorithm="random"), "`balance random`"),
        (replace(GOOD, algorithm="unknown"), "`balance random`"),
        (replace(GOOD, mode="tcp"), "`mode tcp`: the share is of connections"),
        (with_server("green", status="no check"), "green: no `check`"),
        (with_server("green", cookie="g"), "green: a cookie"),
        (with_server("green", agent=True), "green: `agent-check`"),
        (with_server("green", throttle="30%"), "green: `slowstart`"),
    ],
)
def test_what_makes_a_share_less_exact_is_a_warning_and_no_obstacle(backend: Backend, said: str) -> None:
    (warning,) = warnings(backend)
    assert said in warning
    assert obstacles(backend) == []


def test_the_promises_name_the_split_that_a_reload_brings_back() -> None:
    backend = replace(GOOD, servers={**SERVERS, "blue": Server("blue", weight=5, initial=3, status="UP")})
    promises = limits.promises(Weights(backend, SERVICE))
    assert "(blue 75 %, green 25 %)" in promises[0]
    assert any("each request is divided anew" in promise for promise in promises)
    tcp = limits.promises(Weights(replace(GOOD, mode="tcp"), SERVICE))
    assert any("each connection is divided anew" in promise for promise in tcp)
