# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What zdm cannot promise with an nginx as it is written, and the line of configuration that mends it.

Rules of this room: pure; a description goes in, limits come out, those that stop zdm first. What the driver says of a
service at every look is in _nginx_upstream.py; here nobody has said yet which servers are a service's pools.
"""

from __future__ import annotations

from typing import Iterator, List, Sequence

from ..adoption.description import Found, FoundBackend, FoundServer, Limit
from ._nginx_config import Directive
from ._nginx_upstream import BY_KEY, LOGGED
from ._nginx_uses import Use


def of_nginx(found: Found, tree: Directive, every: Sequence[Use]) -> List[Limit]:
    """What holds for all of its upstreams."""
    limits = []
    if found.log is None:
        limits.append(
            Limit(
                "it writes no line a request that zdm can read: no checks of errors or latency, and no reflex",
                "\n".join(LOGGED),
            )
        )
    for use in every:
        if use.is_variable:
            limits.append(
                Limit(
                    "%s: which servers these requests go to is decided for each of them; an upstream that is chosen so "
                    "is split when its turn comes, and what else is chosen goes round the split" % use,
                    "location %s: proxy_pass http://NAME; with the name of one upstream" % use.location,
                )
            )
        elif found.backend(use.target) is None:
            limits.append(
                Limit(
                    "%s: no upstream, so there is one server and nothing to split" % use,
                    "http: upstream NAME { zone NAME 64k; include FILE; }, in FILE: server %s;\nlocation %s: %s"
                    % (use.target, use.location, "proxy_pass http://NAME;"),
                )
            )
    streams = [each.arguments[0] for stream in tree.all("stream") for each in stream.all("upstream") if each.arguments]
    if tree.has("stream"):
        limits.append(
            Limit("stream {} (%s): zdm divides requests, not connections" % (", ".join(streams) or "no upstream"), "")
        )
    if any(_is_upgrade(line) for use in every for line in use.lines) and not tree.has("worker_shutdown_timeout"):
        limits.append(
            Limit(
                "WebSockets pass, and each keeps an old worker after a reload, of which a rollout makes several",
                "nginx.conf: worker_shutdown_timeout 1h;",
            )
        )
    return limits


def _is_upgrade(line: Directive) -> bool:
    return line.name == "proxy_set_header" and [word.lower() for word in line.arguments[:1]] == ["upgrade"]


def of_upstream(backend: FoundBackend, block: Directive, to: Sequence[Use], main: str) -> List[Limit]:
    """What holds for this one; ``to``: who sends requests to it."""
    name = backend.name
    if not backend.servers:
        return [Limit("it has no servers", "upstream %s: server ADDRESS:PORT;" % name, stops=True)]
    limits = [*_balance(name, block), *_place(backend, block), *_of_servers(backend), *_used(name, to)]
    return sorted(limits, key=lambda limit: not limit.stops)


def _balance(name: str, block: Directive) -> Iterator[Limit]:
    for each in (each for key in BY_KEY for each in block.all(key)):
        words = " ".join(each.words)
        yield Limit(
            "`%s` ties users to servers, whatever the weights" % words,
            "upstream %s: without `%s`, or mode managed with `sticky`" % (name, words),
            stops=True,
        )
    for each in block.all("least_conn", "least_time"):
        yield Limit(
            "`%s` looks at open connections first: under little load the share is not the weights'" % each.name,
            "upstream %s: without `%s`" % (name, " ".join(each.words)),
        )
    for each in block.all("random"):
        if "two" in each.arguments:
            yield Limit(
                "`%s` takes the less busy of two servers: a small share comes out larger" % " ".join(each.words),
                "upstream %s: random;" % name,
            )
    if not block.has("zone"):
        yield Limit(
            "no `zone`: each worker divides its own requests, so under little load the share is less exact",
            "upstream %s: zone %s 64k;" % (name, name),
        )


def _place(backend: FoundBackend, block: Directive) -> Iterator[Limit]:
    """Weights are written into a file that has nothing but this upstream's servers."""
    file = str(backend.options["file"])
    lines = [each for each in block.inside or () if each.name == "server"]
    if {each.file for each in lines} == {file}:
        return
    yield Limit(
        "its servers stand in %s among other things: zdm writes weights into a file that has nothing else"
        % " and ".join(sorted({each.file for each in lines})),
        "\n".join(
            [
                *("%s: %s;" % (file, " ".join(each.words)) for each in lines),
                "upstream %s: include %s; in their place" % (backend.name, file),
                "then: nginx -t && nginx -s reload",
            ]
        ),
        stops=True,
    )


def _of_servers(backend: FoundBackend) -> Iterator[Limit]:
    of_some = (
        (
            "`backup`: takes nothing while others are up, so it can be in no pool; it is left alone",
            [s for s in backend.servers if s.backup],
            "without the word `backup`, if it is to be a pool's",
            False,
        ),
        (
            "a name: nginx looks it up at each reload, and it may be several servers, each with the whole weight",
            [s for s in backend.servers if s.dns and not s.backup],
            "its addresses, a `server` each",
            True,
        ),
        (
            "a socket of this machine: no address and port that zdm could name",
            [s for s in backend.servers if not s.port and not s.backup],
            "127.0.0.1 and a port instead",
            False,
        ),
        (
            "`slow_start`: one that comes up takes less than its weight for some time",
            [s for s in backend.servers if s.slowstart],
            "without `slow_start`: a rollout raises in steps anyway",
            False,
        ),
    )
    for what, found, mend, stops in of_some:
        if found:
            yield Limit("%s: %s" % (_names(found), what), "upstream %s: %s" % (backend.name, mend), stops=stops)
    yield Limit(
        "nginx checks no server: zdm asks them by itself; one that fails takes nothing for `fail_timeout` (10s), in "
        "which the share is off",
        "",
    )


def _names(servers: Sequence[FoundServer]) -> str:
    return ", ".join(server.name for server in servers)


def _used(name: str, to: Sequence[Use]) -> Iterator[Limit]:
    if not to:
        yield Limit("no location names it: nothing comes here, or by a variable", "")
    protocols = sorted({use.protocol for use in to} - {"http", "proxy"})
    if protocols:
        yield Limit("%s: zdm asks members by a connection only" % ", ".join(protocols), "")
    if any(line.name == "mirror" and line.arguments[:1] != ("off",) for use in to for line in use.lines):
        yield Limit(
            "`mirror`: a target that hangs keeps the client's next request on the same connection waiting",
            "",
        )
    if any(line.name == "proxy_cache" and line.arguments[:1] != ("off",) for use in to for line in use.lines):
        yield Limit("`proxy_cache`: what it answers comes from no pool, and may be of the other release", "")
    if any(line.name == "proxy_next_upstream" and line.arguments[:1] == ("off",) for use in to for line in use.lines):
        return
    yield Limit(
        "a try that fails is made again at another server, also of the other pool (`proxy_next_upstream`): users do "
        "not see it, the log's counters do",
        "",
    )
