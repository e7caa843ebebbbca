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
from typing import Dict, List, Mapping, Optional, Tuple

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
    """A section ``backend`` or ``listen``, with what it has from its ``defaults``."""

    retries: int = 3
    redispatch: bool = False
    check: str = "tcp"
    path: str = ""
    expect: Optional[int] = None
    from_state_file: bool = False
    cookie: str = ""
    sticky: Tuple[str, ...] = ()
    around: Tuple[str, ...] = ()
    slow: str = ""
    slowstart: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    """``log``: where zdm could read how long requests took; None: nowhere."""

    state_file: str = ""
    log: Optional[Mapping[str, str]] = None
    proxies: Mapping[str, Proxy] = field(default_factory=dict)


def parse(text: str) -> Written:
    """The settings in ``text``, which is all configuration files one after the other."""
    named: Dict[str, Proxy] = {"": Proxy()}
    proxies: Dict[str, Proxy] = {}
    kind = name = state_file = ring = ""
    timed = False
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
        elif kind in ("backend", "listen"):
            proxies[name] = _read(proxies[name], words)
        elif kind == "defaults":
            named[""] = named[name] = _read(named[name], words)
        if words[0] == "log" and len(words) > 1 and words[1].startswith("ring@"):
            ring = words[1][len("ring@") :]
        timed = timed or (words[0] == "log-format" and bool(TIMED.search(" ".join(words[1:]))))
    return Written(state_file, {"ring": ring} if ring and timed else None, proxies)


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
        return replace(proxy, check="http", path=_path(words[2:]) or "/")
    if line.startswith("no option httpchk"):
        return replace(proxy, check="tcp", path="")
    if re.match(r"option [\w-]+-check$|option ssl-hello-chk", line):
        return replace(proxy, check="other", path="")
    if words[:2] == ["http-check", "send"] and "uri" in words[:-1]:
        return replace(proxy, path=words[words.index("uri") + 1])
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
        return replace(proxy, slow=_slowstart(words) or proxy.slow)
    if words[0] in ("server", "server-template") and len(words) > 2:
        slow = _slowstart(words) or proxy.slow
        return replace(proxy, slowstart={**proxy.slowstart, **dict.fromkeys(_names(words), slow)})
    return proxy


def _path(words: List[str]) -> str:
    """The path of ``option httpchk [METHOD] PATH [VERSION]``."""
    return next((word for word in words[:2] if word.startswith("/")), "")


def _slowstart(words: List[str]) -> str:
    return words[words.index("slowstart") + 1] if "slowstart" in words[:-1] else ""


def _names(words: List[str]) -> List[str]:
    """The servers of a line ``server NAME …`` or ``server-template PREFIX FROM-TO …``."""
    if words[0] == "server":
        return [words[1]]
    low, dash, high = words[2].partition("-")
    if not low.isdigit() or (dash and not high.isdigit()):
        return []
    first, last = (int(low), int(high)) if dash else (1, int(low))
    return ["%s%d" % (words[1], number) for number in range(first, last + 1)]
