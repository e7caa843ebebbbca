# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet that the inventory gives a spec: who the routers are, and each member's name and address."""

from __future__ import annotations

import json

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Health, Member
from ansible_collections.zdm.rollout.plugins.plugin_utils import _spec_keys
from ansible_collections.zdm.rollout.plugins.plugin_utils._fleet import Fleet, resolve
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._spec import parse

from .example import example, fleet_of


def test_members_have_the_address_that_is_nearest_to_the_pool() -> None:
    """zdm_address before ansible_host before the host's name."""
    varied = example({"groups.web": ["w1", "w2", "w3"], "hostvars.w1.ansible_host": "192.0.2.1"})
    fleet = fleet_of(varied, parse(varied["spec"]))
    assert [known.member for known in fleet.pools["green"]] == [
        Member("w1-green", "10.0.0.1", 8082),
        Member("w2-green", "10.0.0.2", 8082),
        Member("w3-green", "w3", 8082),
    ]
    assert [known.host for known in fleet.pools["green"]] == ["w1", "w2", "w3"]


def test_a_server_may_be_named_by_its_pool_too() -> None:
    varied = example({"spec.pools.blue.server": "{pool}.{host}"})
    fleet = fleet_of(varied, parse(varied["spec"]))
    assert [known.member.name for known in fleet.pools["blue"]] == ["blue.w1", "blue.w2"]


def test_each_router_knows_the_service_by_its_own_options() -> None:
    varied = example()
    spec = parse(varied["spec"])
    fleet = fleet_of(varied, spec)
    haproxy, envoy = fleet.service_for("p1", spec), fleet.service_for("p2", spec)
    assert (haproxy.options, envoy.options) == ({"backend": "web"}, {})
    assert haproxy.pools == envoy.pools
    assert haproxy.health == Health("/health")


def test_an_ignored_router_is_out_with_its_reason_and_needs_no_definition() -> None:
    varied = example({"spec.routers_ignore": [{"router": "p2", "reason": "being replaced"}]}, ("hostvars.p2",))
    fleet = fleet_of(varied, parse(varied["spec"]))
    assert list(fleet.routers) == ["p1"]
    assert fleet.ignored == {"p2": "being replaced"}


def test_a_fleet_survives_json() -> None:
    varied = example()
    fleet = fleet_of(varied, parse(varied["spec"]))
    assert Fleet.from_json(json.loads(json.dumps(fleet.to_json()))) == fleet


@pytest.mark.parametrize("kind", _spec_keys.ROUTER_TYPES.not_yet)
def test_a_router_whose_time_has_not_come_is_refused_as_such(kind: str) -> None:
    varied = example({"hostvars.p1.zdm_router": {"type": kind}})
    with pytest.raises(
        SpecError, match=f'p1.zdm_router.type: "{kind}", expected envoy or haproxy or nginx; .* is not yet in zdm'
    ):
        fleet_of(varied, parse(varied["spec"]))


def test_all_that_is_wrong_with_an_inventory_comes_at_once() -> None:
    varied = example({"hostvars.p1.zdm_router.mode": "map", "hostvars.w1.zdm_address": ""}, ("hostvars.p2.zdm_router",))
    varied["hostvars"]["w1"]["ansible_host"] = 10
    with pytest.raises(SpecError) as refusal:
        resolve(parse(varied["spec"]), varied["groups"], varied["hostvars"])
    assert sorted((problem.rule, problem.key) for problem in refusal.value.problems) == [
        ("fleet.address", "w1.zdm_address"),
        ("fleet.no_router", "p2.zdm_router"),
        ("value.choice", "p1.zdm_router.mode"),
    ]


MANAGED = {
    "type": "haproxy",
    "mode": "managed",
    "config": "/etc/zdm/haproxy",
    "master": "/run/zdm-haproxy/master.sock",
    "binary": "haproxy",
    "services": {
        "web": {"listen": "0.0.0.0:80", "tls": {"certificate": "/web.pem"}, "timeouts": {}, "log": "/dev/log"}
    },
}


def test_a_managed_haproxy_says_how_long_tries_take_and_has_keys_of_its_own() -> None:
    latency = {"signal": "router", "of": "latency", "compare": "stable"}
    varied = example({"hostvars.p1.zdm_router": MANAGED, "spec.checks.pace": latency})
    assert fleet_of(varied, parse(varied["spec"])).routers["p1"] == MANAGED


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("admin", "admin only with type: envoy"),
        ("log", "log only with type: haproxy, mode: servers"),
        ("config", "config only with type: envoy or haproxy, mode: managed"),
    ],
)
def test_keys_of_another_mode_are_refused(key: str, said: str) -> None:
    router = {"type": "haproxy", "mode": "servers"} if key == "config" else MANAGED
    value = {"ring": "lb"} if key == "log" else "/x"
    varied = example({"hostvars.p1.zdm_router": {**router, key: value}})
    with pytest.raises(SpecError, match=said):
        fleet_of(varied, parse(varied["spec"]))
