# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``server`` lines of an upstream as they stand in a file: read, and written with other weights.

Rules of this room: pure. Everything else in the text stays as it is, to the letter: comments, order, other parameters.
A weight of 0 is the word ``down``, beside which the weight from before stays. nginx's servers have no names; they are
told by their address and port.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from math import gcd
from typing import Dict, List, Mapping, Sequence, Tuple

from ._nginx_config import Directive, parse
from .api import Member

#: nginx takes any whole number; a thousandth is as fine as the other way of nginx has it.
TOP = 1000
#: Words of a ``server`` line that zdm sets.
SET = re.compile(r"\s+(?:weight=\S*|down)(?=[\s;])")
PORT = 80


@dataclass(frozen=True)
class Server:
    """A line. ``endpoint``: address:port; ``written``: its ``weight=``, whether or not it is ``down``."""

    endpoint: str
    written: int
    down: bool
    backup: bool
    words: Tuple[str, ...]
    line: Directive

    @property
    def weight(self) -> int:
        return 0 if self.down else self.written


def servers(upstream: Sequence[Directive]) -> List[Server]:
    """The servers among an upstream's directives."""
    return [_server(each) for each in upstream if each.name == "server" and each.arguments]


def of(text: str) -> List[Server]:
    """The servers of a file that an upstream includes."""
    return servers(parse(text))


def rewritten(text: str, weights: Mapping[str, int]) -> str:
    """The text with these weights by endpoint; what is not named stays."""
    for server in reversed(of(text)):
        if server.endpoint in weights and weights[server.endpoint] != server.weight:
            line = server.line
            raw = SET.sub("", text[line.start : line.end])
            head = re.match(r"server\s+[^\s;]+", raw)
            at = head.end() if head else 0
            wanted = weights[server.endpoint]
            said = " weight=%d" % wanted if wanted else " weight=%d down" % server.written
            text = text[: line.start] + raw[:at] + said + raw[at:] + text[line.end :]
    return text


def parts(pool: Mapping[str, Server]) -> Dict[str, int]:
    """Each server's part of its pool, by the weights as they stand. One that is ``down`` in a pool of which others are
    not is left out by its operator and has none."""
    resting = all(server.down for server in pool.values())
    weights = {name: server.written if resting or not server.down else 0 for name, server in pool.items()}
    common = reduce(gcd, weights.values(), 0) or 1
    return {name: weight // common for name, weight in weights.items()}


def _server(line: Directive) -> Server:
    address, *words = line.arguments
    weight = next((word[len("weight=") :] for word in words if word.startswith("weight=")), "1")
    return Server(
        endpoint=address if _has_port(address) else "%s:%d" % (address, PORT),
        written=int(weight) if weight.isdigit() else 1,
        down="down" in words,
        backup="backup" in words,
        words=tuple(words),
        line=line,
    )


def _has_port(address: str) -> bool:
    return address.startswith("unix:") or bool(re.search(r":\d+\Z", address) and not address.endswith("]"))


def endpoint_of(member: Member) -> str:
    """As nginx writes it."""
    return "%s:%d" % ("[%s]" % member.address if ":" in member.address else member.address, member.port)
