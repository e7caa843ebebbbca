# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy's configuration files say of what its runtime socket does not tell.

Rules of this room: pure; the text goes in, and out of it come the few settings below and nothing else: such a file has
passwords too. HAProxy has accepted it, so nothing is checked here. What cannot be understood is passed over.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Mapping, Optional, Tuple

#: The words that begin a section.
SECTIONS = frozenset(
    (
        "global", "defaults", "frontend", "backend", "listen", "ring", "resolvers", "peers", "mailers", "userlist",
        "cache", "program", "http-errors", "fcgi-app", "log-forward", "traces", "crt-store",
    )
)  # fmt: skip
#: A log format that zdm can read has the server's time under this name (docs/checks.md).
TIMED = re.compile(r'"tr"\s*:\s*%Tr')
STICKY = ("stick on", "stick match", "stick store-request", "stick store-response")


@dataclass(frozen=True)
class Proxy:
    """A section ``backend`` or ``listen``, with what it has from its ``defaults``.

    ``vhost``: its HTTP check names a host. ``slow`` and ``wrap`` are what servers have that say nothing of it.
    """

    retries: int = 3
    redispatch: bool = False
    check: str = "tcp"
    path: str = ""
    expect: Optional[int] = None
    from_state_file: bool = False
    cookie: str = ""
    sticky: Tuple[str, ...] = ()
    around: Tuple[str, ...] = ()
    vhost: bool = False
    slow: str = ""
    slowstart: Mapping[str, str] = field(default_factory=dict)
    wrap: str = ""
    wraps: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    """``log``: where zdm could read how long requests took; None: nowhere. ``sockets``: the runtime sockets that are
    files, with their levels."""

    state_file: str = ""
    log: Optional[Mapping[str, Any]] = None
    proxies: Mapping[str, Proxy] = field(default_factory=dict)
    sockets: Mapping[str, str] = field(default_factory=dict)


def parse(text: str) -> Written:
    """The settings in ``text``, which is all configuration files one after the other."""
    named: Dict[str, Proxy] = {"": Proxy()}
    proxies: Dict[str, Proxy] = {}
    kind = name = state_file = ring = ""
    timed = False
    sockets: Dict[str, str] = {}
    for words in filter(None, map(_words, text.splitlines())):
        if words[0] in SECTIONS:
            kind, name = words[0], words[1] if len(words) > 1 and words[1] != "from" else ""
            base = named.get(words[words.index("from") + 1], Proxy()) if "from" in words[:-1] else named[""]
            if kind == "defaults":
                # A section without a name ends what came before it; all see the last one.
                named[""] = named[name] = base if "from" in words else Proxy()
            elif kind in ("backend", "listen"):
                proxies[name] = base
        elif kind == "global" and words[0] == "server-state-file" and len(words) > 1:
            state_file = words[1]
        elif kind == "global" and words[:2] == ["stats", "socket"] and len(words) > 2:
            path = words[2][len("unix@") :] if words[2].startswith("unix@") else words[2]
            if path.startswith("/"):
                sockets[path] = _after(words, "level") or "operator"
        elif kind in ("backend", "listen"):
            proxies[name] = _read(proxies[name], words)
        elif kind == "defaults":
            named[""] = named[name] = _read(named[name], words)
        if words[0] == "log" and len(words) > 1 and words[1].startswith("ring@"):
            ring = words[1][len("ring@") :]
        timed = timed or (words[0] == "log-format" and bool(TIMED.search(" ".join(words[1:]))))
    return Written(state_file, {"ring": ring} if ring and timed else None, proxies, sockets)


def _words(line: str) -> List[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # a quote that HAProxy reads otherwise
        return line.split()


def _read(proxy: Proxy, words: List[str]) -> Proxy:
    """``proxy`` with one line more."""
    line = " ".join(words)
    if words[0] == "retries" and len(words) > 1 and words[1].isdigit():
        return replace(proxy, retries=int(words[1]))
    if line.startswith(("option redispatch", "no option redispatch", "redispatch")):
        return replace(proxy, redispatch=words[0] != "no")
    if line.startswith("option httpchk"):
        return replace(proxy, check="http", path=_path(words[2:]) or "/", vhost="host:" in line.lower())
    if line.startswith("no option httpchk"):
        return replace(proxy, check="tcp", path="")
    if re.match(r"option [\w-]+-check$|option ssl-hello-chk", line):
        return replace(proxy, check="other", path="")
    if words[:2] == ["http-check", "send"] and "uri" in words[:-1]:
        return replace(proxy, path=_after(words, "uri"), vhost="host" in line.lower().split())
    if words[:3] == ["http-check", "expect", "status"] and words[3:4] and words[3].isdigit():
        return replace(proxy, expect=int(words[3]))
    if words[0] == "load-server-state-from-file":
        return replace(proxy, from_state_file=words[1:2] != ["none"])
    if words[0] == "cookie":
        return replace(proxy, cookie=line)
    if line.startswith(STICKY):
        return replace(proxy, sticky=proxy.sticky + (" ".join(words[:3]),))
    if words[0] == "use-server":
        return replace(proxy, around=proxy.around + (" ".join(words[:2]),))
    if words[0] == "default-server":
        return replace(proxy, slow=_after(words, "slowstart") or proxy.slow, wrap=_wrap(words) or proxy.wrap)
    if words[0] in ("server", "server-template") and len(words) > 2:
        slow = dict.fromkeys(_names(words), _after(words, "slowstart") or proxy.slow)
        wrap = dict.fromkeys(slow, _wrap(words) or proxy.wrap)
        return replace(proxy, slowstart={**proxy.slowstart, **slow}, wraps={**proxy.wraps, **wrap})
    return proxy


def _path(words: List[str]) -> str:
    """The path of ``option httpchk [METHOD] PATH [VERSION]``."""
    return next((word for word in words[:2] if word.startswith("/")), "")


def _after(words: List[str], word: str) -> str:
    return words[words.index(word) + 1] if word in words[:-1] else ""


def _wrap(words: List[str]) -> str:
    """What a server expects around its HTTP."""
    if any(word.startswith("send-proxy") for word in words):
        return "the PROXY protocol"
    return "TLS" if "ssl" in words else ""


def _names(words: List[str]) -> List[str]:
    """The servers of a line ``server NAME …`` or ``server-template PREFIX FROM-TO …``."""
    if words[0] == "server":
        return [words[1]]
    low, dash, high = words[2].partition("-")
    if not low.isdigit() or (dash and not high.isdigit()):
        return []
    first, last = (int(low), int(high)) if dash else (1, int(low))
    return ["%s%d" % (words[1], number) for number in range(first, last + 1)]
