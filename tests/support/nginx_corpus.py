# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx configurations as people write them, and what has to be said of each."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_lines import FORMAT

PORTS = """\
server 127.0.0.11:8081 {0};
server 127.0.0.12:8081 {0};
server 127.0.0.11:8082 {1};
server 127.0.0.12:8082 {1};
"""
BLUE_GREEN = PORTS.format("", "down")
PORTED = {"blue": ["127.0.0.11:8081", "127.0.0.12:8081"], "green": ["127.0.0.11:8082", "127.0.0.12:8082"]}
SERVER = """
server {
    listen 127.0.0.1:{port};
    server_name www.example.com;
    location / { proxy_pass http://web; %s }
}
"""


def web(inside: str, location: str = "") -> str:
    return "upstream web {\n%s\n}\n" % inside + SERVER.replace("%s", location)


IN_A_FILE = {"web.servers": BLUE_GREEN}
INCLUDED = "zone web 64k; include {directory}/web.servers;"


@dataclass(frozen=True)
class Case:
    """``http`` as it is written, with more ``files``; ``says``: of what is said of it; ``pools``: those proposed, none
    where somebody has to decide; ``fits``: whether the driver can split it as it is."""

    http: str
    says: tuple[str, ...]
    pools: dict[str, list[str]] = field(default_factory=dict)
    fits: bool = False
    files: dict[str, str] = field(default_factory=dict)
    main: str = ""


CASES = {
    "a file of its own": Case(
        web(INCLUDED),
        ("mode servers fits", "web.servers; each change is a reload", "location /: proxy_pass http://web"),
        PORTED,
        True,
        IN_A_FILE,
    ),
    "as most have it": Case(
        web("zone web 64k;" + BLUE_GREEN),
        ("! its servers stand in", "upstream web: include {directory}/zdm/web.servers; in their place"),
        PORTED,
    ),
    "sites of their own": Case(
        "include {directory}/sites/*.conf;",
        ("server www.example.com", "sites/web.conf, {directory}/web.servers"),
        PORTED,
        True,
        {**IN_A_FILE, "sites/web.conf": web("zone web 64k; include web.servers;")},
    ),
    "weights": Case(
        web("zone web 64k; include {directory}/web.servers;"),
        ("weight 95", "weight 5", "(blue 95 %, green 5 %)"),
        PORTED,
        True,
        {"web.servers": PORTS.format("weight=95 max_fails=3", "weight=5")},
    ),
    "idle by down": Case(
        web("zone web 64k; include {directory}/web.servers;"),
        ("the word down of 127.0.0.12:80",),
        {"blue": ["127.0.0.11:80"], "green": ["127.0.0.12:80"]},
        True,
        {"web.servers": "server 127.0.0.11; server 127.0.0.12 down;"},
    ),
    "equal servers": Case(
        web("zone web 64k; server 127.0.0.11:80; server 127.0.0.12:80;"),
        ("To be decided", "upstream web: server 127.0.0.11:81 down", "such as 127.0.0.12:80: give these `down`"),
    ),
    "ip_hash": Case(
        web("ip_hash; include {directory}/web.servers;"),
        ("! `ip_hash` ties users", "no `zone`"),
        PORTED,
        files=IN_A_FILE,
    ),
    "hash": Case(
        web('hash "$remote_addr$uri" consistent; zone web 64k; include {directory}/web.servers;'),
        ("! `hash $remote_addr$uri consistent` ties users", "or mode managed with `sticky`"),
        PORTED,
        files=IN_A_FILE,
    ),
    "least_conn": Case(
        web("least_conn; zone web 64k; include {directory}/web.servers;"),
        ("- `least_conn` looks at open connections", "balance least_conn"),
        PORTED,
        True,
        IN_A_FILE,
    ),
    "random two": Case(
        web("random two least_conn; zone web 64k; include {directory}/web.servers;"),
        ("`random two least_conn` takes the less busy",),
        PORTED,
        True,
        IN_A_FILE,
    ),
    "backup": Case(
        web(INCLUDED),
        ("127.0.0.13:80: `backup`: takes nothing", "Left alone, in no pool: 127.0.0.13:80."),
        PORTED,
        True,
        {"web.servers": BLUE_GREEN + "server 127.0.0.13:80 backup;"},
    ),
    "names": Case(
        web(INCLUDED),
        ("! localhost:8083: a name: nginx looks it up", "its addresses, a `server` each"),
        {},
        files={"web.servers": BLUE_GREEN + "server localhost:8083;"},
    ),
    "a socket of its own": Case(
        web(INCLUDED),
        ("a socket of this machine", "takes traffic and has no address and port"),
        {},
        True,
        {"web.servers": BLUE_GREEN + "server unix:{directory}/app.sock;"},
    ),
    "a variable decides": Case(
        "map $http_x_beta $pool { default web; 1 beta; }\nupstream beta { server 127.0.0.14:80; }\n"
        + web(INCLUDED).replace("http://web", "http://$pool"),
        ("location /: proxy_pass http://$pool: which servers", "no location names it"),
        PORTED,
        True,
        IN_A_FILE,
    ),
    "no upstream": Case(
        web(INCLUDED)
        + "server { listen 127.0.0.1:{port}; server_name old; location /x { proxy_pass http://127.0.0.15:80/y; } }",
        ("server old (listen 127.0.0.1:{port}), location /x", "no upstream, so there is one server"),
        PORTED,
        True,
        IN_A_FILE,
    ),
    "quotes, comments and braces": Case(
        'map $uri $x { "~^/a{1,2};}" "{"; default \'it; is "}"\'; } # upstream web { server 127.0.0.9:9; }\n'
        + web(INCLUDED).replace("server_name www.example.com", 'server_name ~^(?<name>.+)\\.example\\.com$ "b c"')
        + '# server { }\nserver { listen 127.0.0.1:{port}; server_name q; return 200 "${host}; } {"; }',
        ("server ~^(?<name>.+)\\.example\\.com$ b c", "4 servers"),
        PORTED,
        True,
        {"web.servers": "# server 127.0.0.9:9;\n" + BLUE_GREEN.replace(" down;", " # down\n down;")},
    ),
    "TLS behind": Case(
        web(INCLUDED).replace("http://web", "https://web"),
        ("https: zdm asks members by a connection only",),
        PORTED,
        True,
        IN_A_FILE,
    ),
    "FastCGI behind": Case(
        web(INCLUDED).replace("proxy_pass http://web", "fastcgi_pass web"),
        ("fastcgi: zdm asks members",),
        PORTED,
        True,
        IN_A_FILE,
    ),
    "WebSockets": Case(
        web(INCLUDED, "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;"),
        ("WebSockets pass", "worker_shutdown_timeout 1h;"),
        PORTED,
        True,
        IN_A_FILE,
    ),
    "mirror and cache": Case(
        "proxy_cache_path {directory}/cache keys_zone=c:1m;"
        + web(INCLUDED, "mirror /m; proxy_cache c;")
        + "server { listen 127.0.0.1:{port}; server_name m; location /m { return 204; } }",
        ("`mirror`: a target that hangs", "`proxy_cache`: what it answers comes from no pool"),
        PORTED,
        True,
        IN_A_FILE,
    ),
    "no second try": Case(web(INCLUDED, "proxy_next_upstream off;"), ("mode servers fits",), PORTED, True, IN_A_FILE),
    "two upstreams": Case(
        "upstream api { server 127.0.0.21:80; server 127.0.0.22:80; }" + web(INCLUDED),
        ("upstream api: http, balance round robin, 2 servers", "Two pools, told by the ports"),
        PORTED,
        True,
        IN_A_FILE,
    ),
    "a log of ours": Case(
        FORMAT + web(INCLUDED, "set $zdm_service web; access_log {directory}/zdm.log zdm;"),
        ("log of requests: file {directory}/zdm.log", "log: {file:", "  errors: {signal: router"),
        PORTED,
        True,
        IN_A_FILE,
    ),
}
