# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scraper against real servers: whose page has to be there, and what is said of one that is not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Histogram, Measurement
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Member
from ansible_collections.zdm.rollout.plugins.plugin_utils import _scraper
from ansible_collections.zdm.rollout.plugins.plugin_utils._checks import Check
from ansible_collections.zdm.rollout.plugins.plugin_utils._fleet import Fleet, PoolMember
from ansible_collections.zdm.rollout.plugins.plugin_utils._scraper import Scraper

from .example import spec_of

CHECKS = {
    "worse": {"signal": "metrics", "requests": "all", "failures": "bad", "compare": "stable"},
    "slow": {"signal": "metrics", "histogram": "taken", "compare": "stable"},
    "depth": {"signal": "metrics", "value": "depth", "max": 5},
}
PAGE = 'all 100\nbad 3\ndepth 4\n# TYPE taken histogram\ntaken_bucket{le="0.1"} 90\ntaken_bucket{le="+Inf"} 100\n'


class Server:
    """A member: it answers with ``page`` and ``status``."""

    def __init__(self, name: str) -> None:
        self.page, self.status, self.asked = PAGE, 200, [""]
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                body = server.page.encode()
                self.send_response(server.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *dummy: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.member = Member(name, "127.0.0.1", self._server.server_port)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Judging:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def measured(self, name: str, measurement: Measurement) -> None:
        self.told.append(("measured", name, measurement.value))

    def counted_by_members(self, name: str, totals: Any, t: float) -> None:
        self.told.append(("counted", name, totals))

    def timed(self, name: str, totals: Any, t: float) -> None:
        self.told.append(("timed", name, totals))

    def unread(self, name: str, why: str) -> None:
        self.told.append(("unread", name, why))


@pytest.fixture
def servers() -> Iterator[dict[str, Server]]:
    made = {name: Server(name) for name in ("b1", "b2", "g1", "g2")}
    yield made
    for server in made.values():
        server.end()


def told(servers: dict[str, Server], name: str) -> tuple[Any, ...]:
    """What the judging is told of one measuring of a check."""
    members = {pool: tuple(PoolMember("h", servers[each].member) for each in names) for pool, names in POOLS.items()}
    judging = Judging()
    check: Check = spec_of({"checks": CHECKS}).checks[name]
    with ThreadPoolExecutor(4) as threads:
        scraper = Scraper(Fleet({}, {}, members), "blue", "green", judging, threads)  # type: ignore[arg-type]
        asyncio.run(scraper.measure(check))
    assert len(judging.told) == 1
    return judging.told[0]


POOLS = {"blue": ("b1", "b2"), "green": ("g1", "g2")}


def test_counters_of_all_members_of_both_pools(servers: dict[str, Server]) -> None:
    servers["g2"].page = "all 7\n"
    had = {"requests": 100, "failures": 3}
    wanted = {"blue": {"b1": had, "b2": had}, "green": {"g1": had, "g2": {"requests": 7, "failures": 0}}}
    assert told(servers, "worse") == ("counted", "worse", wanted)
    assert servers["b1"].asked[-1] == "/metrics"


def test_histograms_of_all_members_of_both_pools(servers: dict[str, Server]) -> None:
    kind, name, totals = told(servers, "slow")
    assert (kind, name) == ("timed", "slow")
    assert totals["green"]["g2"] == Histogram({(0.0, 0.1): 90, (0.1, float("inf")): 10})


def test_a_value_is_asked_of_canary_alone(servers: dict[str, Server]) -> None:
    servers["g2"].page = "depth 9\n"
    assert told(servers, "depth") == ("measured", "depth", 9.0)
    assert servers["b1"].asked == [""]


@pytest.mark.parametrize("name", CHECKS)
def test_a_member_of_canary_that_cannot_be_read_is_an_error(servers: dict[str, Server], name: str) -> None:
    servers["g2"].status = 503
    kind, dummy, why = told(servers, name)
    assert kind == "unread"
    port = servers["g2"].member.port
    assert why == f"/metrics of g2 (127.0.0.1:{port}) answered 503, expected 200"


def test_some_of_stable_are_enough_and_none_is_not(servers: dict[str, Server]) -> None:
    servers["b1"].end()
    kind, dummy, totals = told(servers, "worse")
    assert (kind, set(totals["blue"])) == ("counted", {"b2"})
    servers["b2"].page = "nothing\n"
    kind, dummy, why = told(servers, "worse")
    assert kind == "unread"
    assert "of b1 (127.0.0.1:" in why and "Connection refused" in why
    assert "all is not on the page" in why


def test_a_page_without_end_is_not_read_for_ever(servers: dict[str, Server], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_scraper, "PAGE_LIMIT", 50)
    kind, dummy, why = told(servers, "depth")
    assert kind == "unread"
    assert "name a smaller page" in why
