# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `order` as Ansible runs it, at a router's state directory on which a rollout is under way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import Lease
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Record, Store
from tests.support.modules import Answer, run_module

SECRET = "T0PSECRET"
AT = "2026-01-01T00:00:00+00:00"
LEASE = Lease("armed", 1, "r1", "ann@ci", "v2", AT, "blue", "green", {"blue": 75.0, "green": 25.0})
SERVICE: dict[str, Any] = {
    "name": "web",
    "environment": "test",
    "pools": {"blue": [], "green": []},
    "health": None,
    "options": {},
}
ROUTER = {"type": "haproxy", "mode": "servers", "socket": "/nonexistent/s"}


class Place:
    """A state directory with the record of a rollout, and the module on it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.store = Store(str(directory / "state"))
        terms = {"notify": [{"url": "https://hooks.example/%s" % SECRET, "on": ["stuck"]}]}
        self.store.save(Record("test", "web", LEASE, SERVICE, ROUTER, terms))

    def order(self, *flags: str, **other: Any) -> Answer:
        given = {"service": "web", "environment": "test", "verb": "pause", "by": "bob@desk", **other}
        router = {**ROUTER, "state": self.store.directory}
        return run_module("order", {"router": router, **given}, self._directory / "home", *flags)

    def orders(self) -> list[tuple[str, str]]:
        return [(order["verb"], order["by"]) for order in self.store.load("test", "web").orders]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_check_mode_shows_what_a_run_then_does_once(place: Place) -> None:
    checked = place.order("--check", "--diff", id="o1")
    assert (checked.changed, place.orders()) == (True, [])
    assert checked.result["msg"] == "web: pause would be left for run r1 of ann@ci"
    assert "+pause, by bob@desk at " in checked.output
    done = place.order(id="o1")
    assert (done.changed, place.orders()) == (True, [("pause", "bob@desk")])
    assert done.result["msg"] == "web: pause is left for run r1 of ann@ci"
    again = place.order(id="o1")
    assert (again.changed, place.orders()) == (False, [("pause", "bob@desk")])
    assert again.result["msg"] == "web: pause was left already for run r1 of ann@ci"


def test_without_an_id_each_is_an_order_of_its_own(place: Place) -> None:
    assert place.order().changed
    assert place.order().changed
    assert len(place.orders()) == 2


def test_no_secret_of_the_record_is_in_the_result(place: Place) -> None:
    told = place.order()
    assert told.result["record"]["terms"]["notify"] == [{"to": "https://hooks.example", "on": ["stuck"]}]
    assert SECRET not in told.output


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"verb": "fly"}, "value of verb must be one of: abort, pause, resume, promote"),
        ({"service": "wob"}, "no record of test/wob in"),
        ({"by": ""}, "order: by is empty: expected who gives it"),
        ({"verb": "abort"}, "/nonexistent/s"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(place: Place, given: dict[str, Any], says: str) -> None:
    assert says in place.order(**given).refusal
    assert (place.orders(), place.store.load("test", "web").lease) == ([], LEASE)
