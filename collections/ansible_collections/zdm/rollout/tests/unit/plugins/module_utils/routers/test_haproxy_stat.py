# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy's texts mean; the samples have the shape that 2.6 gives them, columns in an order of their own."""

from __future__ import annotations

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _haproxy_stat as stat
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import DOWN, UNCHECKED, UP

STATE = """\
Level: admin

1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change
7 web 1 blue 10.0.0.1 2 0 128 100 5
7 web 2 green 10.0.0.2 2 0 12 1 5

"""

STAT = """\
# pxname,svname,status,weight,bck,mode,algo,cookie,agent_status,throttle,desc,
web,blue,UP,128,0,http,,,,,"a, b",
web,green,no check,12,0,http,,g,L7OK,50%,,
web,BACKEND,UP,140,0,http,roundrobin,,,,,
"""


def answered(**columns: int) -> dict[str, str]:
    """A row of ``show stat``: HAProxy leaves empty what it does not count for a server."""
    return {"mode": "http", **{name: str(value) for name, value in columns.items()}, "hrsp_other": ""}


def test_weights_in_force_and_configured_are_two_columns() -> None:
    state = stat.parse_state(STATE)
    assert state == stat.State("7", {"blue": 128, "green": 12}, {"blue": 100, "green": 1})


def test_a_backend_without_servers_has_no_number() -> None:
    header = "\n".join(STATE.splitlines()[:4])
    assert stat.parse_state(header + "\n\n") == stat.State("", {}, {})


@pytest.mark.parametrize("text", ["", "Can't find backend.\n\n", "Permission denied\n\n"])
def test_an_answer_that_is_no_state_is_none(text: str) -> None:
    assert stat.parse_state(text) is None


def test_columns_are_found_by_their_names() -> None:
    state = stat.parse_state(STATE)
    assert state
    backend = stat.backend("web", state, stat.parse_stat(STAT))
    assert backend
    assert (backend.name, backend.mode, backend.algorithm) == ("web", "http", "roundrobin")
    assert backend.servers == {
        "blue": stat.Server("blue", 128, 100, "UP"),
        "green": stat.Server("green", 12, 1, "no check", cookie="g", agent=True, throttle="50%"),
    }


@pytest.mark.parametrize("gone", ["blue,", "BACKEND,"])
def test_two_answers_that_do_not_describe_the_same_are_none(gone: str) -> None:
    """A reload, or a server deleted, came between them."""
    state = stat.parse_state(STATE)
    assert state
    rows = "\n".join(line for line in STAT.splitlines() if gone not in line)
    assert stat.backend("web", state, stat.parse_stat(rows)) is None


@pytest.mark.parametrize(
    ("status", "health", "live", "resting"),
    [
        ("UP", UP, True, False),
        ("UP 1/3", UP, True, False),
        ("no check", UNCHECKED, True, False),
        ("DOWN", DOWN, False, False),
        ("DOWN 1/2", DOWN, False, False),
        ("DOWN (agent)", DOWN, False, False),
        ("NOLB", DOWN, False, False),
        ("NOLB 1/2", DOWN, False, False),
        ("DRAIN", DOWN, False, True),
        ("MAINT", DOWN, False, True),
        ("MAINT (resolution)", DOWN, False, True),
        ("MAINT (via web/blue)", DOWN, False, True),
    ],
)
def test_a_servers_status(status: str, health: str, live: bool, resting: bool) -> None:
    server = stat.Server("s", 1, 1, status)
    assert (server.health, server.live, server.resting) == (health, live, resting)


def test_a_backup_is_not_live() -> None:
    assert not stat.Server("s", 1, 1, "UP", backup=True).live


def test_names_of_backends() -> None:
    assert stat.parse_backends("# name\nweb\nother\n\n") == ["web", "other"]


@pytest.mark.parametrize(
    ("row", "failures"),
    [
        (answered(stot=10, hrsp_2xx=10), 0),
        (answered(stot=10, hrsp_1xx=1, hrsp_2xx=5, hrsp_3xx=2, hrsp_4xx=2), 0),
        (answered(stot=10, hrsp_2xx=6, scur=4), 0),
        (answered(stot=10, hrsp_2xx=6, cli_abrt=4), 0),
        (answered(stot=10, hrsp_2xx=7, hrsp_5xx=3), 3),
        # Tried again with success: no error column shows it.
        (answered(stot=10, hrsp_2xx=7, wretr=3, wredis=3), 3),
        (answered(stot=10, hrsp_2xx=7, wredis=3), 3),
        # A reset is in eresp twice.
        (answered(stot=244, hrsp_2xx=183, eresp=71, srv_abrt=51), 61),
        # The answer was good, its body broke off.
        (answered(stot=115, hrsp_2xx=115, srv_abrt=28), 28),
        (answered(stot=108, hrsp_2xx=108, eresp=27, srv_abrt=27), 27),
        # An answer that counts twice takes nothing away from what the columns know.
        (answered(stot=10, hrsp_1xx=10, hrsp_2xx=7, hrsp_5xx=3), 3),
        (answered(stot=10, hrsp_2xx=10, cli_abrt=2), 0),
        (answered(stot=10, hrsp_1xx=7, hrsp_2xx=7, econ=3), 3),
        # A 5xx that breaks off is one failure.
        (answered(stot=10, hrsp_2xx=7, hrsp_5xx=3, srv_abrt=3), 3),
        ({"stot": "10", "mode": "tcp", "hrsp_2xx": "", "econ": "2", "srv_abrt": "1"}, 3),
        ({"stot": "10", "mode": "tcp", "hrsp_2xx": ""}, 0),
        (answered(stot=2, econ=3), 2),
    ],
)
def test_failed_tries(row: dict[str, str], failures: int) -> None:
    counters = stat.counters(row)
    assert counters.requests == int(row["stot"])
    assert counters.failures == failures
    assert sum(counters.kinds.values()) <= failures, "kinds never claim more than there was"


def test_kinds_are_as_far_as_haproxy_tells() -> None:
    row = answered(stot=20, hrsp_2xx=10, hrsp_5xx=2, econ=3, eresp=6, srv_abrt=1)
    assert stat.counters(row).kinds == {"http_5xx": 2, "connect": 3, "response": 5}


STATIC = "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'."


@pytest.mark.parametrize(
    ("text", "replies"),
    [
        ("", []),
        ("\n\n", ["", ""]),
        ("\nNo such server.\n\n", ["", "No such server."]),
        ("No such server.\n\n\n", ["No such server.", ""]),
        (STATIC + "\n\n\n", [STATIC, ""]),
        ("Unknown command: 'x', but maybe one of:\n  help\n\n", ["Unknown command: 'x', but maybe one of:   help"]),
        ("\nPermission denied", ["", "Permission denied"]),
    ],
)
def test_replies_one_an_order(text: str, replies: list[str]) -> None:
    assert stat.parse_replies(text) == replies
