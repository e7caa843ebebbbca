# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller's connection on its way to the guard: carried, begun where there is none, and served without one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import stdio as room
from ansible_collections.zdm.rollout.plugins.module_utils.agent.kinds import GREETING, SOCKET
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Store
from ansible_collections.zdm.rollout.plugins.module_utils.agent.stdio import GUARD_IS_GONE, NoGuard, carry, reach

from .driver import SERVICE
from .guards import DEADLINE, until

COLLECTIONS = str(Path(room.__file__).parents[6])
#: A program of one guard, and of a connection that is to start another program.
GUARD = """
import sys
from ansible_collections.zdm.rollout.plugins.module_utils.agent.guard import Guard
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Store
sys.exit(Guard(Store(sys.argv[1]), sys.argv[-1], print).run())
"""
SERVE = """
import sys
from ansible_collections.zdm.rollout.plugins.module_utils.agent import stdio
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Store
sys.exit(stdio.serve(Store(sys.argv[1]), sys.argv[2:], lambda text: print(text, file=sys.stderr), "abc"))
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "state"))


@pytest.fixture(autouse=True)
def _collections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", COLLECTIONS)


def guard_of(store: Store) -> list[str]:
    return [sys.executable, "-c", GUARD, store.directory]


# --- carried


class Carried:
    """A connection that is carried in a thread: the controller's two pipes, and the guard's end of the socket."""

    def __init__(self) -> None:
        source, self.requests = os.pipe()
        self.replies, sink = os.pipe()
        near, self.guard = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.guard.settimeout(DEADLINE)
        self.code: list[int] = []
        self._open = [self.requests, self.replies]

        def run() -> None:
            try:
                self.code.append(carry(source, sink, near))
            finally:
                near.close()
                os.close(source)
                os.close(sink)

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def end(self, number: int) -> None:
        """Close one of the pipes, and never again: its number may be somebody else's by then."""
        os.close(number)
        self._open.remove(number)

    def ended(self) -> int:
        self._thread.join(DEADLINE)
        assert self.code, "it goes on"
        return self.code[0]

    def close(self) -> None:
        for number in list(self._open):
            self.end(number)
        self.guard.close()
        self._thread.join(DEADLINE)


@pytest.fixture
def carried() -> Iterator[Carried]:
    made = Carried()
    yield made
    made.close()


def test_bytes_go_both_ways_as_they_come(carried: Carried) -> None:
    for data in (b"half a", b" line\n", b"\xff\x00", b"x" * 60_000):
        os.write(carried.requests, data)
        got = b""
        while len(got) < len(data):
            got += carried.guard.recv(1 << 20)
        assert got == data
        carried.guard.sendall(data)
        got = b""
        while len(got) < len(data):
            got += os.read(carried.replies, 1 << 20)
        assert got == data


def test_the_end_of_the_controller_is_the_end(carried: Carried) -> None:
    os.write(carried.requests, b"the last word\n")
    carried.end(carried.requests)
    assert carried.ended() == 0
    assert carried.guard.recv(100) == b"the last word\n"
    assert carried.guard.recv(100) == b""


def test_a_controller_that_takes_no_replies_is_at_its_end(carried: Carried) -> None:
    carried.end(carried.replies)
    carried.guard.sendall(b"hello\n")
    assert carried.ended() == 0


def test_the_end_of_the_guard_is_told_apart(carried: Carried, capfd: pytest.CaptureFixture[str]) -> None:
    carried.guard.close()
    assert carried.ended() == GUARD_IS_GONE == 3  # contract
    assert capfd.readouterr().err == "zdm-agent: the guard on this host is gone\n"


def test_so_is_one_that_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped. The controller's requests are more than the socket holds."""
    monkeypatch.setattr(room, "TAKE_SECONDS", 0.05)
    carried = Carried()

    def ask() -> None:
        with contextlib.suppress(OSError):
            for dummy in range(100):
                os.write(carried.requests, b"x" * 60_000)

    asking = threading.Thread(target=ask)
    asking.start()
    assert carried.ended() == GUARD_IS_GONE
    asking.join(DEADLINE)
    carried.close()


# --- begun


def alive(store: Store) -> int:
    found = store.guard_alive()
    return found.pid if found else 0


def told(guard: socket.socket) -> dict[str, Any]:
    guard.settimeout(DEADLINE)
    guard.sendall(b'{"id": 1, "op": "status"}\n')
    reply: dict[str, Any] = json.loads(guard.makefile().readline())
    return reply


def test_where_there_is_none_one_is_begun_and_the_next_finds_it(store: Store) -> None:
    with reach(store, guard_of(store)) as first:
        assert told(first)["records"] == []
        pid = alive(store)
        assert os.getsid(pid) == pid != os.getsid(0), "in a session of its own"
        assert os.readlink("/proc/%d/cwd" % pid) == "/"
        assert os.stat("/proc/%d/fd/0" % pid).st_rdev == os.stat(os.devnull).st_rdev
        with reach(store, ["/nowhere/it-is-not-needed"]) as second:
            assert told(second)["ok"]
        assert alive(store) == pid
    until(lambda: not alive(store), "it to go, as nobody is there")


def test_one_that_ends_just_then_is_followed_by_another(store: Store) -> None:
    """It takes the connection and does not greet; another one is begun, and meets it still; and then it is gone."""
    os.makedirs(store.directory)
    path = os.path.join(store.directory, SOCKET)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen()
    lock = store.guard("session")
    assert lock is not None
    closed = []

    def end() -> None:
        for dummy in range(3):
            listener.accept()[0].close()
            closed.append(alive(store))
        os.unlink(path)
        listener.close()
        os.close(lock)

    ending = threading.Thread(target=end)
    ending.start()
    with reach(store, guard_of(store)) as guard:
        assert told(guard)["ok"]
    ending.join(DEADLINE)
    assert len(closed) == 3


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (["/nowhere/python"], r"a guard cannot be started: \[Errno 2\]"),
        (["false"], r"a guard was started and ended with 1: see agent.log in .*state"),
    ],
)
def test_one_that_cannot_be_begun_is_said(store: Store, program: list[str], why: str) -> None:
    with pytest.raises(NoGuard, match=why):
        reach(store, program)


def test_where_there_is_no_state_directory_there_is_no_guard(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NoGuard, match=r"a guard cannot be started: .*file"):
        reach(Store(str(tmp_path / "file" / "state")), ["false"])


def test_one_that_does_not_come_is_not_waited_for_for_ever(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "BEGIN_SECONDS", 0.2)
    pid = Path(store.directory) / "pid"
    with pytest.raises(NoGuard, match=r"a guard was started and did not begin within 0\.2 s"):
        reach(store, ["sh", "-c", "echo $$ > %s; exec sleep 60" % pid])
    until(lambda: pid.exists() and pid.read_text(), "its process id")
    os.kill(int(pid.read_text()), signal.SIGKILL)


@contextlib.contextmanager
def stopped(store: Store) -> Iterator[int]:
    """A guard that was stopped."""
    with reach(store, guard_of(store)):
        pid = alive(store)
        os.kill(pid, signal.SIGSTOP)
        yield pid
        os.kill(pid, signal.SIGKILL)


def test_one_that_is_stopped_is_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "GREET_SECONDS", 0.1)
    with stopped(store) as pid, pytest.raises(NoGuard, match=r"process %d \(stopped\) does not answer" % pid):
        reach(store, guard_of(store))


# --- served without a guard


class Served:
    """A connection as a process, to which no guard can be begun."""

    def __init__(self, store: Store) -> None:
        words = [sys.executable, "-c", SERVE, store.directory, "/nowhere/python"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def ask(self, op: str, **keys: Any) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"id": 1, "op": op, **keys}) + "\n\n")
        self.process.stdin.flush()
        reply: dict[str, Any] = json.loads(self.process.stdout.readline())
        return reply


@pytest.fixture
def served(store: Store) -> Iterator[Served]:
    made = Served(store)
    with made.process:
        yield made
        made.process.kill()


RUN: dict[str, Any] = {"run": "r1", "owner": "ann", "release": "v2", "stable": "blue", "canary": "green"}


def test_without_one_nothing_is_lent_and_it_is_said_why(served: Served) -> None:
    router = {"type": "haproxy", "mode": "servers", "socket": "/nowhere.sock"}
    assert served.ask("hello", versions=[1], router=router)["guard"] == "none"
    refused = served.ask("acquire", service=SERVICE.to_json(), **RUN)
    assert refused["error"]["text"].startswith("no guard minds leases on this host: a guard cannot be started: ")
    assert served.ask("status")["records"] == []
    error = served.ask("revert", force=True, reason="x", name="web", environment="test")["error"]
    assert "no record of test/web" in error["text"], "it was tried"
    assert "served without a guard: a guard cannot be started" in hung_up(served)


def hung_up(served: Served) -> str:
    dummy, said = served.process.communicate(timeout=DEADLINE)
    assert served.process.returncode == 0
    return said


def hang_up_within_a_line(served: Served) -> None:
    assert served.process.stdin
    served.process.stdin.write('{"id": 1, ')


def say_what_is_no_request(served: Served) -> None:
    assert served.process.stdin and served.process.stdout
    served.process.stdin.write("x" * 200_000 + "\n")
    served.process.stdin.flush()
    assert json.loads(served.process.stdout.readline())["error"]["code"] == "bad_request"


def turn_away(served: Served) -> None:
    assert served.process.stdout and served.process.stdin
    served.process.stdout.close()
    served.process.stdin.write('{"id": 1, "op": "status"}\n')


def terminal(served: Served) -> None:
    assert served.ask("status")["ok"]
    for number in (signal.SIGINT, signal.SIGHUP):
        served.process.send_signal(number)
    assert served.ask("status")["ok"]


@pytest.mark.parametrize("what", [hang_up_within_a_line, say_what_is_no_request, turn_away, terminal])
def test_however_it_ends_it_owes_nothing(served: Served, what: Callable[[Served], None]) -> None:
    what(served)
    assert "Traceback" not in hung_up(served)


def test_a_greeting_is_one_byte() -> None:
    assert len(GREETING) == 1  # so much is read before the bytes are carried
