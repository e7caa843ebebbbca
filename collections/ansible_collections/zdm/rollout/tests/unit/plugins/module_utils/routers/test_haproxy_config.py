# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a configuration says of what the socket does not tell, and nothing else of it."""

from __future__ import annotations

import dataclasses
import json

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_config import Proxy, parse

OLD = """
global
    server-state-file /var/lib/haproxy/state   # since 2016
    log 127.0.0.1 local0
userlist staff
    user ann insecure-password s3cret
defaults
    retries 2
    option redispatch
    option httpchk HEAD /old HTTP/1.0
    stats auth ann:s3cret
    default-server slowstart 5s
frontend www
    bind :80
    use_backend web if { path /x }
backend web
    cookie SRV insert
    option httpchk GET "/he alth" HTTP/1.1\\r\\nHost:\\ web
    http-check expect status 204
    load-server-state-from-file global
    stick-table type ip size 10k
    stick on src table web
    use-server w1 if { req.hdr(x-token) s3cret }
    server w1 10.0.0.1:80 check cookie w1
    server w2 10.0.0.2:80 check ssl slowstart 30s
    server-template t 2-3 t.example:80
defaults
    no option redispatch
listen ftp
    mode tcp
    server f "10.0.0.3:21" send-proxy-v2
"""


def test_a_configuration_of_many_years() -> None:
    found = parse(OLD)
    assert found.state_file == "/var/lib/haproxy/state"
    assert found.log is None
    assert found.proxies["web"] == Proxy(
        retries=2,
        redispatch=True,
        check="http",
        path="/he alth",
        expect=204,
        from_state_file=True,
        cookie="cookie SRV insert",
        sticky=("stick on src",),
        around=("use-server w1",),
        vhost=True,
        slow="5s",
        slowstart={"w1": "5s", "w2": "30s", "t2": "5s", "t3": "5s"},
        wraps={"w1": "", "w2": "TLS", "t2": "", "t3": ""},
    )
    assert found.proxies["ftp"] == Proxy(slowstart={"f": ""}, wraps={"f": "the PROXY protocol"})


def test_nothing_secret_is_kept() -> None:
    assert "s3cret" not in json.dumps(dataclasses.asdict(parse(OLD)))


@pytest.mark.parametrize(
    ("line", "check", "path"),
    [
        ("option httpchk", "http", "/"),
        ("option httpchk /up", "http", "/up"),
        ("option httpchk GET /up HTTP/1.1", "http", "/up"),
        ("option httpchk\n http-check send meth GET uri /up", "http", "/up"),
        ("option httpchk /up\n no option httpchk", "tcp", ""),
        ("option mysql-check", "other", ""),
        ("", "tcp", ""),
    ],
)
def test_how_servers_are_checked(line: str, check: str, path: str) -> None:
    proxy = parse("backend web\n %s\n" % line).proxies["web"]
    assert (proxy.check, proxy.path) == (check, path)


def test_defaults_have_names_and_end_those_before() -> None:
    found = parse(
        "defaults a\n retries 7\ndefaults b from a\n option redispatch\n"
        "backend one from a\nbackend two\ndefaults\nbackend three\nbackend four from b\n"
    )
    seen = {name: (proxy.retries, proxy.redispatch) for name, proxy in found.proxies.items()}
    assert seen == {"one": (7, False), "two": (7, True), "three": (3, False), "four": (7, True)}


@pytest.mark.parametrize(
    ("format_", "ring", "log"),
    [
        ("""'{"b":"%b","s":"%s","tr":%Tr}'""", "log ring@lb format raw local0", {"ring": "lb"}),
        ("""'{"b":"%b"}'""", "log ring@lb format raw local0", None),
        ("""'{"b":"%b","s":"%s","tr":%Tr}'""", "log 127.0.0.1 local0", None),
    ],
)
def test_a_log_that_zdm_can_read(format_: str, ring: str, log: object) -> None:
    assert parse("global\n %s\nfrontend f\n log-format %s\n" % (ring, format_)).log == log


@pytest.mark.parametrize(
    "line", ["server", "server-template t", "server-template t x a:1", "cookie", "retries", "log", "'"]
)
def test_what_cannot_be_understood_is_passed_over(line: str) -> None:
    assert "web" in parse("backend web\n %s\n" % line).proxies
