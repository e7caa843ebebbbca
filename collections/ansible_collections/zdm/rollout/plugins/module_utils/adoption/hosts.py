# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the servers of a proxy are hosts of an inventory: a pool's group, and the pattern of its servers' names.

Rules of this room: pure. A pool is written as ``{group, port, server: "{host}-blue"}``; so every server's name has to
follow from its host by one pattern a pool. The ways to read the names so are tried from the nicest on; the last one
takes each server for a host of its own, which always does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from .description import FoundServer
from .pools import Pools

HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")

#: The pattern of a pool's servers, and each host's address.
Named = Tuple[str, Dict[str, str]]
Way = Callable[[str, Sequence[FoundServer], Mapping[str, str]], Optional[Named]]


@dataclass(frozen=True)
class Inventory:
    """What is in the inventory already: ``hosts`` with their address, ``groups`` with their hosts."""

    hosts: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Hosts:
    """``servers``, ``groups``: the pattern and the group of each pool. ``new``: the groups that have to be written,
    each with its hosts and, where the inventory does not have it, their address."""

    servers: Mapping[str, str]
    groups: Mapping[str, str]
    new: Mapping[str, Mapping[str, str]]


def name(service: str, pools: Pools, inventory: Inventory, named: bool = True) -> Optional[Hosts]:
    """Hosts for the servers of ``pools``; None where their names cannot be those of hosts. Where servers have no names
    at the proxy (not ``named``) any will do."""
    at = {address: host for host, address in inventory.hosts.items()}
    for way in WAYS if named else (_freely,):
        found = {pool: way(pool, servers, at) for pool, servers in pools.items()}
        known = {pool: each for pool, each in found.items() if each is not None}
        if len(known) == len(pools) and _agree([hosts for dummy, hosts in known.values()]):
            return _grouped(service, known, inventory)
    return None


def _agree(pools: List[Dict[str, str]]) -> bool:
    """Whether a host has the same address in all of them."""
    addresses: Dict[str, str] = {}
    return all(addresses.setdefault(host, address) == address for hosts in pools for host, address in hosts.items())


def _grouped(service: str, named: Mapping[str, Named], inventory: Inventory) -> Hosts:
    base = re.sub(r"\W", "_", service)
    shared = len({frozenset(hosts) for dummy, hosts in named.values()}) == 1
    groups: Dict[str, str] = {}
    new: Dict[str, Dict[str, str]] = {}
    for pool, (_pattern, hosts) in named.items():
        there = [group for group, known in inventory.groups.items() if group != "all" and set(known) == set(hosts)]
        wanted = base if shared else "%s_%s" % (base, re.sub(r"\W", "_", pool))
        if there:
            wanted = wanted if wanted in there else sorted(there)[0]
        else:
            while wanted in inventory.groups or wanted in inventory.hosts:
                wanted += "_members"
            new[wanted] = {host: "" if host in inventory.hosts else address for host, address in hosts.items()}
        groups[pool] = wanted
    return Hosts({pool: pattern for pool, (pattern, dummy) in named.items()}, groups, new)


def _by_inventory(_pool: str, servers: Sequence[FoundServer], at: Mapping[str, str]) -> Optional[Named]:
    """The hosts that the inventory has at these addresses."""
    hosts = [at.get(server.address, "") for server in servers]
    return _patterned(servers, hosts) if all(hosts) else None


def _by_word(pool: str, servers: Sequence[FoundServer], _at: Mapping[str, str]) -> Optional[Named]:
    """``vm1-blue``, ``blue_vm1``: what is left of the name without the pool's is the host."""
    hosts = []
    for server in servers:
        left = re.fullmatch(r"(?i)(?:%s[-_.]?(\D.*)|(.*?)[-_.]?%s)" % (pool, pool), server.name)
        hosts.append((left.group(1) or left.group(2) or "") if left else "")
    return _patterned(servers, hosts) if all(re.match(r"[A-Za-z].", host) for host in hosts) else None


def _by_address(_pool: str, servers: Sequence[FoundServer], _at: Mapping[str, str]) -> Optional[Named]:
    """``10.0.0.1:8081``, ``web_10.0.0.1``: the address is the host."""
    return _patterned(servers, [server.address for server in servers])


def _by_name(_pool: str, servers: Sequence[FoundServer], _at: Mapping[str, str]) -> Optional[Named]:
    """Each server is a host."""
    return _patterned(servers, [server.name for server in servers])


def _freely(pool: str, servers: Sequence[FoundServer], at: Mapping[str, str]) -> Optional[Named]:
    """The inventory's host at each address, or the address; each pool's members have its name."""
    hosts = [at.get(server.address, server.address) for server in servers]
    if len(set(hosts)) < len(hosts) or not all(HOST.match(host) for host in hosts):
        return None
    return "{host}-%s" % pool, {host: server.address for server, host in zip(servers, hosts)}


WAYS: Tuple[Way, ...] = (_by_inventory, _by_word, _by_address, _by_name)


def _patterned(servers: Sequence[FoundServer], hosts: Sequence[str]) -> Optional[Named]:
    """The one pattern by which these hosts give these servers' names."""
    if len(set(hosts)) < len(hosts) or not all(HOST.match(host) for host in hosts):
        return None
    patterns = {server.name.replace(host, "{host}", 1) for server, host in zip(servers, hosts)}
    pattern = patterns.pop()
    if patterns or (len(hosts) > 1 and "{host}" not in pattern):
        return None
    return pattern, {host: server.address for server, host in zip(servers, hosts)}
