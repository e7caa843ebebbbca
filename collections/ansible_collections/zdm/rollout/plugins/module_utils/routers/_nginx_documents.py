# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents that a managed nginx reads: what a service is at nginx, as text.

Rules of this room: pure functions from a service to text; no I/O, nothing of a running nginx.

    http.conf                   what all services share; a line "include …/http.conf;" in http {} is all that zdm needs
    services/<name>.conf        one service: its buckets, rules, pools, and the server that listens for it
    members/<name>/<pool>.conf  the members of one pool
    split/<name>/current        the share, see _nginx_share.py: the only thing that a rollout changes
    out/<name>/<pool>.<member>  an empty file: this member is not well and gets nothing

Each service has a second server, at the socket of http.conf: it asks the same of a bucket and rules that are named in
the request, and answers with the pool and with the version of the documents that run. So whoever asks knows what a
worker sees, and that it is what the files say. A version is made of what it says. nginx 1.18 is the oldest that has
all of this.
"""

from __future__ import annotations

import re
from binascii import crc32
from typing import Dict, List, Mapping, Optional, Sequence

from . import _nginx_options as options
from . import _nginx_share as share
from ._nginx_lines import FORMAT
from ._nginx_servers import endpoint_of
from .api import Service
from .rules import COOKIE, Rule

#: Whoever reads a configuration reads this first.
BANNER = "# Written by the module zdm.rollout.service, which does so again as long as zdm manages this nginx.\n"
VERSION = re.compile(r"^# version (zdm-[0-9a-f]{16})$", re.MULTILINE)
LISTEN = re.compile(r"^    listen ([^\s;]+)", re.MULTILINE)
SERVER = re.compile(r"^server (\S+) [^#]*; # (\S+)$", re.MULTILINE)
RULE = re.compile(r'^map (\S+) \$zdm_\w+_(match|preview)_\d+ \{ default ""; "~(.*)" x; \}$', re.MULTILINE)
INCLUDE = re.compile(r"^    include (\S+)\.conf;$", re.MULTILINE)
STATIC = re.compile(r"^# left with (\d+) of 1000 to (\S+)$", re.MULTILINE)
CACHED = re.compile(r"^\s*(open_file_cache\s+(?!off;)[^;]*)", re.MULTILINE)

COMMON = """
{format}
map $http_upgrade $zdm_connection {{ default upgrade; "" ""; }}
map $arg_bucket $zdm_asked_bucket {{ default ""; "~^[0-9]+$" $arg_bucket; }}
map $arg_match $zdm_asked_match {{ default "-"; "match" match; }}
map $arg_preview $zdm_asked_preview {{ default "-"; "preview" preview; }}

# What zdm asks: which pool a bucket goes to, and which configuration runs.
server {{
    listen unix:{socket} default_server;
    access_log off;
    return 200 "{version}";
}}

include {services}/*.conf;
"""

#: A cache would go on seeing the share of before; links are how a share is changed.
UNCACHED = ("open_file_cache off;", "disable_symlinks off;")

#: Retries are for requests that may be sent twice, few, and counted: the log has each try.
PROXY = """\
proxy_http_version 1.1;
proxy_set_header Host $http_host;
proxy_set_header Connection $zdm_connection;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_connect_timeout {connect}ms;
proxy_send_timeout {server}ms;
proxy_read_timeout {server}ms;
proxy_next_upstream error timeout http_502 http_503{non_idempotent};
proxy_next_upstream_tries 3;
proxy_next_upstream_timeout {server}ms;
proxy_pass http://$zdm_pool;"""

#: A member that failed so often in so many seconds is left out for as long; the last one of a pool never is.
PASSIVE = "max_fails=3 fail_timeout=5s"
#: Of a pool with more members none is left out: each costs a look at a file for each request.
MOST_MEMBERS = 16


def word(name: str) -> str:
    """A name as part of one of nginx's, which are lower case and of letters and digits; one to one."""
    return re.sub(r"[^a-z0-9]", lambda found: "_%02x" % ord(found[0]), name)


def upstream_name(service: str, pool: str) -> str:
    return "zdm_%s.%s" % (word(service), word(pool))


def status_name(service: str) -> str:
    """The host that a service's second server answers as."""
    return "%s.zdm" % word(service)


def version(text: str) -> Optional[str]:
    """The version that a document claims; None for text that is no such document."""
    found = VERSION.search(text)
    return found[1] if found else None


def listens(text: str) -> str:
    """The address that a service's document listens at; empty where it has none."""
    found = LISTEN.search(text)
    return found[1] if found else ""


def cached(text: str) -> str:
    """What a document says of a cache of files, where somebody has written that into it; empty where nothing."""
    found = CACHED.search(text)
    return found[1] if found else ""


def static_parts(text: str, pools: Sequence[str]) -> Dict[str, int]:
    """The parts that stand in a service's document itself; empty where they are looked up."""
    found = STATIC.search(text)
    if not found or found[2] not in pools:
        return {}
    rest = {pool: share.SCALE.top - int(found[1]) for pool in pools if pool != found[2]}
    return {**rest, found[2]: int(found[1])}


def pools_of(text: str) -> List[str]:
    """The pools that a service's document has, whatever the share."""
    return [path.rpartition("/")[2] for path in INCLUDE.findall(text)]


def common(socket: str, services: str) -> str:
    """``http.conf``, with zdm's socket and the services' documents at these paths."""
    claimed = _version(COMMON, FORMAT, socket, services)
    body = COMMON.format(format=FORMAT.strip(), socket=socket, services=services, version=claimed)
    return "%s# version %s\n%s" % (BANNER, claimed, body)


def members_text(service: Service, pool: str) -> str:
    """The document of a pool's members."""
    lines = ["server %s %s; # %s" % (endpoint_of(member), PASSIVE, member.name) for member in service.pools[pool]]
    return "%s# Members of pool %s.\n%s\n" % (BANNER, pool, "\n".join(lines))


def members_of(text: str) -> Dict[str, str]:
    """The members of a document: name -> address and port."""
    return {found[2]: found[1] for found in SERVER.finditer(text)}


def service_text(
    service: Service, paths: Mapping[str, str], members: Mapping[str, str], static: Optional[Mapping[str, int]] = None
) -> str:
    """The document of a service; ValueError where something in it is none of nginx's.

    ``paths``: ``socket``, ``current`` (the link to the share), ``log`` (this service's), ``members`` and ``out``
    (directories); ``members``: the documents of the pools. With ``static`` these are its parts for good, and nothing is
    looked up.
    """
    options.check_names(service)
    given = options.read(service)
    second = share.pair(list(service.pools))[1]
    parts = [_maps(service, given), _buckets(service, given, static)]
    parts += [_upstream(service, pool, paths["members"]) for pool in sorted(service.pools)]
    tests = _tests(service, paths["current"]) if static is None else _static_tests(service)
    resting = _resting(service, paths["out"]) if static is None else []
    parts += _without(service) if static is None else []
    parts += [*_strangers(given), _server(service, given, paths["log"], tests, resting)]
    lines = [line for part in parts for line in ["", *part]]
    claimed = _version(*lines, *tests, *(members[pool] for pool in sorted(members)))
    lines += ["", *_status(service, paths["socket"], tests, claimed)]
    left = [] if static is None else ["# left with %d of 1000 to %s" % (static[second], second)]
    return "\n".join([BANNER + "# version %s" % claimed, *left, *lines, ""])


def has_rules(text: str, service: Service) -> bool:
    """Whether a service's document has all rules of the service; it may have more."""
    known = {found.groups() for found in RULE.finditer(text)}
    return known >= {
        (_sample(rule), each, _pattern(rule)) for each in share.SETS for rule in service.rules.get(each, ())
    }


def _version(*texts: str) -> str:
    """Of two sums; whoever could forge them may write the file anyway."""
    content = "\n".join(texts).encode()
    return "zdm-%08x%08x" % (crc32(content), crc32(content[::-1]))


def _maps(service: Service, given: options.Options) -> List[str]:
    lines = _rule_maps(service)
    if given.cookie:
        name = word(service.name)
        ask = 'map $cookie_%s $zdm_%s_user { default $cookie_%s; "" $request_id; }'
        lines.append(ask % (given.cookie, name, given.cookie))
        give = 'map $cookie_%s $zdm_%s_cookie { default ""; "" "%s=$request_id; Path=/; Max-Age=%d; HttpOnly"; }'
        lines.append(give % (given.cookie, name, given.cookie, given.ttl))
    return lines


def _rule_maps(service: Service) -> List[str]:
    """For each set a variable that has its name where a request is in it, and else a dash."""
    lines = []
    for each in share.SETS:
        rules = service.rules.get(each, ())
        names = ["$zdm_%s_%s_%d" % (word(service.name), each, number) for number in range(len(rules))]
        for rule, variable in zip(rules, names):
            lines.append('map %s %s { default ""; "~%s" x; }' % (_sample(rule), variable, _pattern(rule)))
        if rules:
            lines.append(
                'map "%s" $zdm_%s_%s { default %s; "" "-"; }' % ("".join(names), word(service.name), each, each)
            )
    return lines


def _sample(rule: Rule) -> str:
    return "$http_cookie" if rule.kind == COOKIE else "$http_%s" % rule.name.lower().replace("-", "_")


def _pattern(rule: Rule) -> str:
    """A map compares text whatever its case, so a value is an expression, with nothing in it that means something."""
    value = _literal(rule.value)
    return r"(^|;\x20?)%s=%s(;|$)" % (_literal(rule.name), value) if rule.kind == COOKIE else "^%s$" % value


def _literal(text: str) -> str:
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else r"\x%02x" % byte for byte in text.encode())


def _buckets(service: Service, given: options.Options, static: Optional[Mapping[str, int]]) -> List[str]:
    """Salted by the service's name: who is early at one service is not so at all."""
    name = word(service.name)
    key = "$zdm_%s_user" % name if given.cookie else "$request_id"
    head = 'split_clients "%s %s" $zdm_%s_%s {' % (service.name, key, name, "bucket" if static is None else "pool")
    last = share.SCALE.top - 1
    if static is None:
        return [head, *("    0.10%% %d;" % bucket for bucket in range(last)), "    * %d;" % last, "}"]
    first, second = share.pair(list(service.pools))
    part = static[second] if first != second else 0
    lines = ["    %.2f%% %s;" % (part / 10.0, upstream_name(service.name, second))] if 0 < part <= last else []
    other = second if part > last else first
    return [head, *lines, "    * %s;" % upstream_name(service.name, other), "}"]


def _upstream(service: Service, pool: str, members: str) -> List[str]:
    name = upstream_name(service.name, pool)
    body = ["zone %s 64k;" % name, "include %s/%s.conf;" % (members, pool), "keepalive 32;"]
    return _block("upstream %s" % name, body)


def _tests(service: Service, current: str) -> List[str]:
    """From a bucket and rules to a pool; the last that is so counts, so a preview goes before."""
    first, second = share.pair(list(service.pools))
    lines = ["set $zdm_pool %s;" % upstream_name(service.name, first)]
    if first != second:
        lines.append(_test("%s/$zdm_bucket.%s" % (current, second), service, second))
    for each in [each for each in share.SETS if service.rules.get(each)]:
        lines += [_test("%s/$zdm_%s.%s" % (current, each, pool), service, pool) for pool in sorted(service.pools)]
    return lines


def _test(path: str, service: Service, pool: str) -> str:
    return "if (-f %s) { set $zdm_pool %s; }" % (path, upstream_name(service.name, pool))


def _static_tests(service: Service) -> List[str]:
    return ["set $zdm_pool $zdm_%s_pool;" % word(service.name)]


def _strangers(given: options.Options) -> List[List[str]]:
    """Who answers other host names than the service's."""
    if not given.domains:
        return []
    return [_block("server", ["listen %s default_server;" % _listen(given), *_tls(given), "return 404;"])]


def _listen(given: options.Options) -> str:
    return given.listen + (" ssl http2" if given.certificate else "")


def _tls(given: options.Options) -> List[str]:
    if not given.certificate:
        return []
    return ["ssl_certificate %s;" % given.certificate, "ssl_certificate_key %s;" % given.certificate]


def rest_name(service: Service, member: str) -> str:
    """The file by which a member is left out; empty where nothing would be left of its pool, or too much to list."""
    pool = service.pool_of(member)
    if pool is None or not 2 <= len(service.pools[pool]) <= MOST_MEMBERS:
        return ""
    return "%s.%s" % (upstream_name(service.name, pool), word(member))


def _resting(service: Service, out: str) -> List[str]:
    """From a pool to what is left of it while one of its members rests."""
    names = [rest_name(service, member.name) for pool in sorted(service.pools) for member in service.pools[pool]]
    return [
        "if (-f %s/$zdm_pool.%s) { set $zdm_pool $zdm_pool.%s; }" % (out, *[name.rpartition(".")[2]] * 2)
        for name in names
        if name
    ]


def _without(service: Service) -> List[List[str]]:
    """The pools without one of their members each."""
    found = []
    for pool in sorted(service.pools):
        for member in service.pools[pool]:
            name = rest_name(service, member.name)
            left = [each for each in service.pools[pool] if each != member]
            lines = ["server %s %s;" % (endpoint_of(each), PASSIVE) for each in left]
            found += [_block("upstream %s" % name, ["zone %s 64k;" % name, *lines, "keepalive 32;"])] if name else []
    return found


def _server(
    service: Service, given: options.Options, log: str, tests: Sequence[str], resting: Sequence[str]
) -> List[str]:
    name = word(service.name)
    proxy = PROXY.format(
        connect=given.timeouts["connect"],
        server=given.timeouts["server"],
        non_idempotent=" non_idempotent" if given.non_idempotent else "",
    )
    to = "unix:" + given.log if given.log.startswith("/") else given.log
    lines = [
        "listen %s;" % _listen(given),
        *(["server_name %s;" % " ".join(given.domains)] if given.domains else []),
        *_tls(given),
        *UNCACHED,
        "set $zdm_service %s;" % service.name,
        "access_log %s zdm;" % log,
        *(["access_log syslog:server=%s,nohostname zdm;" % to] if given.log else []),
        "client_header_timeout %dms;" % given.timeouts["client"],
        "client_body_timeout %dms;" % given.timeouts["client"],
        "send_timeout %dms;" % given.timeouts["client"],
        "keepalive_timeout %dms;" % given.timeouts["keep_alive"],
        "client_max_body_size 0;",
        *(["set $zdm_bucket $zdm_%s_bucket;" % name] if "$zdm_bucket" in "".join(tests) else []),
        *("set $zdm_%s $zdm_%s_%s;" % (each, name, each) for each in share.SETS if "$zdm_%s." % each in "".join(tests)),
        *tests,
        *resting,
        "location / {",
        *("    " + line for line in proxy.splitlines()),
        *(["    add_header Set-Cookie $zdm_%s_cookie always;" % name] if given.cookie else []),
        "}",
    ]
    return _block("server", lines)


def _status(service: Service, socket: str, tests: Sequence[str], claimed: str) -> List[str]:
    lines = [
        "listen unix:%s;" % socket,
        "server_name %s;" % status_name(service.name),
        *UNCACHED,
        "access_log off;",
        "keepalive_requests 10000;",
        "set $zdm_bucket $zdm_asked_bucket;",
        *("set $zdm_%s $zdm_asked_%s;" % (each, each) for each in share.SETS if "$zdm_%s." % each in "".join(tests)),
        *tests,
        'return 200 "%s $zdm_pool";' % claimed,
    ]
    return _block("server", lines)


def _block(title: str, lines: Sequence[str]) -> List[str]:
    return [title + " {", *("    " + line for line in lines), "}"]
