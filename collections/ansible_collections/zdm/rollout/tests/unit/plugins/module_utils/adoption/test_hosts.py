# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How servers become hosts of an inventory, from the nicest way on."""

from __future__ import annotations

from typing import Optional

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.adoption.description import FoundServer
from ansible_collections.zdm.rollout.plugins.module_utils.adoption.hosts import Hosts, Inventory, name
from ansible_collections.zdm.rollout.plugins.module_utils.adoption.pools import Groups, group

from .backends import TWO_PORTS, backend, server


def named(*servers: FoundServer, inventory: Optional[Inventory] = None) -> Optional[Hosts]:
    groups = group(backend(*servers))
    assert isinstance(groups, Groups), groups
    return name("web", groups.pools, inventory or Inventory())


def test_what_is_left_of_a_name_without_the_pool_is_the_host() -> None:
    assert named(*TWO_PORTS) == Hosts(
        servers={"blue": "{host}-blue", "green": "{host}-green"},
        groups={"blue": "web", "green": "web"},
        new={"web": {"vm1": "10.0.0.1", "vm2": "10.0.0.2"}},
    )


def test_the_inventory_knows_the_hosts_and_their_group() -> None:
    inventory = Inventory({"vm1": "10.0.0.1", "vm2": "10.0.0.2"}, {"all": ["vm1", "vm2"], "app": ["vm1", "vm2"]})
    assert named(*TWO_PORTS, inventory=inventory) == Hosts(
        servers={"blue": "{host}-blue", "green": "{host}-green"}, groups={"blue": "app", "green": "app"}, new={}
    )


def test_a_group_that_means_others_is_not_taken() -> None:
    inventory = Inventory({"vm1": "10.0.0.1", "vm2": "10.0.0.2", "vm9": "10.0.0.9"}, {"web": ["vm9"]})
    hosts = named(*TWO_PORTS, inventory=inventory)
    assert hosts
    assert hosts.new == {"web_members": {"vm1": "", "vm2": ""}}


@pytest.mark.parametrize(
    ("servers", "patterns", "hosts"),
    [
        (
            (server("10.0.0.1:8081", "10.0.0.1:8081"), server("10.0.0.1:8082", "10.0.0.1:8082", 0)),
            {"blue": "{host}:8081", "green": "{host}:8082"},
            {"web": {"10.0.0.1": "10.0.0.1"}},
        ),
        (
            (server("s1", "10.0.0.1:81"), server("s2", "10.0.0.2:81"), server("s3", "10.0.0.1:82", 0)),
            {"blue": "{host}", "green": "{host}"},
            {"web_blue": {"s1": "10.0.0.1", "s2": "10.0.0.2"}, "web_green": {"s3": "10.0.0.1"}},
        ),
        (
            (server("blue", "10.0.0.1:81"), server("green", "10.0.0.1:82", 0)),
            {"blue": "blue", "green": "green"},
            {"web": {"10.0.0.1": "10.0.0.1"}},
        ),
        (
            (server("blue1", "10.0.0.1:81"), server("blue2", "10.0.0.1:81"), server("green1", "10.0.0.2:81", 0)),
            None,
            None,
        ),
    ],
    ids=["addresses", "names", "one each", "the same server twice"],
)
def test_the_ways(
    servers: tuple[FoundServer, ...], patterns: Optional[dict[str, str]], hosts: Optional[dict[str, dict[str, str]]]
) -> None:
    if patterns is None:
        assert not isinstance(group(backend(*servers)), Groups)
        return
    found = named(*servers)
    assert found
    assert (found.servers, found.new) == (patterns, hosts)


def test_names_that_no_host_can_have() -> None:
    assert named(server("a:1", "10.0.0.1:81"), server("a:2", "10.0.0.2:81"), server("a:3", "10.0.0.3:82", 0)) is None
