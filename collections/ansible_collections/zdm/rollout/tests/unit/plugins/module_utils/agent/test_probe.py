# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A probe against a real HTTP server, and against what is none."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Barrier, BrokenBarrierError, Thread

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.probe import BODY_LIMIT, probe, probe_all
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Health, Member

LONG = "ä" * BODY_LIMIT


class Answers(BaseHTTPRequestHandler):
    """``/<status>`` answers with this status; the others are named after what they do."""

    seen: list[str]
    together: Barrier

    def do_GET(self) -> None:
        self.seen.append("%s by %s" % (self.path, self.headers["User-Agent"]))
        if self.path == "/hang-up":
            self.wfile.write(b"not HTTP\r\n\r\n")
        elif self.path == "/drip":
            self._drip()
        elif self.path == "/together":
            try:
                self.together.wait(5)
                self._answer(200)
            except BrokenBarrierError:
                self._answer(500)
        else:
            self._answer(200 if self.path == "/long" else int(self.path[1:]), LONG if self.path == "/long" else "body")

    def _answer(self, status: int, body: str = "") -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode() if status not in (204, 304) else b"")

    def _drip(self) -> None:
        """Never silent for as long as the time-out, and never done."""
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b".")
                time.sleep(0.02)
        except OSError:
            pass  # the client has gone

    def log_message(self, *ignored: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadingHTTPServer]:
    with serving() as running:
        yield running


@pytest.fixture
def member(server: ThreadingHTTPServer) -> Member:
    Answers.seen = []
    return Member("green-1", "127.0.0.1", server.server_port)


@pytest.mark.parametrize(
    ("path", "expect", "failure"),
    [
        ("/200", None, ""),
        ("/204", None, ""),
        ("/299", None, ""),
        ("/302", None, "/302 answered 302, expected 2xx"),
        ("/503", None, "/503 answered 503, expected 2xx"),
        ("/503", 503, ""),
        ("/200", 204, "/200 answered 200, expected 204"),
    ],
)
def test_a_status_is_as_expected_or_named(member: Member, path: str, expect: int | None, failure: str) -> None:
    answer = probe(member, Health(path, expect=expect))
    assert (answer.status, answer.failure) == (int(path[1:]), failure)
    assert Answers.seen == [path + " by zdm-agent"], "one request, redirects are not followed"


def test_a_body_comes_along_as_far_as_the_protocol_carries_it(member: Member) -> None:
    assert probe(member, Health("/200")).body == "body"
    body = probe(member, Health("/long")).body
    assert LONG.startswith(body)
    assert len(body.encode()) == BODY_LIMIT


def test_another_port_is_asked_where_the_health_says_so(member: Member) -> None:
    elsewhere = Member(member.name, member.address, 9)
    assert probe(elsewhere, Health("/200", port=member.port)).status == 200


@pytest.fixture
def nowhere() -> Iterator[int]:
    """A port at which nobody listens and nobody else will: bound, and not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize("path", ["/health", ""])
def test_nobody_there(nowhere: int, path: str) -> None:
    answer = probe(Member("green-1", "127.0.0.1", nowhere), Health(path))
    assert answer.status is None
    assert answer.failure.startswith("no answer from 127.0.0.1:%d%s: " % (nowhere, path))
    assert "refused" in answer.failure


def test_without_a_path_a_connection_is_enough(member: Member) -> None:
    answer = probe(member, Health(""))
    assert (answer.status, answer.failure, Answers.seen) == (None, "", [])


def test_what_is_no_answer_is_a_failure(member: Member) -> None:
    answer = probe(member, Health("/hang-up"))
    assert answer.status is None
    assert "no answer from" in answer.failure


def test_one_that_is_silent_costs_no_more_than_its_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        health = Health("/health", timeout=0.2)
        answer = probe(Member("green-1", "127.0.0.1", silent.getsockname()[1]), health)
    assert answer.failure.endswith("no whole answer within 0.2 s")
    assert answer.seconds >= health.timeout


def test_one_that_goes_on_for_ever_costs_no_more_than_its_time_out(member: Member) -> None:
    answer = probe(member, Health("/drip", timeout=0.3))
    assert answer.status is None
    assert answer.failure.endswith("no whole answer within 0.3 s")


def test_many_are_asked_at_once(member: Member) -> None:
    """Each is answered only when all three have asked."""
    Answers.together = Barrier(3)
    members = [Member("green-%d" % number, member.address, member.port) for number in (1, 2, 3)]
    answers = probe_all([(one, Health("/together", timeout=10)) for one in members])
    assert {name: answer.failure for name, answer in answers.items()} == {one.name: "" for one in members}


def test_each_answer_is_its_members_own(member: Member) -> None:
    requests = [(Member(path, member.address, member.port), Health(path)) for path in ("/200", "/503", "/201")]
    answers = probe_all(requests)
    assert {name: answer.status for name, answer in answers.items()} == {"/200": 200, "/503": 503, "/201": 201}
    assert probe_all([]) == {}
