# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who sends requests to which upstream of nginx: the servers and locations that name it.

Rules of this room: pure; the directives of ``http {}`` go in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterator, List, Tuple

from ._nginx_config import Directive

PASSES = ("proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "memcached_pass")
TARGET = re.compile(r"(?:(\w+)://)?([^/]+)")


@dataclass(frozen=True)
class Use:
    """``target`` is what stands there: an upstream's name, an address, or something with a variable in it.

    ``server``: host names and listens; ``location``: which (``/api``), empty outside of any; ``lines``: the directives
    in force there by themselves, not those of the levels above.
    """

    server: str
    location: str
    protocol: str
    target: str
    passes: Directive
    lines: Tuple[Directive, ...]

    @property
    def is_variable(self) -> bool:
        return "$" in self.target

    def __str__(self) -> str:
        return "%s, location %s: %s" % (self.server, self.location or "(none)", " ".join(self.passes.words))


def uses(http: Directive) -> List[Use]:
    return [use for server in http.all("server") for use in _of(server, _server(server), "", (http, server))]


def _of(block: Directive, server: str, location: str, around: Tuple[Directive, ...]) -> Iterator[Use]:
    for each in block.inside or ():
        if each.name in PASSES and each.arguments:
            found = TARGET.match(each.arguments[0])
            if found:
                protocol = found.group(1) or each.name[: -len("_pass")]
                own = tuple(line for level in around for line in level.inside or () if line.inside is None)
                yield Use(server, location, protocol, found.group(2), each, own)
        elif each.inside is not None and each.name in ("location", "if", "limit_except"):
            inner = " ".join(each.arguments) if each.name == "location" else location
            yield from _of(each, server, inner, (*around, each))


def _server(block: Directive) -> str:
    names = [name for each in block.all("server_name") for name in each.arguments]
    listens = [" ".join(each.arguments) for each in block.all("listen")] or ["80"]
    return "server %s (listen %s)" % (" ".join(names) or "of any name", ", ".join(listens))
