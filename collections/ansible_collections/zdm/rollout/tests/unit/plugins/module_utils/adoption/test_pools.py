# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two obvious groups are found, and nothing is guessed where there are none."""

from __future__ import annotations

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.adoption.description import FoundServer
from ansible_collections.zdm.rollout.plugins.module_utils.adoption.pools import Groups, Undecided, group

from .backends import TWO_PORTS, backend, server


def grouped(*servers: FoundServer) -> Groups:
    found = group(backend(*servers))
    assert isinstance(found, Groups), found
    return found


def undecided(*servers: FoundServer) -> str:
    found = group(backend(*servers))
    assert isinstance(found, Undecided), found
    return "\n".join(found.reasons)


def names(found: Groups) -> dict[str, list[str]]:
    return {pool: [each.name for each in servers] for pool, servers in found.pools.items()}


@pytest.mark.parametrize(
    ("servers", "by", "pools", "initial"),
    [
        (TWO_PORTS, "words blue", {"blue": ["vm1-blue", "vm2-blue"], "green": ["vm1-green", "vm2-green"]}, "blue"),
        (
            (server("Blue1", "10.0.0.1:80", 0), server("GREEN1", "10.0.0.2:80", 5)),
            "words blue",
            {"blue": ["Blue1"], "green": ["GREEN1"]},
            "green",
        ),
        (
            (server("web-a-1", "10.0.0.1:80", 9), server("web-b-1", "10.0.0.2:80", 0)),
            "words a and b",
            {"a": ["web-a-1"], "b": ["web-b-1"]},
            "a",
        ),
        (
            (server("s1", "10.0.0.1:8081", 0), server("s2", "10.0.0.1:8082", 1), server("s3", "10.0.0.2:8082", 1)),
            "ports 8081 and 8082",
            {"blue": ["s1"], "green": ["s2", "s3"]},
            "green",
        ),
        (
            (server("s1", "10.0.0.1:80", 10), server("s2", "10.0.0.2:80", 0)),
            "weight 0 of s2",
            {"blue": ["s1"], "green": ["s2"]},
            "blue",
        ),
    ],
)
def test_what_tells_two_groups_apart(
    servers: tuple[FoundServer, ...], by: str, pools: dict[str, list[str]], initial: str
) -> None:
    found = grouped(*servers)
    assert by in found.by
    assert (names(found), found.initial, found.open) == (pools, initial, ())


def test_names_say_more_than_weights() -> None:
    found = grouped(
        server("blue1", "10.0.0.1:80", 9), server("blue2", "10.0.0.2:80", 0), server("green1", "10.0.0.3:80")
    )
    assert names(found)["blue"] == ["blue1", "blue2"]


def test_both_pools_with_traffic_is_something_to_make_sure_of() -> None:
    found = grouped(*(server(each.name, each.endpoint, 1) for each in TWO_PORTS))
    assert found.initial == "blue"
    assert "both pools take traffic now (blue 50 %, green 50 %)" in found.open[0]
    assert "its 2 servers have to carry it alone" in found.open[1]


def test_backups_and_servers_at_rest_are_left_alone() -> None:
    resting = server("spare", "10.0.0.8:8081", resting=True, health="down", status="MAINT")
    backup = server("sorry", "10.0.0.9:9000", backup=True)
    found = grouped(*TWO_PORTS, resting, backup)
    assert found.alone == ("spare", "sorry")
    assert "spare" not in str(names(found))


@pytest.mark.parametrize(
    ("servers", "said"),
    [
        ((server("s1", "10.0.0.1:80"), server("s2", "10.0.0.2:80")), "server s1-green 10.0.0.1:81 check weight 0"),
        ((server("s1", "10.0.0.1:80"), server("s2", "10.0.0.2:80")), "such as s2: give these `weight 0`"),
        ((server("s1", "10.0.0.1:65535"),), "10.0.0.1:65534 check weight 0"),
        ((server("blue", "10.0.0.1:80"), server("green", "10.0.0.1:80", 0)), "blue and green are the same server"),
        (
            (server("blue1", "10.0.0.1:80"), server("blue2", "10.0.0.2:81"), server("green", "10.0.0.3:82")),
            "blue would have the ports 80 and 81",
        ),
        ((server("blue", "10.0.0.1:80"), server("x", ":0")), "x takes traffic and has no address and port"),
        ((server("x", ":0", 0),), "no server of backend web has an address"),
    ],
)
def test_what_has_to_be_decided_is_said(servers: tuple[FoundServer, ...], said: str) -> None:
    assert said in undecided(*servers)
