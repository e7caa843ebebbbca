# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of YAML that somebody can paste: an inventory that knows the proxies and the members, and a spec.

Rules of this room: pure, and without a library for YAML, which a router's host need not have: what is written here is
mappings of plain words. Every line is one that zdm reads (the tests read them with zdm's own reader).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

from .. import _split
from .description import Found, FoundBackend
from .hosts import Hosts, Inventory, name
from .pools import PAIRS, Groups, Pools, Undecided, group

#: The steps that are proposed, in percent: the first of these rows that the servers can hold.
ROWS = ((5.0, 15.0, 45.0), (10.0, 30.0, 90.0), (25.0, 50.0), (50.0,))
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 25.0, 50.0)
ENVIRONMENT = "production"
ROUTERS = "loadbalancers"
#: What YAML 1.1 would not read as the text that it is.
WORDS = ("y", "n", "yes", "no", "on", "off", "true", "false", "null", "none")
PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*\Z")


@dataclass(frozen=True)
class Proposal:
    """``inventory`` and ``spec`` are YAML, empty where there is too much to decide first: ``open``. ``managed``: the
    lines by which the proxy would be zdm's, where there are such."""

    backend: str
    open: Tuple[str, ...]
    by: str = ""
    inventory: str = ""
    spec: str = ""
    shares: str = ""
    alone: Tuple[str, ...] = ()
    managed: Tuple[str, ...] = ()


def propose(
    found: Mapping[str, Found], backend: str, definitions: Mapping[str, Mapping[str, Any]], inventory: Inventory
) -> Proposal:
    """What to write for a service in ``backend``, which the first of the routers ``found`` has."""
    known = {router: each.backend(backend) for router, each in found.items()}
    has = {router: each for router, each in known.items() if each is not None}
    first = next(iter(has.values()))
    groups = group(first)
    others = tuple(_differences(has, [router for router in known if router not in has], backend))
    if isinstance(groups, Undecided):
        return Proposal(backend, (*_two_backends(first, found), *groups.reasons, *others))
    service = re.sub(r"[^A-Za-z0-9._-]", "-", backend).lstrip("._-")[:63] or "web"
    hosts = name(service, groups.pools, inventory, first.named)
    router = next(iter(has))
    if hosts is None:
        names = ", ".join(server.name for pool in groups.pools.values() for server in pool)
        text = "the names of the servers (%s) cannot be those of hosts: letters, digits and . _ - can" % names
        return Proposal(backend, (text, *others), groups.by)
    routers = {router: _definition(found[router], definitions.get(router, {}), service, backend) for router in has}
    return Proposal(
        backend=backend,
        open=(*groups.open, *others, *_health_open(first)),
        by=groups.by,
        inventory=_inventory(routers, hosts, inventory),
        spec=_spec(service, first, groups, hosts, _routers_group(routers, inventory)[0], found[router]),
        shares=_shares(groups.pools, found[router].top),
        alone=groups.alone,
        managed=_managed(service, groups, backend, found[router]),
    )


def _managed(service: str, groups: Groups, backend: str, found: Found) -> Tuple[str, ...]:
    if found.type != "nginx":
        return ()
    from ..routers._nginx_ways import managed

    return tuple(managed(service, list(groups.pools), backend, found.files[0]))


def _two_backends(backend: FoundBackend, found: Mapping[str, Found]) -> Iterator[str]:
    """Who switches between ``web-blue`` and ``web-green`` has two pools, but not where weights can split them."""
    for known in dict.fromkeys(each.name for router in found.values() for each in router.backends if each.servers):
        if any(_swapped(backend.name, *pair) == known or _swapped(known, *pair) == backend.name for pair in PAIRS):
            yield (
                "backends %s and %s look like two pools: weights divide within one backend only, so write the servers "
                "of both into one, those of the idle one with `weight 0`, and send all requests to it"
                % (backend.name, known)
            )


def _swapped(name_: str, word: str, other: str) -> str:
    """The name with one word in the place of the other; empty where it has not that word."""
    return "".join(other if part == word else part for part in re.split("([a-z]+)", name_)) if word in name_ else ""


def _differences(has: Mapping[str, FoundBackend], missing: Sequence[str], backend: str) -> Iterator[str]:
    """All routers of a service need the same servers, by name and address."""
    (first, model), *others = has.items()
    for router in missing:
        yield "%s has no backend %s: leave it out of the group of routers, or add the backend" % (router, backend)
    wanted = {server.name: server.endpoint for server in model.servers if not server.backup}
    for router, other in others:
        got = {server.name: server.endpoint for server in other.servers if not server.backup}
        for server in sorted(set(wanted) | set(got)):
            if wanted.get(server) != got.get(server):
                there = "%s: %s, %s: %s" % (first, wanted.get(server, "none"), router, got.get(server, "none"))
                yield "server %s is not the same on all routers (%s)" % (server, there)


def _health_open(backend: FoundBackend) -> Iterator[str]:
    if backend.vhost:
        yield (
            "HAProxy's check names a host; zdm asks members by their address: see that they answer %s so" % backend.path
        )
    if not _health_path(backend):
        yield "`health`: a path that every member answers with 2xx when it is well; without it only its port is tried"


def _definition(found: Found, given: Mapping[str, Any], service: str, backend: str) -> Dict[str, Any]:
    """A router's ``zdm_router``: what it was looked at with, and the service."""
    rest = {key: value for key, value in given.items() if key not in ("type", "mode", "socket", "services", "log")}
    log = given.get("log") or found.log
    known = found.backend(backend)
    options = dict(known.options) if known and known.options else {"backend": backend}
    return {
        "type": found.type,
        "mode": found.mode,
        **({"socket": found.socket} if found.socket else {}),
        **({"log": dict(log)} if log else {}),
        **found.definition,
        **rest,
        "services": {**(given.get("services") or {}), service: options},
    }


def _routers_group(routers: Mapping[str, Any], inventory: Inventory) -> Tuple[str, bool]:
    """The group of these routers, and whether the inventory has it already."""
    for known, hosts in sorted(inventory.groups.items()):
        if known not in ("all", "ungrouped") and set(hosts) == set(routers):
            return known, True
    wanted = ROUTERS
    while wanted in inventory.groups:
        wanted += "_zdm"
    return wanted, False


def _inventory(routers: Mapping[str, Dict[str, Any]], hosts: Hosts, inventory: Inventory) -> str:
    alike = len({json.dumps(each, sort_keys=True) for each in routers.values()}) == 1
    lines = ["all:", "  children:", "    %s:" % scalar(_routers_group(routers, inventory)[0]), "      hosts:"]
    for router, definition in routers.items():
        lines.append("        %s: %s" % (scalar(router), flow({} if alike else {"zdm_router": definition})))
    if alike:
        lines += ["      vars:", "        zdm_router: %s" % flow(next(iter(routers.values())))]
    for group_name, members in hosts.new.items():
        lines += ["    %s:" % scalar(group_name), "      hosts:"]
        for host, address in members.items():
            lines.append("        %s: %s" % (scalar(host), flow({"ansible_host": address} if address else {})))
    return "\n".join(lines) + "\n"


def _spec(service: str, backend: FoundBackend, groups: Groups, hosts: Hosts, routers: str, found: Found) -> str:
    lines = ["version: 1", "service: %s" % scalar(service), "environment: %s" % ENVIRONMENT]
    lines += ['release: "next"   # the one to move to, quoted; -e zdm_release=2.10 wins', "strategy: canary"]
    lines += ["routers: %s" % scalar(routers), "pools:"]
    for pool, servers in groups.pools.items():
        words = {"group": hosts.groups[pool], "port": servers[0].port, "server": hosts.servers[pool]}
        lines.append("  %s: %s" % (scalar(pool), flow(words)))
    lines.append("initial: %s" % scalar(groups.initial))
    lines.append(_health(backend, groups))
    lines.append("steps:")
    lines += ["  - {weight: %s, hold: 5m}" % _split.percent(share) for share in _row(groups.pools, found.top)]
    lines.append("  - {weight: 100}")
    lines += ["checks:", *_checks(backend, found)]
    lines.append("# hooks: {deploy: {tasks: deploy.yml}}   # your tasks; without them bring the release there before")
    return "\n".join(lines) + "\n"


def _checks(backend: FoundBackend, found: Found) -> Iterator[str]:
    """A proxy that counts nothing is no source of a check."""
    errors = "errors: {signal: router, of: errors, compare: stable}"
    if found.log or found.type != "nginx":
        yield "  " + errors
        return
    path = flow(_health_path(backend) or "/")
    yield "  answers: {signal: http, path: %s, every: 5s, in_a_row: 3}   # of canary's members" % path
    yield "  # %s   # once there is a zdm_router.log: of their users' requests" % errors


def _health(backend: FoundBackend, groups: Groups) -> str:
    path = _health_path(backend)
    if not path:
        return "# health: {path: /health}"
    ports = {server.check_port for pool in groups.pools.values() for server in pool}
    port = ports.pop() if len(ports) == 1 else 0
    words = {"path": path, **({"port": port} if port else {})}
    return "health: %s" % flow({**words, **({"expect": backend.expect} if backend.expect else {})})


def _health_path(backend: FoundBackend) -> str:
    """The path that zdm could ask members for, in plain HTTP; empty where none is known."""
    if not backend.path.startswith("/") or any(server.wraps for server in backend.servers):
        return ""
    return backend.path


def _held(pools: Pools, share: float, top: int) -> bool:
    """Whether whole weights of these servers give ``share`` to either pool, which may be the canary."""
    first, second = pools
    bases = {pool: _bases({server.name: server.configured for server in servers}) for pool, servers in pools.items()}
    return all(
        _split.can_hold(_split.achieved(_split.allot(wanted, bases, top)), wanted)
        for wanted in ({first: share, second: 100.0 - share}, {first: 100.0 - share, second: share})
    )


def _bases(configured: Dict[str, int]) -> Dict[str, int]:
    return configured if any(configured.values()) else dict.fromkeys(configured, 1)


def _row(pools: Pools, top: int) -> Tuple[float, ...]:
    return next((row for row in ROWS if all(_held(pools, share, top) for share in row)), ())


def _shares(pools: Pools, top: int) -> str:
    held = [share for share in SHARES if _held(pools, share, top)]
    sizes = " and ".join("%d" % len(servers) for servers in pools.values())
    if not held:
        return "with %s servers of these weights no share but 0 and 100 %% can be held" % sizes
    return "with %s servers the smallest share that can be held is %s %%" % (sizes, _split.percent(held[0]))


def scalar(text: str) -> str:
    """A text as YAML reads it back."""
    return text if PLAIN.match(text) and text.lower() not in WORDS else json.dumps(text)


def flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return "{%s}" % ", ".join("%s: %s" % (scalar(str(key)), flow(each)) for key, each in value.items())
    if isinstance(value, str):
        return scalar(value)
    items: List[Any] = list(value) if isinstance(value, (list, tuple)) else []
    return "[%s]" % ", ".join(map(flow, items)) if items else json.dumps(value)
