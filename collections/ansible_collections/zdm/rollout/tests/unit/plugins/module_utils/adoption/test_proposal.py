# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is proposed is read by zdm's own reader, and means the servers that are there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils.adoption.description import Found, FoundBackend
from ansible_collections.zdm.rollout.plugins.module_utils.adoption.hosts import Inventory
from ansible_collections.zdm.rollout.plugins.module_utils.adoption.proposal import Proposal, flow, propose
from ansible_collections.zdm.rollout.plugins.plugin_utils._request import Request, read_request

from .backends import TWO_PORTS, backend, found, server


def proposed(*backends: FoundBackend, inventory: Inventory = Inventory(), **words: Any) -> Proposal:  # noqa: B008
    return propose({"lb1": found(*backends, **words)}, backends[0].name, {}, inventory)


def pasted(proposal: Proposal, tmp_path: Path, known: Inventory = Inventory()) -> Request:  # noqa: B008
    """The lines read as zdm reads them, beside an inventory."""
    tree = yaml.safe_load(proposal.inventory)["all"]["children"]
    groups: dict[str, list[str]] = {name: list(hosts) for name, hosts in known.groups.items()}
    hosts: dict[str, dict[str, Any]] = {name: {"ansible_host": address} for name, address in known.hosts.items()}
    for name, written in tree.items():
        groups[name] = list(written["hosts"])
        for host, variables in written["hosts"].items():
            hosts.setdefault(host, {}).update({**written.get("vars", {}), **variables})
    path = tmp_path / "web.yml"
    path.write_text(proposal.spec, encoding="utf-8")
    return read_request(str(path), "", groups, hosts)


MANY = tuple(
    server("s%d-%s" % (n, pool), "10.0.0.%d:%d" % (n, port))
    for n in (1, 2, 3, 4)
    for pool, port in (("blue", 81), ("green", 82))
)
BACKENDS = {
    "two ports": backend(*TWO_PORTS),
    "weights 1": backend(*MANY),
    "one each": backend(server("blue", "10.0.0.1:81", 256), server("green", "10.0.0.1:82", 1)),
    "words that YAML reads otherwise": backend(server("on", "10.0.0.1:81"), server("1e3", "10.0.0.1:82", 0), name="no"),
    "addresses": backend(server("10.0.0.1:81", "10.0.0.1:81"), server("10.0.0.1:82", "10.0.0.1:82")),
    "v6": backend(server("blue", "2001:db8::1:81"), server("green", "2001:db8::1:82")),
    "no path": backend(*TWO_PORTS, path="", check=""),
    "all of a check": backend(*(replace(each, check_port=9000) for each in TWO_PORTS), expect=204),
    "a name of dots": backend(*TWO_PORTS, name="web.v2:8080"),
    "one against sixty": backend(
        server("blue1", "10.0.0.1:81"), *(server("green%d" % n, "10.0.1.%d:82" % n) for n in range(60))
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BACKENDS)
def test_zdm_reads_it_and_means_these_servers(case: str, tmp_path: Path) -> None:
    there = BACKENDS[case]
    request = pasted(proposed(there), tmp_path)
    service = request.fleet.service_for("lb1", request.spec)
    members = {(each.name, each.address, each.port) for pool in service.pools.values() for each in pool}
    assert members == {(each.name, each.address, each.port) for each in there.servers}
    assert service.options == {"backend": there.name}
    assert request.fleet.routers["lb1"]["socket"] == "/run/haproxy/admin.sock"
    assert request.spec.initial in service.pools


def test_health_is_what_haproxy_asks(tmp_path: Path) -> None:
    health = pasted(proposed(BACKENDS["all of a check"]), tmp_path).spec.health
    assert health is not None
    assert (health.path, health.port, health.expect) == ("/health", 9000, 204)
    assert pasted(proposed(BACKENDS["no path"]), tmp_path).spec.health is None
    assert "`health`" in proposed(BACKENDS["no path"]).open[0]


def test_a_health_that_zdm_could_not_ask_for_is_not_proposed(tmp_path: Path) -> None:
    tls = backend(*(replace(each, wraps="TLS", check_port=443) for each in TWO_PORTS))
    assert pasted(proposed(tls), tmp_path).spec.health is None
    assert "names a host; zdm asks members by their address" in proposed(backend(*TWO_PORTS, vhost=True)).open[0]


def test_the_steps_are_those_that_the_servers_can_hold(tmp_path: Path) -> None:
    def steps(case: str) -> list[float]:
        return [step.weight for step in pasted(proposed(BACKENDS[case]), tmp_path).spec.steps]

    assert steps("two ports") == [5, 15, 45, 100]
    assert steps("one against sixty") == [25, 50, 100]
    assert "smallest share that can be held is 0.4 %" in proposed(BACKENDS["one each"]).shares


def test_hosts_and_groups_of_the_inventory_are_used(tmp_path: Path) -> None:
    known = Inventory({"vm1": "10.0.0.1", "vm2": "10.0.0.2"}, {"app": ["vm1", "vm2"], "edge": ["lb1"]})
    proposal = proposed(backend(*TWO_PORTS), inventory=known)
    assert list(yaml.safe_load(proposal.inventory)["all"]["children"]) == ["edge"]
    request = pasted(proposal, tmp_path, known)
    assert request.spec.routers == "edge"
    assert [known.host for known in request.fleet.pools["blue"]] == ["vm1", "vm2"]


def test_a_log_that_zdm_can_read_and_what_was_given_go_along() -> None:
    routers = {"lb1": found(backend(*TWO_PORTS), log={"ring": "lb"}), "lb2": found(backend(*TWO_PORTS))}
    given = {"lb1": {"socket": "/other", "state": "/srv/zdm", "services": {"api": {"backend": "api"}}}}
    hosts = yaml.safe_load(propose(routers, "web", given, Inventory()).inventory)["all"]["children"]["loadbalancers"]
    assert hosts["hosts"]["lb1"]["zdm_router"] == {
        "type": "haproxy",
        "mode": "servers",
        "socket": "/run/haproxy/admin.sock",
        "log": {"ring": "lb"},
        "state": "/srv/zdm",
        "services": {"api": {"backend": "api"}, "web": {"backend": "web"}},
    }
    assert "log" not in hosts["hosts"]["lb2"]["zdm_router"]
    assert "vars" not in hosts


def test_routers_that_differ_are_named() -> None:
    other = (*TWO_PORTS[:3], server("vm2-green", "10.0.0.2:9999", 0))
    routers: dict[str, Found] = {
        "lb1": found(backend(*TWO_PORTS)),
        "lb2": found(backend(*other)),
        "lb3": found(backend(name="x")),
    }
    open_ = propose(routers, "web", {}, Inventory()).open
    assert open_ == (
        "lb3 has no backend web: leave it out of the group of routers, or add the backend",
        "server vm2-green is not the same on all routers (lb1: 10.0.0.2:8082, lb2: 10.0.0.2:9999)",
    )


def test_where_there_is_too_much_to_decide_nothing_is_proposed() -> None:
    proposal = proposed(backend(server("s1", "10.0.0.1:80"), server("s2", "10.0.0.2:80")))
    assert (proposal.inventory, proposal.spec) == ("", "")
    assert proposal.open
    named = proposed(backend(server("a:1", "10.0.0.1:81"), server("a:2", "10.0.0.2:81"), server("a:3", "10.0.0.3:82")))
    assert not named.spec
    assert "cannot be those of hosts" in named.open[0]


_TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


@given(st.recursive(_TEXT | st.integers(0, 9) | st.booleans(), lambda inner: st.dictionaries(_TEXT, inner, max_size=3)))
def test_what_is_written_is_read_back(value: Any) -> None:
    assert yaml.safe_load(flow(value)) == value


def test_two_backends_that_are_two_pools_are_named() -> None:
    def one(name: str) -> FoundBackend:
        return backend(server("s-" + name, "10.0.0.1:80"), name=name)

    for pair in (("web-blue", "web-green"), ("web-green", "web-blue"), ("api_a", "api_b")):
        assert "backends %s and %s look like two pools" % pair in proposed(*map(one, pair)).open[0]
    assert "look like" not in str(proposed(one("web"), one("webs"), one("blue")).open)
