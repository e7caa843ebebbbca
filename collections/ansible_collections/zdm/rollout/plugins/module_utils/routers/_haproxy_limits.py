# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backend of somebody's own configuration allows: what stands in the way, what to beware of, what to expect.

Rules of this room: pure; a backend as it was read goes in, sentences for people come out.
An obstacle makes every split but "all to stable" impossible: it is refused before anything moves, but it never keeps
traffic from going back.
"""

from __future__ import annotations

from typing import List

from .. import _split
from ._haproxy_stat import Server
from ._haproxy_weights import TOP, Weights
from .api import UNCHECKED, Service

#: Those that follow weights set at run time. "unknown" is what 2.6 calls ``random``.
BY_WEIGHT = ("roundrobin", "leastconn", "random", "unknown")


def obstacles(weights: Weights, service: Service) -> List[str]:
    """Why a split cannot be had in this backend; each says the way out."""
    backend = weights.backend
    found = []
    if backend.algorithm not in BY_WEIGHT:
        found.append(
            "it balances by `%s`, which does not divide requests by weights set at run time (a static one accepts only "
            "0 and 100 %%; a hash ties users to servers): use `balance roundrobin`" % backend.algorithm
        )
    members = [member.name for pool in service.pools.values() for member in pool]
    missing = [name for name in members if name not in backend.servers]
    if missing:
        found.append(
            "it has no server %s (there are %s): add them, or set `server` of the pool to the names at HAProxy"
            % (", ".join(missing), ", ".join(backend.servers) or "none")
        )
    backups = [name for name in weights.pool_of if backend.servers[name].backup]
    if backups:
        found.append(
            "%s %s marked `backup`, so takes nothing while others are up: remove that word"
            % (", ".join(backups), "is" if len(backups) == 1 else "are")
        )
    strangers = [server.name for server in _strangers(weights) if _takes(server)]
    if strangers:
        found.append(
            "%s %s traffic outside of the split, being of no pool of service %s: put into a pool, or give weight 0 or "
            "maintenance at HAProxy" % (", ".join(strangers), "takes" if len(strangers) == 1 else "take", service.name)
        )
    return found


def warnings(weights: Weights) -> List[str]:
    """What makes the real share differ from the one that the weights give, or hides that it does."""
    backend = weights.backend
    members = [backend.servers[name] for name in weights.pool_of]
    found = []
    if backend.algorithm == "leastconn":
        found.append(
            "`balance leastconn` looks at open connections first: under little load the pools get equal parts whatever "
            "the weights; for a share that holds use `balance roundrobin`"
        )
    if backend.algorithm in ("random", "unknown"):
        found.append(
            "`balance random` draws two servers and takes the less busy one: under little load a small share comes out "
            "up to half as large again; for one that holds use `balance roundrobin` or `random(1)`"
        )
    if backend.mode == "tcp":
        found.append(
            "`mode tcp`: the share is of connections, and HAProxy sees no answers: only refused and broken connections "
            "count as failures, a 500 does not"
        )
    of_some = (
        ("no `check`: HAProxy sends to them even when they are dead", [s for s in members if s.health == UNCHECKED]),
        ("a cookie: who has one stays where he is, the share is of new users", [s for s in members if s.cookie]),
        ("`agent-check`: it may set the weight by itself", [s for s in members if s.agent]),
        ("`slowstart`: for some time they take less than their weight", [s for s in members if s.live and s.throttle]),
        ("in no pool of the service, and take nothing: left alone", [s for s in _strangers(weights) if not _takes(s)]),
    )
    found += ["%s: %s" % (", ".join(s.name for s in servers), what) for what, servers in of_some if servers]
    return found


def promises(weights: Weights) -> List[str]:
    """What this way of splitting traffic can and cannot promise."""
    return [
        "a reload or restart of HAProxy brings back the weights of its configuration (%s), even after the rollout is "
        "over, unless they are saved by `show servers state` and a server-state file; while a rollout runs zdm sees it"
        % _split.describe(weights.configured()),
        "shares are whole weights from 0 to %d of servers that are up; when one goes down or comes back, the share is "
        "off until zdm has looked again" % TOP,
        "each connection is divided anew; those that are open stay where they are"
        if weights.backend.mode == "tcp"
        else "each request is divided anew, also on a connection kept alive; requests in flight, and users tied to a "
        "server by a cookie, a stick table or `prefer-last-server`, stay where they are",
        "no rules by header or cookie and no mirror: weights only",
    ]


def _strangers(weights: Weights) -> List[Server]:
    return [server for name, server in weights.backend.servers.items() if name not in weights.pool_of]


def _takes(server: Server) -> bool:
    """It takes traffic, or will as soon as it is up."""
    return server.weight > 0 and not server.backup and not server.resting
