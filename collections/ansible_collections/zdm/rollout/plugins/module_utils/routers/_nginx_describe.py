# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an nginx's configuration says: a description of what is there.

Rules of this room: pure; what ``nginx -T`` says goes in, a description comes out. What zdm cannot promise with it is
judged in _nginx_cannot.py. Of the files nothing is kept but what a description has: such files have passwords too.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ..adoption.description import Found, FoundBackend, FoundServer
from . import _nginx_cannot as cannot
from . import _nginx_config as config
from ._nginx_lines import NAME as LOG_NAME
from ._nginx_servers import TOP, Server, servers
from ._nginx_upstream import BY_KEY, upstreams
from ._nginx_uses import Use, uses
from .api import UNCHECKED

METHODS = (*BY_KEY, "least_conn", "least_time", "random")
AROUND = {"https": "TLS", "grpc": "gRPC", "grpcs": "gRPC", "fastcgi": "FastCGI", "uwsgi": "uwsgi", "scgi": "SCGI"}


def describe(dump: str, version: str, workers: int, log: Optional[Mapping[str, Any]] = None) -> Found:
    """``log``: where somebody has said that a line a request can be read; ``workers``: how many run."""
    texts = config.files(dump)
    tree = config.tree(texts)
    main = next(iter(texts), "")
    every = [use for http in tree.all("http") for use in uses(http)]
    of_them = upstreams(tree)
    found = Found(
        type="nginx",
        mode="servers",
        socket="",
        level="",
        proxy=version,
        threads=workers,
        processes=1,
        backends=tuple(_upstream(name, block, of_them, every, main) for name, block in of_them.items()),
        log=log or _log(tree),
        files=tuple(texts),
        state_file="",
        definition={"nginx_conf": main},
        top=TOP,
    )
    backends = tuple(
        replace(each, limits=tuple(cannot.of_upstream(each, of_them[each.name], _to(each.name, every), main)))
        for each in found.backends
    )
    return replace(found, limits=tuple(cannot.of_nginx(found, tree, every)), backends=backends)


def _upstream(
    name: str, block: config.Directive, of_them: Mapping[str, config.Directive], every: Sequence[Use], main: str
) -> FoundBackend:
    to = _to(name, every)
    wraps = next((AROUND[use.protocol] for use in to if use.protocol in AROUND), "")
    method = next((" ".join(each.words) for each in block.inside or () if each.name in METHODS), "round robin")
    return FoundBackend(
        name=name,
        mode="http",
        algorithm=method,
        servers=tuple(_server(each, wraps) for each in servers(block.inside or ())),
        check="none",
        from_state_file=False,
        options={"upstream": name, "file": own_file(block, of_them) or proposed_file(name, main)},
        used=tuple(str(use) for use in to),
        named=False,
    )


def _to(name: str, every: Sequence[Use]) -> List[Use]:
    return [use for use in every if use.target == name]


def _server(server: Server, wraps: str) -> FoundServer:
    address, dummy, port = server.endpoint.rpartition(":")
    address = address.strip("[]")
    unix = server.endpoint.startswith("unix:")
    return FoundServer(
        name=server.endpoint,
        address="" if unix else address,
        port=0 if unix else int(port),
        weight=server.weight,
        configured=server.written,
        health=UNCHECKED,
        status="down" if server.down else "",
        backup=server.backup,
        slowstart=next((word.partition("=")[2] for word in server.words if word.startswith("slow_start=")), None),
        dns="" if unix or is_address(address) else address,
        wraps=wraps,
    )


def own_file(block: config.Directive, of_them: Mapping[str, config.Directive]) -> str:
    """The file that has all servers of this upstream and nothing else; empty where there is none."""
    inside = block.inside or ()
    files = {each.file for each in inside if each.name == "server"}
    file = files.pop() if len(files) == 1 else ""
    if not file or file == block.file or any(each.name != "server" for each in inside if each.file == file):
        return ""
    others = [other for other in of_them.values() if other is not block]
    return "" if any(each.file == file for other in others for each in other.inside or ()) else file


def proposed_file(name: str, main: str) -> str:
    """No ``include *.conf`` takes it in by mistake."""
    return os.path.join(os.path.dirname(main), "zdm", "%s.servers" % name)


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _log(tree: config.Directive) -> Optional[Dict[str, Any]]:
    """The log in zdm's format, where there is one."""
    found: List[str] = []
    pending: Tuple[config.Directive, ...] = tuple(tree.all("http"))
    while pending:
        for each in pending[0].all("access_log"):
            if len(each.arguments) > 1 and each.arguments[1] == LOG_NAME:
                found.append(each.arguments[0])
        pending = (*pending[1:], *(inner for inner in pending[0].inside or () if inner.inside is not None))
    files = [path for path in found if path.startswith("/")]
    return {"file": files[0]} if files else None
