# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upstream of somebody's own configuration allows: what stands in the way, what to beware of, what to expect.

Rules of this room: pure; directives as they were read go in, sentences for people come out.
An obstacle makes every split but "all to stable" impossible: it is refused before anything moves, but it never keeps
traffic from going back.
"""

from __future__ import annotations

from typing import Dict, Iterator, List, Mapping

from ._nginx_config import Directive
from ._nginx_lines import FORMAT
from ._nginx_lines import NAME as LOG_NAME
from ._nginx_servers import TOP, Server, servers
from .api import Service

#: What chooses a server by something else than its weight alone.
BY_KEY = ("ip_hash", "hash", "sticky")
#: What the wire between nginx and its clients pays for a reload, measured (the page of proxies has how).
COST = (
    "a reload of nginx closes connections on which no request is: in a test with 32 of them each reload cost the "
    "clients that reuse one without a look 31 requests, and those that look first 0.7"
)

#: What makes nginx write a line for each try that zdm can read: where it stands, and what.
LOG = "/var/log/nginx/zdm.log"
LOGGED = (
    "http: %s" % FORMAT,
    "location: set $zdm_service SERVICE;",
    "location: access_log %s %s;" % (LOG, LOG_NAME),
)


def upstreams(tree: Directive) -> Dict[str, Directive]:
    """The upstreams of ``http {}`` by name."""
    return {each.arguments[0]: each for http in tree.all("http") for each in http.all("upstream") if each.arguments}


def obstacles(upstream: Directive, file: str, service: Service, members: Mapping[str, str]) -> List[str]:
    """Why a split cannot be had; each says the way out. ``members``: endpoint -> the member's name."""
    return [*_balance(upstream), *_place(upstream, file), *_who(upstream, service, members)]


def _balance(upstream: Directive) -> Iterator[str]:
    for name in BY_KEY:
        for each in upstream.all(name):
            yield "`%s` ties users to servers, whatever the weights: remove it" % " ".join(each.words)


def _place(upstream: Directive, file: str) -> Iterator[str]:
    found = servers(upstream.inside or ())
    inside = [server for server in found if server.line.file == file]
    if not inside:
        yield (
            "it has no servers of %s: move its `server` lines into that file, write `include %s;` in their place, and "
            "reload nginx" % (file, file)
        )
    beside = [server.endpoint for server in found if server.line.file != file and server.weight and not server.backup]
    if inside and beside:
        yield "%s %s not in %s: move its line there" % (", ".join(beside), "is" if len(beside) == 1 else "are", file)


def _who(upstream: Directive, service: Service, members: Mapping[str, str]) -> Iterator[str]:
    found = servers(upstream.inside or ())
    known = {server.endpoint: server for server in found}
    missing = [endpoint for endpoint in members if endpoint not in known]
    if missing and found:
        yield "it has no server %s (there are %s): add them, or correct the address or port of the pool's members" % (
            ", ".join(missing),
            ", ".join(known) or "none",
        )
    backups = [endpoint for endpoint in members if endpoint in known and known[endpoint].backup]
    if backups:
        yield "%s marked `backup`, so takes nothing while others are up: remove that word" % _are(backups)
    strangers = [server.endpoint for server in found if server.endpoint not in members and _takes(server)]
    if strangers:
        yield "%s outside of the split, being of no pool of service %s: put into a pool, or mark it `down`" % (
            "%s %s traffic" % (", ".join(strangers), "takes" if len(strangers) == 1 else "take"),
            service.name,
        )
    names = [endpoint for endpoint in members if endpoint in known and "resolve" in known[endpoint].words]
    if names:
        yield "%s looked up while nginx runs (`resolve`): a name may be several servers: write addresses" % _are(names)


def warnings(upstream: Directive, all_of_them: Mapping[str, Directive], file: str) -> List[str]:
    """What makes the real share differ from the one that the weights give, or hides that it does."""
    found = []
    if upstream.has("least_conn") or upstream.has("least_time"):
        found.append(
            "`least_conn` looks at open connections first: under little load the pools get equal parts whatever the "
            "weights; for a share that holds remove it"
        )
    if any("two" in each.arguments for each in upstream.all("random")):
        found.append(
            "`random two` takes the less busy of two servers: under little load a small share comes out larger; for "
            "one that holds write `random` alone"
        )
    if not upstream.has("zone"):
        found.append(
            "no `zone`: each worker of nginx divides its own requests; for a share that is exact under little load "
            "write `zone %s 64k;` in the upstream" % upstream.arguments[0]
        )
    inside = servers(upstream.inside or ())
    rest = [server.endpoint for server in inside if server.backup]
    if rest:
        found.append("%s: `backup`: takes nothing while others are up; left alone" % ", ".join(rest))
    others = [
        name
        for name, other in all_of_them.items()
        if other is not upstream and any(server.line.file == file for server in servers(other.inside or ()))
    ]
    if others:
        found.append("upstream %s includes %s as well: its split is the same" % (" and ".join(others), file))
    return found


def unlogged(tree: Directive, path: str, service: str) -> List[str]:
    """Why the log at ``path`` would have no lines of the service."""
    every = list(_every(tree))
    written = any(each.name == "access_log" and each.arguments[:2] == (path, LOG_NAME) for each in every)
    named = any(each.words == ("set", "$zdm_service", service) for each in every)
    if written and named:
        return []
    missing = [] if written else ["access_log %s %s;" % (path, LOG_NAME)]
    missing += [] if named else ["set $zdm_service %s;" % service]
    return [
        "the log %s gets no lines of service %s: where its requests are write `%s`" % (path, service, " ".join(missing))
    ]


def _every(block: Directive) -> Iterator[Directive]:
    for each in block.inside or ():
        yield each
        yield from _every(each)


def promises(logged: bool) -> List[str]:
    """What this way of splitting traffic can and cannot promise."""
    return [
        "every change of the split, each step and the way back, is a reload: %s. Keep the steps few; mode managed "
        "changes a split without a reload" % COST,
        "a request that lasts keeps an old worker of nginx until it ends; with connections that last for hours "
        "(WebSocket) each step leaves workers behind: `worker_shutdown_timeout` ends them",
        "open-source nginx does not say which configuration runs: zdm takes it from what it reloaded itself, and after "
        "somebody else's reload or a restart from its workers being younger than the file; a reload of somebody else's "
        "that nginx refused, and all of whose workers then died, it takes for one that came about",
        "nginx checks no member: zdm asks them itself; a server that fails a request (`max_fails`, 1 by default) takes "
        "nothing for `fail_timeout` (10s), in which the share is off",
        "a try that fails goes to another server, also of the other pool, unless `proxy_next_upstream` says otherwise: "
        "users do not see it, the log of requests does"
        if logged
        else "there are no counters, so no checks of errors or latency and no reflex: nginx writes no log that zdm can "
        "read (zdm_router.log)",
        "shares are whole weights from 0 to %d; no rules by header or cookie and no mirror: weights only" % TOP,
    ]


def _takes(server: Server) -> bool:
    return server.weight > 0 and not server.backup


def _are(names: List[str]) -> str:
    return "%s %s" % (", ".join(names), "is" if len(names) == 1 else "are")
