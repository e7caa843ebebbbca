# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People are told, by real commands and a real server; and of what goes wrong nothing secret is said."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils import _http, _notify

SECRET = "T0PSECRET"
SHELL = "/bin/sh"
TOLD = _notify.message(
    "reverted", "web", "production", "2.4.0", "run-1", "lb1", "nobody renewed it", "guard", "2026-02-03T04:05:06+00:00"
)


def shell(script: str, *words: str) -> dict[str, Any]:
    """An entry whose command is a script; the secret is one of its words."""
    return {"command": [SHELL, "-c", script, SECRET, *words]}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


# --- whom, of what


@pytest.mark.parametrize(
    ("event", "names"),
    [
        ("promoted", ["b"]),
        ("stuck", ["a", "c"]),
        ("reverted", ["c"]),
        ("an event of a newer zdm", []),
    ],
)
def test_only_those_are_told_who_want_to_be(event: str, names: list[str]) -> None:
    entries: list[dict[str, Any]] = [
        {"command": ["a"], "on": ["stuck", "held"]},
        {"command": ["b"], "on": ["promoted"]},
        {"command": ["c"]},
    ]
    assert [entry["command"][0] for entry in _notify.wanted(entries, event)] == names


def test_the_message_is_the_contracts() -> None:
    said = TOLD["next"]
    assert {
        "version": 1,
        "event": "reverted",
        "service": "web",
        "environment": "production",
        "release": "2.4.0",
        "run": "run-1",
        "router": "lb1",
        "reason": "nobody renewed it",
        "actor": "guard",
        "time": "2026-02-03T04:05:06+00:00",
        "next": said,
    } == TOLD
    assert "zdm-agent status" in said


@pytest.mark.parametrize("event", [*_notify.WATCH_EVENTS, *_notify.GUARD_EVENTS])
def test_each_event_says_what_a_person_can_do(event: str) -> None:
    said = _notify.message(event, "shop", "e", "r", "run", None, "why", "watch", "now")["next"]
    assert said and "{" not in said
    assert "web" not in said
    if event in ("stuck", "held"):
        assert "zdm-agent revert shop" in said


# --- by a command


def test_a_command_gets_the_message_on_its_standard_input(tmp_path: Path) -> None:
    script = 'cat > "$1/told"; echo said; echo loudly >&2; pwd > "$1/where"'
    assert _notify.send(shell(script, str(tmp_path)), TOLD) == ""
    assert json.loads((tmp_path / "told").read_text()) == TOLD
    assert (tmp_path / "where").read_text() == "/\n"


def test_a_command_has_a_session_of_its_own(tmp_path: Path) -> None:
    program = "import os, sys; open(sys.argv[1], 'w').write('%d %d' % (os.getsid(0), os.getpid()))"
    assert _notify.send({"command": [sys.executable, "-c", program, str(tmp_path / "ids")]}, TOLD) == ""
    session, process = (tmp_path / "ids").read_text().split()
    assert session == process != str(os.getsid(0))


@pytest.mark.parametrize(
    ("entry", "failure"),
    [
        (shell("exit 3"), f"{SHELL} ended with 3"),
        (shell("kill -9 $$"), f"{SHELL} ended with -9"),
        ({"command": ["/nowhere/page", SECRET]}, "/nowhere/page cannot be started: No such file or directory"),
        ({"command": ["page-that-is-nowhere", SECRET]}, "page-that-is-nowhere cannot be started: No such file"),
        ({"command": ["/", SECRET]}, "/ cannot be started: Permission denied"),
        ({"command": [f"/nowhere/page --token {SECRET}"]}, "/nowhere/page cannot be started"),
        ({"command": [SHELL, f"{SECRET}\0"]}, f"{SHELL} cannot be started: a word"),
        ({"command": [SHELL, f"{SECRET}\udc00\ud800"]}, f"{SHELL} cannot be started: a word"),
    ],
)
def test_a_command_that_fails_is_named_by_its_first_word(entry: Mapping[str, Any], failure: str) -> None:
    said = _notify.send(entry, TOLD)
    assert said.startswith(failure)
    assert SECRET not in said


def test_a_command_that_reads_nothing_is_told_all_the_same() -> None:
    assert _notify.send(shell("exec 0<&-; exit 0"), {**TOLD, "reason": "x" * 200000}) == ""


def test_a_command_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    # Both keep the fifo open for writing: its reader sees the end once both are gone.
    script = f'exec 3> "{fifo}"; (trap "" TERM; while :; do sleep 60; done) & trap "" TERM; while :; do sleep 60; done'
    reader = threading.Thread(target=fifo.read_bytes, daemon=True)
    reader.start()
    begun = time.monotonic()
    said = _notify.send(shell(script), TOLD, timeout=0.5)
    assert said == f"{SHELL} did not end within 0.5 s and was ended"
    assert time.monotonic() - begun < 10
    reader.join(10)
    assert not reader.is_alive()


def test_what_a_command_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    fifo = tmp_path / "end"
    os.mkfifo(fifo)
    assert _notify.send(shell('cat "$1" & exit 0', str(fifo)), TOLD, timeout=30) == ""
    with fifo.open("w"):  # its reader, the one left behind, ends with this
        pass


# --- by a url


class Hook(BaseHTTPRequestHandler):
    """Answers by the path, and remembers what it was asked."""

    asked: list[tuple[str, str, str | None, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.command, self.path, self.headers["Content-Type"], body))
        if self.path.startswith("/drip"):
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while self._more(b"X: y\r\n"):
                time.sleep(0.05)
            return
        if self.path.startswith("/garbage"):
            self.wfile.write(f"no HTTP at all {SECRET}\r\n\r\n".encode())
            return
        if self.path.startswith("/nothing"):
            return
        self.send_response(int(self.path.split("/")[1]))
        if self.path.startswith("/3"):
            self.send_header("Location", f"/200/{SECRET}" if "same" in self.path else f"ftp://127.0.0.1/{SECRET}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def _more(self, line: bytes) -> bool:
        try:
            self.wfile.write(line)
        except OSError:
            return False
        return True

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[tuple[str, list[tuple[str, str, str | None, bytes]]]]:
    """A server's address, and what it was asked."""
    asked: list[tuple[str, str, str | None, bytes]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Remembering", (Hook,), {"asked": asked}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("code", [200, 201, 204])
def test_a_url_gets_the_message_by_post(hook: Any, code: int) -> None:
    address, asked = hook
    assert _notify.send({"url": f"{address}/{code}/{SECRET}?token={SECRET}"}, TOLD) == ""
    [(method, path, kind, body)] = asked
    assert (method, path, kind) == ("POST", f"/{code}/{SECRET}?token={SECRET}", "application/json")
    assert json.loads(body) == TOLD


@pytest.mark.parametrize(
    ("path", "failure"),
    [
        ("/400", "answered 400"),
        ("/404", "answered 404"),
        ("/500", "answered 500"),
        ("/302/same", "answered 302, a redirect, which is not followed"),
        ("/307/same", "answered 307, a redirect, which is not followed"),
        ("/301/other", "answered 301, a redirect, which is not followed"),
        ("/garbage", "cannot be told: BadStatusLine"),
        ("/nothing", "cannot be told: Remote end closed connection without response"),
    ],
)
def test_a_url_that_fails_is_named_by_its_host_and_asked_once(hook: Any, path: str, failure: str) -> None:
    address, asked = hook
    assert _notify.send({"url": f"{address}{path}/{SECRET}"}, TOLD) == f"{address} {failure}"
    assert [entry[1] for entry in asked] == [f"{path}/{SECRET}"]


def test_a_server_that_drips_has_no_more_time_than_any_other(hook: Any) -> None:
    address, _asked = hook
    assert _notify.send({"url": f"{address}/drip"}, TOLD, timeout=0.3) == f"{address} did not answer within 0.3 s"
    # The control: each of its bytes comes in time, so the socket's own timeout would not have ended it.
    bare = threading.Thread(target=_http._posted, args=(f"{address}/drip", b"{}", 0.3), daemon=True)
    bare.start()
    bare.join(0.9)
    assert bare.is_alive()


def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert _notify.send({"url": f"{address}/{SECRET}"}, TOLD, timeout=0.3) in (
            f"{address} did not answer within 0.3 s",
            f"{address} cannot be told: timed out",
        )


def test_a_port_where_nobody_listens_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        assert _notify.send({"url": f"{address}/{SECRET}"}, TOLD) == f"{address} cannot be told: Connection refused"


@pytest.mark.parametrize(
    "url",
    [
        f"file:///{SECRET}",
        f"ftp://127.0.0.1/{SECRET}",
        f"data:,{SECRET}",
        f"http:///{SECRET}",
        f"http://127.0.0.1:x{SECRET}/",
        f"http://[{SECRET}/",
        f"http://me:{SECRET}@127.0.0.1:1/",
        f"http://127.0.0.1:1/a b{SECRET}",
        f"http://127.0.0.1:1/{SECRET}ü",
        f"{SECRET}",
        "",
    ],
)
def test_nothing_that_is_no_url_of_a_hook_is_told_anything_or_shown(url: str) -> None:
    """The spec refuses all of these; an agent takes what the controller says."""
    said = _notify.send({"url": url}, TOLD, timeout=5)
    assert "cannot be told: " in said
    assert SECRET not in said


# --- what is shown


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ({"command": ["page", SECRET]}, "page"),
        ({"command": ["/opt/page", SECRET]}, "/opt/page"),
        ({"command": [f"page {SECRET}"]}, "page"),
        ({"url": f"https://hooks.example/{SECRET}"}, "https://hooks.example"),
        ({"url": f"https://me:{SECRET}@hooks.example:8443/x?{SECRET}#{SECRET}"}, "https://hooks.example:8443"),
        ({"url": f"https://hooks.example:{SECRET}/"}, "a url"),
        ({"url": SECRET}, "a url"),
        ({}, "a url"),
    ],
)
def test_an_entry_is_named_without_its_secrets(entry: Mapping[str, Any], name: str) -> None:
    assert _notify.named(entry) == name


def test_a_record_is_shown_with_whom_it_tells_and_without_how() -> None:
    record = {
        "name": "web",
        "terms": {
            "ttl": 10,
            "notify": [
                {"url": f"https://hooks.example/{SECRET}", "on": ["stuck"]},
                {"command": ["page", SECRET]},
            ],
        },
    }
    shown = _notify.without_secrets(record)
    assert shown == {
        "name": "web",
        "terms": {
            "ttl": 10,
            "notify": [
                {"to": "https://hooks.example", "on": ["stuck"]},
                {"to": "page", "on": ["rolled_back", "stuck", "held", "paused", "refused", "reverted"]},
            ],
        },
    }
    assert SECRET in json.dumps(record), "the record itself is left as it is"


@pytest.mark.parametrize("record", [{}, {"terms": None}, {"terms": {}}, {"terms": {"notify": []}}, {"name": "web"}])
def test_a_record_that_tells_nobody_is_shown_as_it_is(record: Mapping[str, Any]) -> None:
    assert _notify.without_secrets(record) == record
