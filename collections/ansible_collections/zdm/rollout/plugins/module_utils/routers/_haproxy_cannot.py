# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What zdm cannot promise with a HAProxy as it is written, and the line of configuration that mends it.

Rules of this room: pure; a description goes in, limits come out, those that stop zdm first. What the driver says of a
service at every look is in _haproxy_limits.py; here nobody has said yet which servers are a service's pools.
"""

from __future__ import annotations

from typing import Iterator, List, Mapping, Sequence

from ..adoption.description import Found, FoundBackend, FoundServer, Limit
from ._haproxy_limits import BY_WEIGHT
from .api import UNCHECKED

SAVE = 'echo "show servers state" | socat %s - > %s'
#: What makes it write a line for each request (docs/checks.md).
LOG = """\
ring lb: format raw, maxlen 1200, size 1048576 (a line each)
global: log ring@lb format raw local0
defaults: log global
frontend: log-format '{"b":"%b","s":"%s","st":%ST,"tr":%Tr,"ta":%Ta}'"""
STATE_FILE = "/var/lib/haproxy/server-state"


def of_proxy(found: Found, sockets: Mapping[str, str]) -> List[Limit]:
    """What holds for all of its backends; ``sockets`` are all that are written, with their levels."""
    limits = []
    if found.level != "admin":
        limits.append(
            Limit(
                "the runtime socket has level %s: weights can be set at level admin only" % (found.level or "unknown"),
                next(
                    (
                        "zdm_router.socket: %s, which has level admin" % path
                        for path in sockets
                        if sockets[path] == "admin"
                    ),
                    "global: stats socket %s mode 660 level admin" % found.socket,
                ),
                stops=True,
            )
        )
    if found.processes > 1:
        limits.append(
            Limit(
                "%d processes: the socket speaks to one of them, the others would keep their weights" % found.processes,
                "global: nbproc 1, nbthread %d" % found.processes,
                stops=True,
            )
        )
    if found.log is None:
        limits.append(Limit(_unlogged(found), LOG))
    return limits


def _unlogged(found: Found) -> str:
    if found.unread:
        return "whether it writes how long each request took is not known: without that there are no checks of latency"
    return "it writes no line a request that zdm can read: there are no checks of latency, all others work"


def of_backend(backend: FoundBackend, found: Found) -> List[Limit]:
    """What holds for this one."""
    if not backend.servers:
        return [Limit("it has no servers", "backend %s: server NAME ADDRESS:PORT check" % backend.name, stops=True)]
    limits = [*_balance(backend), *_durable(backend, found), *_checked(backend), *_tied(backend), *_of_servers(backend)]
    return sorted(limits, key=lambda limit: not limit.stops)


def _balance(backend: FoundBackend) -> Iterator[Limit]:
    roundrobin = "backend %s: balance roundrobin" % backend.name
    algorithm = "`balance %s`" % backend.algorithm
    if backend.algorithm in ("static-rr", "first"):
        yield Limit("%s takes no weights at run time but 0 and the configured one" % algorithm, roundrobin, stops=True)
    elif backend.algorithm not in BY_WEIGHT:
        yield Limit("%s ties users to servers by a hash, whatever the share" % algorithm, roundrobin, stops=True)
    elif backend.algorithm == "leastconn":
        yield Limit("%s: under little load both pools get the same, whatever the share" % algorithm, roundrobin)
    elif backend.algorithm == "random":
        yield Limit("%s: under little load a small share comes out up to half as large again" % algorithm, roundrobin)
    if backend.mode == "tcp":
        yield Limit(
            "`mode tcp`: the share is of connections, and HAProxy sees no answers: an error 500 is no failure to it",
            "backend %s: mode http (where it is HTTP), or checks with signal http or metrics" % backend.name,
        )


def _durable(backend: FoundBackend, found: Found) -> Iterator[Limit]:
    """What a reload brings back. A file that nobody saves is worth nothing, and nothing tells whether anybody does."""
    servers = _able(backend)
    back = ", ".join("%s %d" % (server.name, server.configured) for server in servers[:6])
    more = ", …" if len(servers) > 6 else ""
    what = "a reload or restart brings back the configured weights (%s%s), also after a rollout" % (back, more)
    file = found.state_file or STATE_FILE
    if found.state_file and backend.from_state_file:
        yield Limit(what + ", unless %s is saved before" % file, "before each reload: " + SAVE % (found.socket, file))
        return
    yield Limit(
        what,
        "global: server-state-file %s\nbackend %s: load-server-state-from-file global\nbefore each reload: %s"
        % (file, backend.name, SAVE % (found.socket, file)),
    )


def _checked(backend: FoundBackend) -> Iterator[Limit]:
    httpchk = "backend %s: option httpchk GET /health" % backend.name
    unchecked = [server for server in _able(backend) if server.health == UNCHECKED]
    if unchecked:
        yield Limit(
            "%s: no `check`: always up, HAProxy sends to them even when they are dead" % _names(unchecked),
            "backend %s: server %s %s check\n%s" % (backend.name, unchecked[0].name, unchecked[0].endpoint, httpchk),
        )
    if backend.check == "tcp" and len(unchecked) < len(_able(backend)):
        yield Limit("servers are checked by a connection only: one that answers nothing but errors is up", httpchk)


def _tied(backend: FoundBackend) -> Iterator[Limit]:
    cookies = [server for server in _able(backend) if server.cookie]
    if cookies:
        yield Limit(
            "%s: a cookie: who has one stays where he is, the share is of new users" % _names(cookies),
            "backend %s: without the line `cookie`, where the service keeps no sessions of its own" % backend.name,
        )
    for line in backend.sticky:
        yield Limit(
            "`%s`: who is in the stick table stays where he is, the share is of new users" % line,
            "backend %s: without that line, where the service keeps no sessions of its own" % backend.name,
        )
    if backend.table and not backend.sticky and backend.from_state_file is None:
        yield Limit(
            "a stick table (%s): if it is used by a line `stick`, who is in it stays where he is" % backend.table,
            "look whether backend %s has a line `stick on`" % backend.name,
        )
    for line in backend.around:
        yield Limit("`%s` goes round the weights" % line, "backend %s: without that line" % backend.name)


def _of_servers(backend: FoundBackend) -> Iterator[Limit]:
    backups = [server for server in backend.servers if server.backup]
    if backups:
        yield Limit(
            "%s: `backup`: takes nothing while others are up, so it can be in no pool; it is left alone"
            % _names(backups),
            "backend %s: without the word `backup`, if it is to be a pool's" % backend.name,
        )
    slow = [server for server in _able(backend) if server.slowstart]
    if slow:
        yield Limit(
            "%s: `slowstart`: a server that comes up takes less than its weight for some time" % _names(slow),
            "backend %s: without `slowstart`: a rollout raises in steps anyway" % backend.name,
        )
    agents = [server for server in _able(backend) if server.agent]
    if agents:
        yield Limit(
            "%s: `agent-check`: it may set the weight by itself, which zdm takes for a foreign change" % _names(agents),
            "backend %s: without `agent-check`, or with an agent that says no percentage" % backend.name,
        )
    dns = [server for server in _able(backend) if server.dns]
    if dns:
        yield Limit(
            "%s: the address comes from a name (%s) and may change" % (_names(dns), dns[0].dns),
            "write the name as zdm_address of the member's host, so that zdm asks the same one",
        )
    wrapped = [server for server in _able(backend) if server.wraps]
    if wrapped:
        yield Limit(
            "%s: speaks %s: zdm asks members in plain HTTP (`health`, checks with signal http or metrics)"
            % (_names(wrapped), wrapped[0].wraps),
            "health: {path: /health, port: of a plain listener}; without it HAProxy's own checks are relied on",
        )
    yield from _nowhere(backend)
    yield from _twice(backend)


def _nowhere(backend: FoundBackend) -> Iterator[Limit]:
    nowhere = [server for server in _able(backend) if not server.address or not server.port]
    if nowhere:
        yield Limit(
            "%s: no address and port that zdm could name (a socket, or yet to be resolved): can be in no pool"
            % _names(nowhere),
            "backend %s: server %s ADDRESS:PORT check" % (backend.name, nowhere[0].name),
        )


def _twice(backend: FoundBackend) -> Iterator[Limit]:
    """Names are how zdm knows servers; one that stands twice (old HAProxys take it) is two of them at once."""
    names = [server.name for server in backend.servers]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Limit(
            "the name %s stands for %d servers" % (name, names.count(name)),
            "backend %s: a name of its own for each server" % backend.name,
            stops=True,
        )


def _able(backend: FoundBackend) -> List[FoundServer]:
    """Those that can be in a pool: a backup is left alone."""
    return [server for server in backend.servers if not server.backup]


def _names(servers: Sequence[FoundServer]) -> str:
    """Servers by name; of many the first."""
    names = [server.name for server in servers]
    return ", ".join(names if len(names) <= 8 else [*names[:6], "… (%d)" % len(names)])
