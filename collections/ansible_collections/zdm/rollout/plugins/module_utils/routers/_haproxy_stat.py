# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy's answers say: ``show servers state``, ``show stat``, ``show backend``, and the replies to orders.

Rules of this room: pure functions over text; columns are found by their name, never by their place.
Weights come from ``show servers state`` (the only one that tells the configured weight), health from ``show stat``
(the only one that tells checked from unchecked in a word).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import takewhile
from typing import Dict, List, Mapping, Optional

from .api import DOWN, UNCHECKED, UP, Counters

Row = Mapping[str, str]


@dataclass(frozen=True)
class Server:
    """A server of a backend. ``weight`` is in force, ``initial`` is configured; ``status`` is HAProxy's word;
    ``sessions`` are under way there."""

    name: str
    weight: int
    initial: int
    status: str
    backup: bool = False
    cookie: str = ""
    agent: bool = False
    throttle: str = ""
    sessions: int = 0

    @property
    def health(self) -> str:
        """UP, UNCHECKED or DOWN; what an operator or a 404 has taken out (MAINT, DRAIN, NOLB) takes nothing: DOWN."""
        if self.status == "no check":
            return UNCHECKED
        return UP if self.status.split(" ")[0] == "UP" else DOWN

    @property
    def resting(self) -> bool:
        """Taken out by an operator, by the configuration, or for want of an address."""
        return self.status.split(" ")[0] in ("MAINT", "DRAIN")

    @property
    def live(self) -> bool:
        """It takes its part of the traffic (a backup does so only when all others are gone)."""
        return self.health != DOWN and not self.backup


@dataclass(frozen=True)
class Backend:
    """A backend with its servers by name. ``mode`` is ``http`` or ``tcp``; ``algorithm`` as HAProxy writes it."""

    name: str
    mode: str
    algorithm: str
    servers: Mapping[str, Server]


@dataclass(frozen=True)
class State:
    """What ``show servers state`` tells: the backend's number (empty if it has no servers) and each server's weights
    in force and configured."""

    number: str
    weights: Mapping[str, int]
    initial: Mapping[str, int]


def parse_state(text: str) -> Optional[State]:
    """The answer to ``show servers state BACKEND``; None if there is no such backend."""
    lines = text.splitlines()
    header = next((line for line in lines if line.startswith("# be_id ")), None)
    if header is None:
        return None
    columns = header[2:].split()
    after = takewhile(str.strip, lines[lines.index(header) + 1 :])
    rows = [dict(zip(columns, line.split())) for line in after]
    return State(
        number=rows[0]["be_id"] if rows else "",
        weights={row["srv_name"]: int(row["srv_uweight"]) for row in rows},
        initial={row["srv_name"]: int(row["srv_iweight"]) for row in rows},
    )


def parse_stat(text: str) -> List[Row]:
    """The rows of ``show stat``, the last of these answers, by the names of their columns."""
    table = text[text.rindex("# pxname,") + len("# ") :] if "# pxname," in text else ""
    return list(csv.DictReader(line for line in table.splitlines() if line))


def parse_backends(text: str) -> List[str]:
    """The names in the answer to ``show backend``."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def backend(name: str, state: State, rows: List[Row]) -> Optional[Backend]:
    """The backend that both answers describe; None if they do not describe the same (a reload came between)."""
    own = {row["svname"]: row for row in rows if row["pxname"] == name}
    whole = own.pop("BACKEND", None)
    if whole is None or set(own) != set(state.weights):
        return None
    servers = {
        server: Server(
            name=server,
            weight=state.weights[server],
            initial=state.initial[server],
            status=row["status"],
            backup=_number(row, "bck") > 0,
            cookie=row.get("cookie") or "",
            agent=bool(row.get("agent_status")),
            throttle=row.get("throttle") or "",
            sessions=sessions(row),
        )
        for server, row in own.items()
    }
    return Backend(name=name, mode=whole["mode"], algorithm=whole["algo"], servers=servers)


def counters(row: Row) -> Counters:
    """Tries and failed tries of one server, from its row of ``show stat``.

    HAProxy's error columns read 0 or double once retries or redispatch are on, so the failed tries are those that are
    left: all, without the ones that were answered well, are still running or were given up by the client. That is too
    few where an answer is counted twice (103 or 100 before a 200, a client that leaves in the middle of a good body) or
    breaks off after a good status: so it is never less than what three columns claim that count nothing twice. A 5xx
    that breaks off is in two of them: only the larger counts. `eresp` is not one of them: it has a connection that is
    reset instead of an answer twice, and a body that stops for ever not at all. With ``mode tcp`` there are no answers,
    only the columns.
    """
    tries = _number(row, "stot")
    errors, refused, cut = (_number(row, column) for column in ("hrsp_5xx", "econ", "srv_abrt"))
    failures = refused + max(errors, cut)
    if row.get("mode") != "tcp":
        well = sum(_number(row, "hrsp_%dxx" % hundred) for hundred in (1, 2, 3, 4))
        failures = max(failures, tries - well - _number(row, "scur") - _number(row, "cli_abrt"))
    failures = min(failures, tries)
    broken = max(cut, _number(row, "eresp"))
    kinds: Dict[str, int] = {}
    left = failures
    for kind, count in (("http_5xx", errors), ("connect", refused), ("response", broken)):
        kinds[kind] = min(count, left)
        left -= kinds[kind]
    return Counters(requests=tries, failures=failures, kinds=kinds)


def sessions(row: Row) -> int:
    """Requests and connections under way at one server. A connection that is only kept for the next one is none."""
    return _number(row, "scur")


def parse_replies(text: str) -> List[str]:
    """The replies to orders, one each: empty where it was taken, otherwise HAProxy's words."""
    replies: List[str] = []
    words: List[str] = []
    for line in text.splitlines():
        if line:
            words.append(line)
        else:
            replies.append(" ".join(words))
            words = []
    return replies + ([" ".join(words)] if words else [])


def _number(row: Row, column: str) -> int:
    return int(row.get(column) or 0)
