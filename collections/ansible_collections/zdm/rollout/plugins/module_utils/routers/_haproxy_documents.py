# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents that a managed HAProxy reads: what a service is at HAProxy, as text.

Rules of this room: pure functions from a service to text; no I/O, nothing of a running HAProxy.

    haproxy.cfg            what all services share: sockets, the ring of log lines, defaults
    services/<name>.cfg    one service: its frontend, and a backend for each pool, <service>-<pool>
    share.map              the splits of all services, see _haproxy_share.py: the only thing that a rollout changes

The version of a document is made of what it says, and the running process tells it (a variable of the process), so
whoever reads the version knows which text runs. HAProxy 2.4 is the oldest that has all of this.
"""

from __future__ import annotations

import re
from binascii import crc32, hexlify
from typing import List, Optional, Sequence

from . import _haproxy_options as options
from . import _haproxy_share as share_map
from .api import Health, Member, Service
from .rules import COOKIE, HEADER

#: Whoever reads a configuration reads this first.
BANNER = "# Written by the module zdm.rollout.service, which does so again as long as zdm manages this HAProxy.\n"

#: The ring that each request leaves a line in, which docs/checks.md describes.
RING = "zdm"
FORMAT = """'{"b":"%b","s":"%s","st":%ST,"tr":%Tr,"ta":%Ta}'"""

VERSION = re.compile(r"^    set-var proc\.\w+ str\((zdm-[0-9a-f]{16})\)$", re.MULTILINE)

LISTEN = re.compile(r"^    bind (\S+)", re.MULTILINE)

#: No retries: they would hide failures. Old workers of a reload may finish what is in flight.
COMMON = """
    stats socket {socket} mode 600 level admin expose-fd listeners
    stats timeout 30s
    hard-stop-after 10m
    close-spread-time 6s
    log ring@{ring} format raw local0

ring {ring}
    format raw
    maxlen 1200
    size 1048576

defaults zdm
    mode http
    log global
    option forwardfor
    retries 0
    timeout connect 250ms
    timeout client 30s
    timeout server 15s
"""

#: Where a service's share comes from: the map, or the word itself in a configuration that zdm has left.
OF_MAP, STATIC = "str({service}),map_str({map},)", "str({word})"
STATIC_WORD = re.compile(r"^    http-request set-var\(txn\.zdm_share\) str\(([^()]+)\)$", re.MULTILINE)

RULES_HERE = ""
#: Both pools and the part of the second, of the share map; whoever is not the second's is the first's.
DICE = (
    "http-request set-var(txn.zdm_share) {share}",
    "http-request set-var(txn.zdm_part) var(txn.zdm_share),field(3,:),add(0)",
    "http-request set-var(txn.zdm_pool) var(txn.zdm_share),field(1,:)",
    "http-request set-var(txn.zdm_pool) var(txn.zdm_share),field(2,:) if {{ rand(10000),sub(txn.zdm_part) lt 0 }}",
    RULES_HERE,
    "use_backend {service}-%[var(txn.zdm_pool)] if {{ var(txn.zdm_pool) -m found }}",
)

#: Who a rule tells of goes to the pool that the share map names for its set, if any.
RULED = (
    "http-request set-var(txn.zdm_pool) var(txn.zdm_share),field({place},:)"
    " if {{ var(txn.zdm_share),field({place},:) -m reg . }} {{ {sample}({name}) -m str {value} }}"
)
SAMPLES = {HEADER: "req.fhdr", COOKIE: "req.cook"}


def backend_name(service: str, pool: str) -> str:
    return "%s-%s" % (service, pool)


def frontend_name(service: str) -> str:
    """With a sign that no service and no pool has in its name, so that no backend has it."""
    return "%s:in" % service


def variable(service: str = "") -> str:
    """The variable of the process that has the version of a service's document, or of the common one."""
    return "proc.zdm_%s" % hexlify(service.encode()).decode()


def version(text: str) -> Optional[str]:
    """The version that a document claims; None for text that is no such document."""
    found = VERSION.search(text)
    return found[1] if found else None


def listens(text: str) -> str:
    """The address that a service's document listens at; empty where it has none."""
    found = LISTEN.search(text)
    return found[1] if found else ""


def common(socket: str) -> str:
    """``haproxy.cfg``, with the runtime socket at this path."""
    return _document("", COMMON.format(socket=socket, ring=RING))


def static_word(text: str) -> str:
    """The share that stands in a service's document itself; empty where it is looked up in the map."""
    found = STATIC_WORD.search(text)
    return found[1] if found else ""


def service_text(service: Service, path: str, word: str = "") -> str:
    """The document of a service; ValueError where something in it is none of HAProxy's.

    ``path`` is the share map's. With ``word`` this is its share for good, and there is no map.
    """
    options.check_names(service)
    given = options.read(service)
    share = STATIC.format(word=word) if word else OF_MAP.format(service=service.name, map=path)
    parts = [_frontend(service, given, share)]
    parts += [_backend(service, given, pool) for pool in sorted(service.pools)]
    return _document(service.name, "\n" + "\n".join("\n".join(part) + "\n" for part in parts))


def _document(service: str, body: str) -> str:
    """With a version of two sums; whoever could forge them may write the file anyway."""
    content = body.encode()
    claimed = "zdm-%08x%08x" % (crc32(content), crc32(content[::-1]))
    return "%sglobal\n    set-var %s str(%s)\n%s" % (BANNER, variable(service), claimed, body)


def _frontend(service: Service, given: options.Options, share: str) -> List[str]:
    tls = " ssl crt %s alpn h2,http/1.1" % given.certificate if given.certificate else ""
    lines = [
        "bind %s%s" % (given.listen, tls),
        "timeout client %dms" % given.timeouts["client"],
        "timeout http-keep-alive %dms" % given.timeouts["keep_alive"],
        *(["log %s local0" % given.log] if given.log else []),
        "log-format " + FORMAT,
        *_strangers(given.domains),
        "http-request set-header X-Forwarded-Proto %s" % ("https" if tls else "http"),
        *_dice(service, share),
        "default_backend %s" % backend_name(service.name, min(service.pools)),
    ]
    return _section("frontend %s from zdm" % frontend_name(service.name), lines)


def _dice(service: Service, share: str) -> List[str]:
    before, after = DICE[: DICE.index(RULES_HERE)], DICE[DICE.index(RULES_HERE) + 1 :]
    lines = [line.format(service=service.name, share=share) for line in before]
    return lines + rule_lines(service) + [line.format(service=service.name) for line in after]


def rule_lines(service: Service) -> List[str]:
    """What a frontend has for the service's rules; the last one that matches counts, so a preview goes before."""
    return [
        RULED.format(place=place, sample=SAMPLES[rule.kind], name=rule.name, value=rule.value)
        for place, name in enumerate(share_map.SETS, start=share_map.FIRST_SET)
        for rule in service.rules.get(name, ())
    ]


def has_rules(text: str, service: Service) -> bool:
    """Whether a service's document has the lines of all its rules."""
    lines = rule_lines(service)
    return not lines or set(lines) <= {line.strip() for line in text.splitlines()}


def _strangers(domains: Sequence[str]) -> List[str]:
    """Requests for other hosts are nobody's."""
    if not domains:
        return []
    host = "req.hdr(host),field(1,:),lower"
    names = [name for name in domains if not name.startswith("*")]
    ends = [name[1:] for name in domains if name.startswith("*")]
    known = ["!{ %s -m str %s }" % (host, " ".join(names))] if names else []
    known += ["!{ %s -m end %s }" % (host, " ".join(ends))] if ends else []
    return ["http-request return status 404 if %s" % " ".join(known)]


def _backend(service: Service, given: options.Options, pool: str) -> List[str]:
    health = service.health
    lines = [
        "balance roundrobin",
        "timeout connect %dms" % given.timeouts["connect"],
        "timeout server %dms" % given.timeouts["server"],
        "timeout tunnel %dms" % given.timeouts["tunnel"],
        *(_check(health, given.domains) if health else []),
        *(_server(member, health) for member in service.pools[pool]),
    ]
    return _section("backend %s from zdm" % backend_name(service.name, pool), lines)


def _check(health: Health, domains: Sequence[str]) -> List[str]:
    host = next((name for name in domains if not name.startswith("*")), "localhost")
    return [
        "timeout check %dms" % max(1, int(health.timeout * 1000)),
        "option httpchk",
        "http-check send meth GET uri %s ver HTTP/1.1 hdr Host %s" % (_quoted(health.path), host),
        "http-check expect status %s" % (health.expect or "200-299"),
    ]


def _server(member: Member, health: Optional[Health]) -> str:
    address = "[%s]" % member.address if ":" in member.address else member.address
    words = "server %s %s:%d" % (member.name, address, member.port)
    if not health:
        return words
    port = " port %d" % health.port if health.port else ""
    return words + " check%s inter 500ms fall 2 rise 1" % port


def _section(title: str, lines: Sequence[str]) -> List[str]:
    return [title, *("    " + line for line in lines)]


def _quoted(word: str) -> str:
    """One word for HAProxy, whatever is in it."""
    return "'%s'" % word.replace("'", "'\\''")
