# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxys other than the one at hand answer, and what zdm cannot promise with them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.adoption.description import Found, Limit
from ansible_collections.zdm.rollout.plugins.module_utils.adoption.text import chosen, made
from ansible_collections.zdm.rollout.plugins.module_utils.routers import _haproxy_describe as describe
from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_config import Proxy, Written

UNKNOWN = "Unknown command, but maybe one of the following ones is a better match:\n  help : list\n"
#: The columns that HAProxy 1.5 has, and the answers of one.
OLD = {
    describe.LEVEL: UNKNOWN,
    describe.INFO: "Name: HAProxy\nVersion: 1.5.18\nNbproc: 4\nProcess_num: 1\nPid: 77\n",
    describe.STATE: UNKNOWN,
    describe.TABLES: UNKNOWN,
    describe.SINKS: UNKNOWN,
    describe.STAT: "# pxname,svname,status,weight,act,bck,type,\nweb,s1,UP,1,1,0,2,\nweb,BACKEND,UP,1,1,0,1,\n",
}
COLUMNS = (
    "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_check_status "
    "srv_fqdn srv_port srv_check_port"
)
NEW = {
    describe.LEVEL: "admin\n",
    describe.INFO: "Name: HAProxy\nVersion: 3.0.5\nNbthread: 8\nPid: 77\n",
    describe.STATE: "1\n%s\n3 web 1 s1 10.0.0.1 2 0 5 7 6 - 80 0\n3 web 2 s2 - 0 0 1 1 6 s.example 80 90\n\n" % COLUMNS,
    describe.TABLES: "# table: web, type: ip, size:1024, used:0\n",
    describe.SINKS: "    buf0  : type=buffer, 0 dropped\n    lb    : type=buffer, 0 dropped, lb\n",
    describe.STAT: (
        "# pxname,svname,status,weight,act,bck,type,check_status,mode,algo,\n"
        "web,FRONTEND,OPEN,,,,0,,http,,\n"
        "web,s1,UP,5,1,0,2,* L7OK,http,,\n"
        "web,s2,MAINT (resolution),1,1,0,2,INI,http,,\n"
        "web,BACKEND,UP,5,1,0,1,,http,roundrobin,\n"
    ),
}


def found(answers: dict[str, str], **changed: str) -> Found:
    return describe.describe("/s", {**answers, **changed})


def said(limits: tuple[Limit, ...], stops: bool) -> str:
    return "\n".join("%s | %s" % (limit.what, limit.mend) for limit in limits if limit.stops == stops)


def test_one_of_ten_years_ago_is_described_as_far_as_it_answers() -> None:
    old = found(OLD)
    assert (old.proxy, old.level, old.processes, old.threads) == ("HAProxy 1.5.18", "", 4, 1)
    assert [each.name for each in old.backends] == ["web"]
    stopping = said(old.limits, stops=True)
    assert (
        "level unknown: weights can be set at level admin only | global: stats socket /s mode 660 level admin"
        in stopping
    )
    assert "4 processes: the socket speaks to one of them" in stopping
    assert not old.fits
    assert made({"lb1": old}, "", {})[1]


def test_what_the_socket_alone_tells() -> None:
    new = found(NEW)
    assert new.fits
    (web,) = new.backends
    assert (web.check, web.path, web.table, web.retries) == ("http", "", "ip, 1024 entries", None)
    first, second = web.servers
    assert (first.weight, first.configured, first.endpoint) == (5, 7, "10.0.0.1:80")
    assert (second.dns, second.resting, second.address, second.check_port) == ("s.example", True, "", 90)
    assert (new.rings, new.log, new.state_file) == (("lb",), None, None)
    assert "if it is used by a line `stick`" in said(web.limits, stops=False)
    assert "was not read" in "\n".join(made({"lb1": new}, "web", {})[1])


def test_a_description_survives_the_way_to_the_controller() -> None:
    new = found(NEW)
    data = new.to_json()
    assert data["backends"][0]["fits"] == "servers"
    assert Found.from_json({**data, "something": "newer"}) == new
    with pytest.raises(ValueError, match="has version 2, expected 1"):
        Found.from_json({**data, "version": 2})


@pytest.mark.parametrize(
    ("algorithm", "stops", "what"),
    [
        ("static-rr", True, "takes no weights at run time"),
        ("first", True, "takes no weights at run time"),
        ("uri", True, "ties users to servers by a hash"),
        ("leastconn", False, "under little load both pools get the same"),
        ("unknown", False, "`balance random`: under little load"),
    ],
)
def test_what_an_algorithm_makes_of_a_share(algorithm: str, stops: bool, what: str) -> None:
    (web,) = found(NEW, **{describe.STAT: NEW[describe.STAT].replace("roundrobin", algorithm)}).backends
    assert what in said(web.limits, stops)
    assert "backend web: balance roundrobin" in said(web.limits, stops)
    assert web.fits is not stops


def test_a_name_that_stands_twice() -> None:
    (web,) = found(NEW, **{describe.STATE: NEW[describe.STATE].replace(" s2 ", " s1 ")}).backends
    assert "the name s1 stands for 2 servers" in said(web.limits, stops=True)


def test_the_backend_in_question() -> None:
    one = found(NEW)
    two = found(
        NEW,
        **{
            describe.STATE: NEW[describe.STATE].replace("\n\n", "\n4 api 1 a 10.0.0.9 2 0 1 1 6 - 80 0\n\n"),
            describe.STAT: NEW[describe.STAT]
            + "api,a,UP,1,1,0,2,L4OK,http,,\napi,BACKEND,UP,1,1,0,1,,http,roundrobin,\n",
        },
    )
    assert chosen({"lb1": one}) == "web"
    assert chosen({"lb1": two}) == ""
    assert "-e zdm_backend=web|api" in made({"lb1": two}, "", {})[1][-1]
    assert chosen({"lb1": one, "lb2": two}, "api") == "api"
    with pytest.raises(ValueError, match=r"no router has a backend wep \(there are web\): name one of these"):
        chosen({"lb1": one}, "wep")


def test_routers_that_are_alike_are_told_once() -> None:
    told: list[Any] = made({"lb1": found(NEW), "lb2": found(NEW)}, "web", {})[1]
    assert "lb2: all as on lb1" in told
    assert len([line for line in told if line.startswith("backend web")]) == 1


def test_a_log_that_somebody_has_named_is_one() -> None:
    told = describe.describe("/s", NEW, log={"udp": 5140})
    assert (told.log, told.limits) == ({"udp": 5140}, ())
    assert "log of requests: udp 5140" in "\n".join(made({"lb1": told}, "web", {})[1])


def test_the_socket_of_level_admin_is_named_where_there_is_one() -> None:
    sockets = {"/s": "user", "/run/admin.sock": "admin"}
    told = describe.describe("/s", {**NEW, describe.LEVEL: "user\n"}, Written(sockets=sockets))
    assert "zdm_router.socket: /run/admin.sock, which has level admin" in said(told.limits, stops=True)


def test_servers_that_do_not_speak_plain_http() -> None:
    state = NEW[describe.STATE].replace(" srv_check_port\n", " srv_check_port srv_use_ssl\n")
    state = state.replace(" 80 0\n", " 80 0 1\n").replace(" 80 90\n", " 80 90 0\n")
    (web,) = found(NEW, **{describe.STATE: state}).backends
    assert "s1: speaks TLS: zdm asks members in plain HTTP" in said(web.limits, stops=False)
    written = Written(proxies={"web": Proxy(wraps={"s2": "the PROXY protocol"})})
    (web,) = describe.describe("/s", NEW, written).backends
    assert [server.wraps for server in web.servers] == ["", "the PROXY protocol"]
