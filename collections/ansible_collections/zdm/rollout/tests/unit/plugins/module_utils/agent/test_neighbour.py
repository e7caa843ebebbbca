# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever writes a key that came later asks the guard beside him first; against a real older guard: tests/upgrades."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import neighbour
from ansible_collections.zdm.rollout.plugins.module_utils.agent.kinds import GREETING, SOCKET
from ansible_collections.zdm.rollout.plugins.module_utils.agent.neighbour import refuse_forgotten
from ansible_collections.zdm.rollout.plugins.module_utils.agent.orders import LOCK, VERBS
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import LATER, RecordError, Store

from .agents import Agent, ask

OLD = {"id": 1, "ok": True, "records": [], "now": "noon"}


@pytest.fixture
def store() -> Iterator[Store]:
    with TemporaryDirectory() as directory:
        yield Store(directory)


@contextlib.contextmanager
def living(store: Store, answer: bytes, kind: str = "session", greeting: bytes = GREETING) -> Iterator[None]:
    """This process is the guard, which answers everything with this."""
    handle = store.guard(kind)
    assert handle is not None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(Path(store.directory) / SOCKET))
        listener.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, dummy = listener.accept()
                    with peer:
                        peer.sendall(greeting)
                        if peer.recv(65536) and answer:
                            peer.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    os.close(handle)


def line(reply: dict[str, Any]) -> bytes:
    return json.dumps(reply).encode() + b"\n"


def test_what_a_guard_says_of_itself_is_all_that_orders_write(agent: Agent) -> None:
    keeps = ask(agent.meet(), "status")["keeps"]
    assert keeps == list(LATER)
    assert set(neighbour.WRITES.values()) <= set(keeps)
    assert set(neighbour.WRITES) <= set(VERBS)


def test_where_no_guard_lives_nothing_is_asked(store: Store) -> None:
    refuse_forgotten(store, LOCK)


@pytest.mark.parametrize(
    ("kind", "way_out"), [("resident", "apply the role router"), ("session", "it ends with its rollout")]
)
def test_one_that_keeps_nothing_is_told_of_with_the_way_out(store: Store, kind: str, way_out: str) -> None:
    with living(store, line(OLD), kind):
        for verb in neighbour.WRITES:
            with pytest.raises(RecordError, match="does not know '%s' and would drop it.*%s" % (verb, way_out)):
                refuse_forgotten(store, verb)
        for verb in set(VERBS) - set(neighbour.WRITES):
            refuse_forgotten(store, verb)


@pytest.mark.parametrize(
    "answer",
    [
        line({**OLD, "keeps": list(LATER)}),
        line({**OLD, "keeps": [*LATER, "more"], "more": "x" * 100_000}),
        line({"id": 1, "ok": False, "error": {"code": "router", "text": "a broken record"}}),
        b"not JSON\n",
        b"",
    ],
    ids=["it keeps them", "a newer one", "it cannot read", "nonsense", "it hangs up"],
)
def test_one_that_keeps_them_or_does_not_say_stands_in_nobodys_way(store: Store, answer: bytes) -> None:
    with living(store, answer):
        refuse_forgotten(store, LOCK)


def test_one_that_is_stopped_is_not_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbour, "ANSWER_SECONDS", 0.05)
    with living(store, b"", greeting=b""):
        refuse_forgotten(store, LOCK)
