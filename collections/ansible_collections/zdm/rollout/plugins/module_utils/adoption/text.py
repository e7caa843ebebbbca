# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found, and what to write, for people: a line each."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from .description import Found, FoundBackend, FoundServer, Limit
from .hosts import Inventory
from .pools import Groups, group
from .proposal import Proposal, propose, scalar

#: So many servers of a backend are told one by one.
SERVERS = 40


def chosen(found: Mapping[str, Found], backend: str = "") -> str:
    """The backend to speak of: ``backend``, or the only one that it could be; empty where there is none or several.

    ValueError where no router has it.
    """
    known: Dict[str, FoundBackend] = {}
    for each in found.values():
        known.update({known_backend.name: known_backend for known_backend in reversed(each.backends)})
    if backend:
        if backend not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise ValueError("no router has a backend %s (there are %s): name one of these" % (backend, listed))
        return backend
    able = [name for name, each in known.items() if each.servers]
    grouped = [name for name in able if isinstance(group(known[name]), Groups)]
    return grouped[0] if len(grouped) == 1 else able[0] if len(able) == 1 else ""


def told(found: Mapping[str, Found], proposal: Proposal) -> List[str]:
    """All of it: the routers, the backend in question with what zdm cannot promise, and the lines to paste."""
    lines: List[str] = []
    told_of: Dict[str, Found] = {}
    for router, each in found.items():
        same = next((name for name, other in told_of.items() if other == each), "")
        told_of[router] = each
        if same:
            lines += ["%s: all as on %s" % (router, same), ""]
            continue
        lines += [*_router(router, each), ""]
        backend = each.backend(proposal.backend) if proposal.backend else None
        if backend:
            lines += [*_backend(backend, each), ""]
    return lines + list(_proposed(found, proposal))


def made(
    found: Mapping[str, Found],
    backend: str,
    definitions: Mapping[str, Mapping[str, Any]],
    inventory: Optional[Inventory] = None,
) -> Tuple[Proposal, List[str]]:
    """What to write, and all that is to be said; ValueError where no router has ``backend``."""
    name = chosen(found, backend)
    proposal = propose(found, name, definitions, inventory or Inventory()) if name else Proposal("", ())
    return proposal, told(found, proposal)


def _router(name: str, found: Found) -> Iterator[str]:
    if _is_nginx(found):
        yield "%s: %s, %s" % (name, found.proxy, _several(found.threads, "worker"))
    else:
        yield "%s: %s, %s; socket %s, level %s" % (
            name,
            found.proxy,
            _several(found.threads, "thread"),
            found.socket,
            found.level or "unknown",
        )
    if found.unread:
        yield "  its configuration was not read (%s): what only the files tell is not known" % found.unread
    else:
        yield "  read: %s" % ", ".join(found.files)
    state = "not known" if found.state_file is None else found.state_file or "none"
    log = (
        " ".join("%s %s" % each for each in found.log.items())
        if found.log
        else "not known"
        if found.unread
        else "none that zdm can read"
    )
    rings = " (rings: %s)" % ", ".join(found.rings) if found.rings and not found.log else ""
    yield "  %slog of requests: %s%s" % ("" if _is_nginx(found) else "server-state file: %s; " % state, log, rings)
    yield from _limits(found.limits)
    for backend in found.backends:
        yield "  %s" % _summary(backend, _thing(found))


def _is_nginx(found: Found) -> bool:
    return found.type == "nginx"


def _thing(found: Found) -> str:
    return "upstream" if _is_nginx(found) else "backend"


def _summary(backend: FoundBackend, thing: str) -> str:
    up = sum(server.health == "up" for server in backend.servers)
    unchecked = sum(server.health == "unchecked" for server in backend.servers)
    parts = ["%s up" % up] + (["%d unchecked" % unchecked] if unchecked else [])
    return "%s %s: %s, balance %s, %s (%s)" % (
        thing,
        backend.name,
        backend.mode,
        backend.algorithm,
        _several(len(backend.servers), "server"),
        ", ".join(parts),
    )


def _backend(backend: FoundBackend, found: Found) -> Iterator[str]:
    yield "%s %s" % (_thing(found), backend.name)
    yield "  %s" % "; ".join(_facts(backend))
    yield from ("  used by %s" % use for use in backend.used)
    width = max((len(server.name) for server in backend.servers), default=0)
    for server in backend.servers[:SERVERS]:
        yield "    %-*s  %s" % (width, server.name, _server(server))
    if len(backend.servers) > SERVERS:
        yield "    … and %d more" % (len(backend.servers) - SERVERS)
    if found.fits and backend.fits:
        if _is_nginx(found):
            yield "  mode servers fits: it divides requests by these servers' weights, 0 to %d, in the file" % found.top
            yield "  %s; each change is a reload." % backend.options["file"]
        else:
            yield "  mode servers fits: it divides requests by these servers' weights, on HAProxy's scale of 0 to 256."
        yield "  Nothing else of the configuration is touched."
    else:
        yield "  mode servers does not fit yet: what is marked ! has to be mended first."
    yield "  What zdm cannot promise here, and what mends it:"
    yield from _limits(backend.limits)


def _facts(backend: FoundBackend) -> Iterator[str]:
    checks = {
        "http": "HTTP check of %s" % (backend.path or "a path that is not known"),
        "tcp": "checked by a connection",
        "none": "not checked" if backend.named else "balance %s" % backend.algorithm,
        "other": "checked by a protocol of its own",
    }
    yield checks.get(backend.check, "how it is checked is not known")
    if backend.retries is not None:
        yield "retries %d, %s redispatch (zdm counts each try: they hide no failure from it)" % (
            backend.retries,
            "with" if backend.redispatch else "without",
        )
    if backend.table:
        yield "stick table: %s" % backend.table


def _server(server: FoundServer) -> str:
    weight = "weight %d" % server.weight
    if server.weight != server.configured:
        weight += " (configured %d)" % server.configured
    words = [server.endpoint] if server.endpoint != server.name else []
    words += [weight, server.status if server.health != "unchecked" or server.status == "down" else "unchecked"]
    words += [word for word, has in (("backup", server.backup), ("agent-check", server.agent)) if has]
    words += ["cookie %s" % server.cookie] if server.cookie else []
    return "  ".join(words)


def _several(count: int, thing: str) -> str:
    return "%d %s%s" % (count, thing, "" if count == 1 else "s")


def _limits(limits: Sequence[Limit]) -> Iterator[str]:
    for limit in limits:
        yield "  %s %s" % ("!" if limit.stops else "-", limit.what)
        yield from ("      " + line for line in limit.mend.splitlines())


def _proposed(found: Mapping[str, Found], proposal: Proposal) -> Iterator[str]:
    if not proposal.backend:
        names = dict.fromkeys(backend.name for each in found.values() for backend in each.backends if backend.servers)
        yield "Which backend is the service's? Name it: -e zdm_backend=%s" % "|".join(names)
        return
    if not proposal.spec:
        yield "To be decided before there can be two pools:"
        yield from ("  - %s" % text for text in proposal.open)
        return
    yield "Two pools, told by %s; %s." % (proposal.by, proposal.shares)
    if proposal.alone:
        yield "Left alone, in no pool: %s." % ", ".join(proposal.alone)
    if proposal.open:
        yield "Make sure of:"
        yield from ("  - %s" % text for text in proposal.open)
    yield ""
    yield "# ---- inventory: a file of its own beside yours (-i inventory.yml -i zdm.yml), or merged into yours"
    yield from proposal.inventory.splitlines()
    yield ""
    yield "# ---- spec: services/%s.yml" % scalar(proposal.backend).strip('"')
    yield from proposal.spec.splitlines()
    if proposal.managed:
        yield ""
        yield "# ---- or mode managed: a change of the split without a reload, with ten lines of yours"
        yield from ("# " + line for line in proposal.managed)
