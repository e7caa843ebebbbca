# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says of a service of a managed HAProxy: its defaults, and what is refused by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _haproxy_options as options
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Member, Service

WEB = Service("web", "test", {"blue": (Member("a", "127.0.0.1", 80),)}, options={"listen": "0.0.0.0:80"})


def test_what_is_not_said_has_its_default() -> None:
    assert options.read(WEB) == options.Options("0.0.0.0:80", (), "", options.TIMEOUTS, "")


def test_what_is_said_is_read() -> None:
    said = {
        "listen": "[::1]:443",
        "domains": ["Example.com", "*.example.com"],
        "tls": {"certificate": "/etc/ssl/web.pem"},
        "timeouts": {"server": "1m30s", "connect": "250ms", "client": 2.5},
        "log": "127.0.0.1:514",
    }
    read = options.read(replace(WEB, options=said))
    assert (read.domains, read.certificate) == (("example.com", "*.example.com"), "/etc/ssl/web.pem")
    assert read.timeouts == {"server": 90000, "connect": 250, "client": 2500, "keep_alive": 30000, "tunnel": 300000}
    assert options.read(replace(WEB, options={**said, "domains": ["*", "a.b"]})).domains == ()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("listen", None, r"services\.web\.listen is None: expected ADDRESS:PORT"),
        ("listen", "example.com:80", "expected ADDRESS:PORT"),
        ("listen", "1.2.3:80", "expected an IP address before the port"),
        ("listen", "127.0.0.1:70000", "expected a port from 1 to 65535"),
        ("listen", "127.0.0.1:80\n", "expected ADDRESS:PORT"),
        ("domains", "example.com", "expected a list of host names"),
        ("domains", ["a b"], "expected host names"),
        ("domains", ["a\nbind *:1"], "expected host names"),
        ("tls", {"certificate": "web.pem"}, "expected the absolute path of a file"),
        ("tls", {}, "expected the absolute path of a file"),
        ("tls", {"key": "/a"}, r"tls has 'key': expected certificate"),
        ("timeouts", {"server": 0}, "expected a duration"),
        ("timeouts", {"server": "15 s"}, "expected a duration"),
        ("timeouts", {"queue": "1s"}, "timeouts has 'queue': expected connect, client, server, keep_alive, tunnel"),
        ("log", "syslog", r"expected a socket's path or ADDRESS:PORT"),
        ("backend", "web", r"services\.web has 'backend': expected listen, domains"),
    ],
)
def test_what_is_wrong_is_named(key: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        options.read(replace(WEB, options={**WEB.options, key: value}))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"blue": ()}, "pool blue of service web has no members"),
        ({"blue": (Member("a", "a.example.com", 80),)}, r"'a\.example\.com'.*set zdm_address"),
        ({"blue": (Member("a b", "127.0.0.1", 80),)}, "name of a member of pool blue is 'a b'"),
        ({"b:c": (Member("a", "127.0.0.1", 80),)}, "the pool's name is 'b:c'"),
    ],
)
def test_members_that_haproxy_could_not_have_are_named(members: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        options.check_names(replace(WEB, pools=members))
