# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Envoy's answers mean: health by its flags, counters by tries, splits that are not ours."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _envoy_state as state
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import (
    DOWN,
    UNCHECKED,
    UP,
    Counters,
    Member,
    Service,
)

WEB = Service(
    "web",
    "production",
    {"blue": (Member("w1-blue", "10.0.0.1", 8081),), "green": (Member("w1-green", "10.0.0.1", 8082),)},
)
CHECKED: dict[str, dict[str, Any]] = {"web-blue": {"health_checks": [{}]}, "web-green": {"health_checks": [{}]}}


def host(
    port: int, name: str = "", health: dict[str, Any] | None = None, stats: dict[str, int] | None = None
) -> dict[str, Any]:
    """As /clusters?format=json shows a host; it leaves out what is 0, false or empty."""
    shown: dict[str, Any] = {
        "address": {"socket_address": {"address": "10.0.0.1", "port_value": port}},
        "health_status": health if health is not None else {"eds_health_status": "HEALTHY"},
        "stats": [{"name": key, **({"value": str(value)} if value else {})} for key, value in (stats or {}).items()],
    }
    return {**shown, "hostname": name} if name else shown


@pytest.mark.parametrize(
    ("health", "checked", "found"),
    [
        ({"eds_health_status": "HEALTHY"}, True, UP),
        ({"eds_health_status": "HEALTHY"}, False, UNCHECKED),
        ({}, True, UP),
        ({"eds_health_status": "HEALTHY", "failed_active_health_check": True}, True, DOWN),
        ({"eds_health_status": "HEALTHY", "failed_outlier_check": True}, False, DOWN),
        ({"eds_health_status": "HEALTHY", "pending_active_hc": True}, True, DOWN),
        ({"eds_health_status": "DRAINING"}, True, DOWN),
        ({"eds_health_status": "UNHEALTHY"}, False, DOWN),
    ],
)
def test_a_member_is_what_its_flags_say(health: dict[str, Any], checked: bool, found: str) -> None:
    hosts: state.Hosts = {"web-blue": [host(8081, "w1-blue", health)]}
    traffic = state.traffic(WEB, {"web-blue": 10000}, CHECKED if checked else {}, hosts)
    assert [member.health for member in traffic.members] == [found]


@pytest.mark.parametrize(
    ("weights", "split", "held"),
    [
        ({"web-blue": 9500, "web-green": 500}, {"blue": 95.0, "green": 5.0}, True),
        ({"web-blue": 3, "web-green": 1}, {"blue": 75.0, "green": 25.0}, True),
        ({"web-blue": 5000, "old": 5000}, {"blue": 50.0, "green": 0.0, "old": 50.0}, True),
        ({"web-blue": 10000, "old": 0}, {"blue": 100.0, "green": 0.0}, True),
        ({"web-blue": 0, "web-green": 0}, {"blue": 0.0, "green": 0.0}, False),
        ({}, {"blue": 0.0, "green": 0.0}, False),
    ],
)
def test_the_split_is_the_share_of_the_weights(weights: dict[str, int], split: dict[str, float], held: bool) -> None:
    traffic = state.traffic(WEB, weights, CHECKED, {})
    assert (traffic.split, traffic.held) == (split, held)


@pytest.mark.parametrize(
    ("shown", "name"), [(host(8081, "told"), "told"), (host(8081), "w1-blue"), (host(99), "10.0.0.1:99")]
)
def test_a_host_is_called_as_envoy_or_the_service_calls_it(shown: dict[str, Any], name: str) -> None:
    assert state.host_name(WEB, "blue", shown) == name


@pytest.mark.parametrize(
    ("stats", "counted"),
    [
        ({"rq_total": 52, "rq_success": 50, "rq_error": 0}, Counters(50, 0, {"timeout": 0, "connect": 0})),
        ({"rq_total": 50, "rq_success": 0, "rq_error": 50}, Counters(50, 50, {"timeout": 0, "connect": 0})),
        (
            {"rq_total": 16, "rq_error": 16, "rq_timeout": 16, "rq_success": 0},
            Counters(16, 16, {"timeout": 16, "connect": 0}),
        ),
        (
            {"rq_total": 0, "rq_error": 50, "cx_connect_fail": 50, "rq_success": 0},
            Counters(50, 50, {"timeout": 0, "connect": 50}),
        ),
        ({"rq_error": 5, "rq_timeout": 4, "cx_connect_fail": 9}, Counters(5, 5, {"timeout": 4, "connect": 1})),
    ],
    ids=["two in flight", "answers 503", "time-outs", "refused", "never more kinds than failures"],
)
def test_tries_that_ended_are_counted_and_every_failed_one(stats: dict[str, int], counted: Counters) -> None:
    assert state.counters(WEB, {"web-blue": [host(8081, "w1-blue", stats=stats)]}) == {"w1-blue": counted}
