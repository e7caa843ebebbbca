# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy's answers and its configuration files say together: a description of what is there.

Rules of this room: pure; answers of the runtime socket go in (and what its files say, if they were read), a
description comes out. What zdm cannot promise with it is judged in _haproxy_cannot.py.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import takewhile
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..adoption.description import Found, FoundBackend, FoundServer
from . import _haproxy_cannot as cannot
from . import _haproxy_stat as stat
from ._haproxy_config import Proxy, Written

#: What a description is made of. One line of commands; each answer ends with an empty line.
LEVEL, INFO, STATE, TABLES, SINKS, STAT = (
    "show cli level",
    "show info",
    "show servers state",
    "show table",
    "show events",
    "show stat -1 6 -1",
)
QUESTIONS = (LEVEL, INFO, STATE, TABLES, SINKS, STAT)

#: HAProxy's own ring, which is no log of requests.
OWN_RINGS = ("buf0",)
ALGORITHMS = {"unknown": "random"}


def describe(
    socket: str,
    answers: Mapping[str, str],
    written: Optional[Written] = None,
    files: Tuple[str, ...] = (),
    unread: str = "nobody has read it",
    log: Optional[Mapping[str, Any]] = None,
) -> Found:
    """``answers`` by question. ``written`` is None where the configuration ``files`` were ``unread``, and why.

    ``log``: where somebody has said that a line a request can be read.
    """
    info = dict(line.split(": ", 1) for line in answers[INFO].splitlines() if ": " in line)
    tables = _tables(answers[TABLES])
    states = _states(answers[STATE])
    rows = stat.parse_stat(answers[STAT])
    backends = [
        _backend(row, [r for r in rows if r["pxname"] == row["pxname"]], states, tables, written)
        for row in rows
        if row["svname"] == "BACKEND"
    ]
    level = answers[LEVEL].strip()
    found = Found(
        type="haproxy",
        mode="servers",
        socket=socket,
        level=level if re.match(r"(user|operator|admin)\Z", level) else "",
        proxy="HAProxy %s" % info.get("Version", "of an unknown version"),
        threads=int(info.get("Nbthread") or 1),
        processes=int(info.get("Nbproc") or 1),
        backends=tuple(backends),
        rings=tuple(_rings(answers[SINKS])),
        log=log or (written.log if written else None),
        files=files,
        unread="" if written else unread,
        state_file=written.state_file if written else None,
    )
    return replace(
        found,
        limits=tuple(cannot.of_proxy(found, written.sockets if written else {})),
        backends=tuple(replace(each, limits=tuple(cannot.of_backend(each, found))) for each in found.backends),
    )


def _backend(
    whole: stat.Row,
    rows: List[stat.Row],
    states: List[Dict[str, str]],
    tables: Mapping[str, str],
    written: Optional[Written],
) -> FoundBackend:
    name = whole["pxname"]
    said = (written.proxies.get(name) or Proxy()) if written else None
    own = {row["svname"]: row for row in rows if row["type"] == "2"}
    servers = tuple(
        _server(state, own[state["srv_name"]], said)
        for state in states
        if state["be_name"] == name and state["srv_name"] in own
    )
    algorithm = whole.get("algo") or ""
    return FoundBackend(
        name=name,
        mode=whole.get("mode") or "",
        algorithm=ALGORITHMS.get(algorithm, algorithm),
        servers=servers,
        check=_check(servers, own, said),
        path=said.path if said else "",
        expect=said.expect if said else None,
        vhost=said.vhost if said else None,
        retries=said.retries if said else None,
        redispatch=said.redispatch if said else None,
        table=tables.get(name, ""),
        sticky=said.sticky if said else (),
        around=said.around if said else (),
        from_state_file=said.from_state_file if said else None,
    )


def _server(state: Mapping[str, str], row: stat.Row, said: Optional[Proxy]) -> FoundServer:
    known = stat.Server(state["srv_name"], 0, 0, row["status"])
    address = state["srv_addr"]
    return FoundServer(
        name=state["srv_name"],
        address="" if address == "-" else address,
        port=_number(state.get("srv_port")),
        weight=int(state["srv_uweight"]),
        configured=int(state["srv_iweight"]),
        health=known.health,
        status=row["status"],
        backup=_number(row.get("bck")) > 0,
        resting=known.resting,
        cookie=row.get("cookie") or "",
        agent=bool(row.get("agent_status")),
        slowstart=said.slowstart.get(state["srv_name"], said.slow) if said else (row.get("throttle") and "?") or None,
        dns="" if state.get("srv_fqdn", "-") == "-" else state["srv_fqdn"],
        check_port=_number(state.get("srv_check_port")),
        wraps=(said.wraps.get(state["srv_name"], said.wrap) if said else "")
        or ("TLS" if _number(state.get("srv_use_ssl")) else ""),
    )


def _check(servers: Tuple[FoundServer, ...], rows: Mapping[str, stat.Row], said: Optional[Proxy]) -> str:
    """How servers are checked: as it is written, or as the last results show."""
    results = " ".join(rows[server.name].get("check_status") or "" for server in servers)
    if servers and not results.strip():
        return "none"
    if said:
        return said.check
    if "L7" in results:
        return "http"
    return "tcp" if "L4OK" in results or "L6" in results else ""


def _states(text: str) -> List[Dict[str, str]]:
    """The rows of ``show servers state`` of all backends."""
    lines = text.splitlines()
    header = next((line for line in lines if line.startswith("# be_id ")), None)
    if header is None:
        return []
    after = takewhile(str.strip, lines[lines.index(header) + 1 :])
    return [dict(zip(header[2:].split(), line.split())) for line in after]


def _tables(text: str) -> Dict[str, str]:
    """The stick tables by name: ``ip, 10240 entries``."""
    found = re.findall(r"^# table: ([^,\s]+), type: (\w+), size:(\d+)", text, re.MULTILINE)
    return {name: "%s, %s entries" % (kind, size) for name, kind, size in found}


def _rings(text: str) -> List[str]:
    found = re.findall(r"^\s+(\S+)\s*: type=buffer", text, re.MULTILINE)
    return [name for name in found if name not in OWN_RINGS]


def _number(text: Optional[str]) -> int:
    return int(text) if text and text.isdigit() else 0
