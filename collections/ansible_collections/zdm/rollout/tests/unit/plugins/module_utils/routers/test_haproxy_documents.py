# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents of a managed HAProxy. Whether HAProxy takes them is for the tests with a real one."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _haproxy_documents as documents
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Health, Member, Service
from ansible_collections.zdm.rollout.plugins.module_utils.routers.rules import Rule

WEB = Service(
    "web",
    "test",
    {"blue": (Member("b1", "127.0.0.1", 80),), "green": (Member("g1", "::1", 80),)},
    Health("/up", port=81, expect=204, timeout=1.5),
    {"listen": "0.0.0.0:80"},
)


def lines(service: Service) -> list[str]:
    return [line.strip() for line in documents.service_text(service, "/d/share.map").splitlines()]


def test_same_content_has_the_same_version_and_other_content_another() -> None:
    first, other = documents.service_text(WEB, "/d/m"), documents.service_text(replace(WEB, health=None), "/d/m")
    assert documents.version(first) is not None
    assert documents.version(first) == documents.version(documents.service_text(WEB, "/d/m"))
    assert documents.version(first) != documents.version(other)
    assert documents.version("global\n") is None
    assert documents.variable("we-b") != documents.variable("we.b")


def test_a_member_is_checked_as_the_service_wants_it() -> None:
    assert "server b1 127.0.0.1:80 check port 81 inter 500ms fall 2 rise 1" in lines(WEB)
    assert "server g1 [::1]:80 check port 81 inter 500ms fall 2 rise 1" in lines(WEB)
    assert "http-check expect status 204" in lines(WEB)
    assert "timeout check 1500ms" in lines(WEB)
    unchecked = lines(replace(WEB, health=None))
    assert "server b1 127.0.0.1:80" in unchecked and not any("check" in line for line in unchecked)


def test_a_path_is_one_word_whatever_is_in_it() -> None:
    sent, again = [line for line in lines(replace(WEB, health=Health("/it's#a"))) if line.startswith("http-check send")]
    assert sent == again
    assert sent == "http-check send meth GET uri '/it'\\''s#a' ver HTTP/1.1 hdr Host localhost"


def test_strangers_are_nobodys() -> None:
    named = replace(WEB, options={**WEB.options, "domains": ["a.example", "*.b.example"]})
    (refused,) = [line for line in lines(named) if "404" in line]
    host = "req.hdr(host),field(1,:),lower"
    assert refused == (
        "http-request return status 404 if !{ %s -m str a.example } !{ %s -m end .b.example }" % (host, host)
    )
    assert not [line for line in lines(WEB) if "404" in line]


def test_no_name_of_a_backend_is_a_frontends() -> None:
    """A service web-blue has a frontend, and pool blue of web a backend."""
    assert documents.frontend_name("web-blue") != documents.backend_name("web", "blue")


def test_the_address_is_found_again() -> None:
    tls = replace(WEB, options={"listen": "[::1]:443", "tls": {"certificate": "/c.pem"}})
    assert documents.listens(documents.service_text(tls, "/d/m")) == "[::1]:443"
    assert "bind [::1]:443 ssl crt /c.pem alpn h2,http/1.1" in lines(tls)
    assert documents.listens("") == ""


def test_a_preview_goes_before_a_match_and_both_before_the_dice() -> None:
    rules = {"preview": (Rule("cookie", "look", "1"),), "match": (Rule("header", "x-canary", "insider"),)}
    ruled = replace(WEB, rules=rules)
    text = documents.service_text(ruled, "/d/m")
    places = [
        text.index(part) for part in ("rand(10000)", "req.fhdr(x-canary) -m str insider", "req.cook(look) -m str 1")
    ]
    assert places == sorted(places), "the last one that sets the pool counts"
    assert documents.has_rules(text, ruled)
    assert not documents.has_rules(documents.service_text(WEB, "/d/m"), ruled)
