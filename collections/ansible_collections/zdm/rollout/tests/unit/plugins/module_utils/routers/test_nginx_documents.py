# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a managed nginx has of a service: documents."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _nginx_documents as documents
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Member, Service
from ansible_collections.zdm.rollout.plugins.module_utils.routers.rules import read

PATHS = {
    "socket": "/etc/s.sock",
    "current": "/etc/split/web/current",
    "log": "/log/web.log",
    "members": "/etc/m/web",
    "out": "/etc/out/web",
}
RULES = {
    "match": [{"header": "X-Canary", "value": "in.sider$"}, {"cookie": "beta", "value": "1"}],
    "preview": [{"header": "x-preview", "value": "idle"}],
}
POOLS = {pool: (Member("web-" + pool, "127.0.0.1", port),) for pool, port in (("blue", 81), ("green", 82))}
WEB = Service("web", "test", POOLS, options={"listen": "127.0.0.1:80"})


def text(service: Service, static: dict[str, int] | None = None) -> str:
    members = {pool: documents.members_text(service, pool) for pool in service.pools}
    return documents.service_text(service, PATHS, members, static)


def optioned(**options: Any) -> Service:
    return replace(WEB, options={**WEB.options, **options})


def test_every_pool_that_a_request_may_go_to_is_there() -> None:
    """nginx's own test does not see a name that does not exist, since it stands in a variable."""
    for service in (WEB, replace(WEB, rules=read(RULES))):
        for static in (None, {"blue": 300, "green": 700}):
            said = text(service, static)
            named = set(re.findall(r"(?:set \$zdm_pool |% )(zdm_\S+);", said))
            assert named <= set(re.findall(r"^upstream (\S+) \{$", said, re.MULTILINE)), named


def test_buckets_are_a_thousand_equal_ones() -> None:
    buckets = re.findall(r"^    (0\.10%|\*) (\d+);$", text(WEB), re.MULTILINE)
    assert [int(bucket) for _part, bucket in buckets] == list(range(1000))
    assert [part for part, _bucket in buckets] == ["0.10%"] * 999 + ["*"]


def test_zdm_asks_what_requests_are_asked() -> None:
    service = replace(WEB, rules=read(RULES))
    public, status = [re.findall(r"if \(-f .*", server) for server in text(service).split("server {")[1:]]
    assert public == status
    assert len(status) == 5


def test_a_version_is_made_of_all_that_counts() -> None:
    two = replace(WEB, pools={**POOLS, "blue": (*POOLS["blue"], Member("two", "127.0.0.1", 83))})
    services = [WEB, two, optioned(timeouts={"server": "1m"}), replace(WEB, rules=read(RULES))]
    versions = [documents.version(text(service)) for service in services]
    assert len(set(versions)) == len(services)
    assert versions[0] == documents.version(text(WEB))
    assert 'return 200 "%s $zdm_pool";' % versions[0] in text(WEB)
    assert documents.version("server {}") is None
    assert documents.version(documents.common("/a.sock", "/s")) != documents.version(documents.common("/b.sock", "/s"))


def test_rules_are_exact_and_mean_nothing_else() -> None:
    said = text(replace(WEB, rules=read(RULES)))
    assert r'map $http_x_canary $zdm_web_match_0 { default ""; "~^in\x2esider\x24$" x; }' in said
    assert r'map $http_cookie $zdm_web_match_1 { default ""; "~(^|;\x20?)beta=1(;|$)" x; }' in said
    assert 'map "$zdm_web_match_0$zdm_web_match_1" $zdm_web_match { default match; "" "-"; }' in said


def test_it_is_known_which_rules_a_document_has() -> None:
    both, match = replace(WEB, rules=read(RULES)), replace(WEB, rules=read({"match": RULES["match"]}))
    other = replace(WEB, rules=read({"match": [{"header": "x-canary", "value": "1"}]}))
    assert documents.has_rules(text(both), both) and documents.has_rules(text(both), match)
    assert documents.has_rules(text(WEB), WEB) and documents.has_rules(text(both), WEB)
    assert not documents.has_rules(text(match), both)
    assert not documents.has_rules(text(both), other)


def test_names_are_one_to_one() -> None:
    assert documents.upstream_name("web", "blue") == "zdm_web.blue"
    names = [("a", "b_c"), ("a_b", "c"), ("a-b", "c"), ("A", "b"), ("a", "B"), ("a", "b"), ("a.b", "c")]
    assert len({documents.upstream_name(*name).lower() for name in names}) == len(names)


def test_members_are_read_back() -> None:
    pools = {"blue": (Member("one", "10.0.0.1", 80), Member("two", "::1", 81))}
    said = documents.members_text(replace(WEB, pools=pools), "blue")
    assert documents.members_of(said) == {"one": "10.0.0.1:80", "two": "[::1]:81"}


def test_parts_that_stand_in_a_document() -> None:
    for green in (0, 1, 999, 1000):
        said = text(WEB, {"blue": 1000 - green, "green": green})
        assert documents.static_parts(said, ["blue", "green"]) == {"blue": 1000 - green, "green": green}
        assert "split/web" not in said
    assert documents.static_parts(text(WEB), ["blue", "green"]) == {}


def test_a_user_keeps_his_bucket_by_his_cookie() -> None:
    said = text(optioned(sticky={"cookie": "uid", "ttl": "1h"}))
    assert 'split_clients "web $zdm_web_user" $zdm_web_bucket {' in said
    assert '"uid=$request_id; Path=/; Max-Age=3600; HttpOnly"' in said
    assert "Set-Cookie" not in text(WEB)


def test_only_who_asks_for_it_has_requests_sent_twice_that_may_not_be() -> None:
    assert "proxy_next_upstream error timeout http_502 http_503;" in text(WEB)
    assert "http_503 non_idempotent;" in text(optioned(retry_non_idempotent=True))


def test_a_cache_that_somebody_wrote_is_found() -> None:
    assert documents.cached(text(WEB)) == ""
    assert (
        documents.cached(text(WEB).replace("open_file_cache off;", "open_file_cache max=9;")) == "open_file_cache max=9"
    )


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        (optioned(listen="80"), "listen is '80': expected ADDRESS:PORT"),
        (optioned(backend="x"), "has 'backend': expected listen, domains, tls, timeouts, log, sticky, retry_non"),
        (optioned(domains=["a b"]), "expected host names"),
        (optioned(tls={"certificate": "/a;b"}), "the absolute path of a file"),
        (optioned(sticky={"cookie": "a-b"}), "the name of a cookie: letters, digits and _"),
        (optioned(sticky={"ttl": "1h"}), "sticky.cookie is None"),
        (optioned(retry_non_idempotent="yes"), "expected true or false"),
        (replace(WEB, rules=read({"match": [{"header": "x_canary", "value": "1"}]})), "nginx drops headers"),
        (replace(WEB, name="..web"), "the service's name is"),
        (replace(WEB, pools={"blue; }": POOLS["blue"]}), "the pool's name is"),
        (replace(WEB, pools={**POOLS, "red": POOLS["blue"]}), "splits between two pools, and these are 3"),
        (replace(WEB, pools={"blue": ()}), "has no members"),
        (replace(WEB, pools={"blue": (Member("a", "web.example", 80),)}), "takes IP addresses"),
    ],
)
def test_what_is_none_of_nginxs_is_refused(service: Service, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        text(service)
