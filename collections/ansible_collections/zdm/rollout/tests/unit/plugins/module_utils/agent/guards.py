# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guard in this process, on a router in memory, and clients at its real socket."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import guard as room
from ansible_collections.zdm.rollout.plugins.module_utils.agent.connection import address
from ansible_collections.zdm.rollout.plugins.module_utils.agent.guard import Guard
from ansible_collections.zdm.rollout.plugins.module_utils.agent.kinds import SESSION, SOCKET

from .agents import RUN, Agent, split

DEADLINE = 10.0
MEMBER = {"name": "blue-1", "address": "127.0.0.1", "port": 9}
PROBE: dict[str, Any] = {"service": {}, "request": {"member": MEMBER, "path": "/", "timeout": 1}}


class Client:
    """The controller's end of a connection to the guard; it has been greeted. Its requests are numbered from 1."""

    def __init__(self, agent: Agent) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(DEADLINE)
        until((Path(agent.store.directory) / SOCKET).exists, "the guard's socket")
        with address(agent.store.directory, SOCKET) as path:
            until(lambda: self.socket.connect_ex(path) == 0, "the guard to listen at it")
        self.greeting = self.socket.recv(1)
        self._replies = self.socket.makefile("r", encoding="utf-8")
        self._number, self.t = 0, 0.0

    def line(self, op: str, **keys: Any) -> bytes:
        self._number += 1
        return json.dumps({"id": self._number, "op": op, **keys}).encode() + b"\n"

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hear(self) -> dict[str, Any]:
        line = self._replies.readline()
        assert line, "the guard has ended the connection"
        reply: dict[str, Any] = json.loads(line)
        self.t = reply.get("t", self.t)
        return reply

    def ask(self, op: str, **keys: Any) -> dict[str, Any]:
        self.send(self.line(op, **keys))
        reply = self.hear()
        assert reply["ok"], reply
        return reply

    def arm(self, run: str = "r1", **terms: Any) -> None:
        """It has the lease, and a quarter at green."""
        self.ask("hello", versions=[1], router={"type": "fake"})
        epoch = self.ask("acquire", run=run, terms=terms, **RUN)["epoch"]
        self.ask("arm", epoch=epoch, wanted=split(25))

    def renew(self) -> dict[str, Any]:
        return self.ask("renew", epoch=1, t=self.t)

    def is_cut_off(self) -> bool:
        """Whether the guard has ended it; what is still to be read is read."""
        try:
            while self.socket.recv(1 << 20):
                pass
        except ConnectionError:
            pass
        return True

    def close(self) -> None:
        self._replies.close()
        self.socket.close()


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain for %s" % what
        time.sleep(0.005)


class Turned:
    """The guard's clock: it goes as it always does, and can be put forward."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME) + self.seconds


def guarded(agent: Agent, talk: Callable[[], Any], kind: str = SESSION) -> int:
    """A guard's exit code, with a talk beside it; at the talk's end it is told to end, where it has not by itself."""
    guard = Guard(agent.store, kind, agent.said.append)
    over = threading.Event()

    def talked() -> None:
        try:
            talk()
        finally:
            if not over.is_set():
                guard._terminated(signal.SIGTERM, None)

    with ThreadPoolExecutor(1) as other:
        talking = other.submit(talked)
        try:
            return guard.run()
        finally:
            over.set()
            talking.result(DEADLINE)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Turned:
    """Turned by the test; and ticks come quickly."""
    turned = Turned()
    monkeypatch.setattr(room, "boottime", turned)
    monkeypatch.setattr(room, "TICK_SECONDS", 0.01)
    return turned
