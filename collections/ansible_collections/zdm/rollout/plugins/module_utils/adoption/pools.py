# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which servers of a backend could be which pool: two obvious groups, or what has to be decided.

Theory of operation. People who switch by hand have left their two groups somewhere: in the servers' names, in two
ports, or in a weight of 0. These are tried in this order, and one is taken only where every server that could take
traffic is in one of its two groups. Nothing is guessed beyond that: which half of six equal servers goes first is
somebody's decision.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Union

from .. import _split
from .description import FoundBackend, FoundServer

Pools = Dict[str, Tuple[FoundServer, ...]]

#: Words that tell two groups apart, the one that mostly serves first.
PAIRS = (
    ("blue", "green"),
    ("stable", "canary"),
    ("prod", "canary"),
    ("main", "canary"),
    ("live", "idle"),
    ("active", "passive"),
    ("active", "standby"),
    ("current", "next"),
    ("old", "new"),
    ("a", "b"),
)
#: What pools are called whose servers' names do not say.
NAMES = ("blue", "green")


@dataclass(frozen=True)
class Groups:
    """Two pools. ``by``: what tells them apart; ``initial``: the one that serves, or seems to; ``open``: what somebody
    has to make sure of; ``alone``: servers that are in neither, and take nothing."""

    pools: Pools
    by: str
    initial: str
    open: Tuple[str, ...] = ()
    alone: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Undecided:
    """There are no two groups; ``reasons``: what has to be decided, and how to write it."""

    reasons: Tuple[str, ...]


def group(backend: FoundBackend) -> Union[Groups, Undecided]:
    """The pools that a service in this backend could have."""
    able = [server for server in backend.servers if not server.backup and server.address and server.port]
    doubtful: List[str] = [*_twice(able), *_outside(backend, able)]
    awake = [server for server in able if not server.resting]
    for way in () if doubtful else WAYS:
        for servers in (able, awake):
            found = way(servers)
            if found is None:
                continue
            pools, by = found
            mixed = list(_mixed(pools))
            if not mixed:
                inside = {server.name for pool in pools.values() for server in pool}
                alone = tuple(server.name for server in backend.servers if server.name not in inside)
                return Groups(pools, by, *_initial(pools), alone)
            doubtful += [reason for reason in mixed if reason not in doubtful]
    return Undecided((*doubtful, *_ways_out(backend, able)))


def _outside(backend: FoundBackend, able: Sequence[FoundServer]) -> Iterator[str]:
    """Servers that can be in no pool must take nothing: the share would be of the rest only."""
    for server in backend.servers:
        if server not in able and server.weight and not server.backup and not server.resting:
            yield "%s takes traffic and has no address and port: give it some, or weight 0" % server.name


def _twice(servers: Sequence[FoundServer]) -> Iterator[str]:
    """Two names for one address and port: no two releases can be told apart there."""
    seen: Dict[str, str] = {}
    for server in servers:
        if server.endpoint in seen:
            yield "%s and %s are the same server, %s: leave one of them in the configuration" % (
                seen[server.endpoint],
                server.name,
                server.endpoint,
            )
        seen.setdefault(server.endpoint, server.name)


def _mixed(pools: Pools) -> Iterator[str]:
    for pool, servers in pools.items():
        ports = sorted({server.port for server in servers})
        if len(ports) > 1:
            yield "%s would have the ports %s: all members of a pool need the same one" % (
                pool,
                " and ".join(map(str, ports)),
            )


def _by_names(servers: Sequence[FoundServer]) -> Optional[Tuple[Pools, str]]:
    for pair in PAIRS:
        words = [set(pair) & set(re.findall(r"[a-z]+", server.name.lower())) for server in servers]
        if all(len(found) == 1 for found in words) and set().union(*words) == set(pair):
            pools = {word: tuple(server for server, found in zip(servers, words) if word in found) for word in pair}
            return pools, "the words %s and %s in the servers' names" % pair
    return None


def _by_ports(servers: Sequence[FoundServer]) -> Optional[Tuple[Pools, str]]:
    ports = sorted({server.port for server in servers})
    if len(ports) != 2:
        return None
    pools = {name: tuple(s for s in servers if s.port == port) for name, port in zip(NAMES, ports)}
    return pools, "the ports %d and %d" % (ports[0], ports[1])


def _by_weights(servers: Sequence[FoundServer]) -> Optional[Tuple[Pools, str]]:
    serving = tuple(server for server in servers if server.weight)
    idle = tuple(server for server in servers if not server.weight)
    if not serving or not idle:
        return None
    word = "word down" if all(server.status == "down" for server in idle) else "weight 0"
    return dict(zip(NAMES, (serving, idle))), "the %s of %s" % (word, ", ".join(server.name for server in idle))


Way = Callable[[Sequence[FoundServer]], Optional[Tuple[Pools, str]]]
WAYS: Tuple[Way, ...] = (_by_names, _by_ports, _by_weights)


def _initial(pools: Pools) -> Tuple[str, Tuple[str, ...]]:
    """The pool that serves; where both do, the one with more, and what that means."""
    weights = {name: {s.name: s.weight for s in servers if not s.resting} for name, servers in pools.items()}
    shares = _split.achieved(weights)
    first = max(pools, key=lambda name: shares[name])
    other = next(name for name in pools if name != first)
    if shares[first] and not shares[other]:
        return first, ()
    count = len(pools[first])
    return first, (
        "both pools take traffic now (%s): say by `initial` which of them has the release that serves; %s is only a "
        "proposal" % (_split.describe(shares), first),
        "the first rollout begins with all traffic at `initial`: %s to carry it alone"
        % ("its one server has" if count == 1 else "its %d servers have" % count),
    )


def _ways_out(backend: FoundBackend, able: Sequence[FoundServer]) -> Iterator[str]:
    """How two pools could come about where there is one."""
    if not able:
        yield "no server of backend %s has an address and a port: give it some" % backend.name
        return
    port = able[0].port + 1 if able[0].port < 65535 else able[0].port - 1
    line = (
        "server %(name)s-green %(address)s:%(port)d check weight 0"
        if backend.named
        else "server %(address)s:%(port)d down"
    )
    yield (
        "which servers get the new release while the others serve: either a second port on the same machines, as "
        "servers of their own: %s %s: %s"
        % (
            "backend" if backend.named else "upstream",
            backend.name,
            "; ".join(line % {"name": s.name, "address": s.address, "port": port} for s in able[:3]),
        )
    )
    if len(able) > 1:
        resting = "weight 0" if backend.named else "down"
        yield "or some of the servers, such as %s: give these `%s`, and run this again" % (able[-1].name, resting)
