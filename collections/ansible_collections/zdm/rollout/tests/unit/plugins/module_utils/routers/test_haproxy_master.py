# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the master's answers say, and the sums of what workers have counted."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_master import (
    Gone,
    Master,
    NotRunning,
    Processes,
    parse_processes,
    replies,
)
from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_totals import Totals
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Counters

PROCESSES = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
5984            master          2 [failed: 1]   0d00h00m32s     2.6.12
# workers
6253            worker          1               0d00h00m09s     2.6.12
# old workers
5987            worker          2               0d00h00m32s     2.6.12
# programs

"""


def test_old_workers_serve_too() -> None:
    found = parse_processes(PROCESSES)
    assert found == Processes(("6253",), ("5987",), failed=1)
    assert found.all == ("6253", "5987")
    assert parse_processes("") == Processes((), ())


def test_each_reply_ends_with_an_empty_line() -> None:
    assert replies("\n0x1 web a\n0x2 pay b\n\n") == ["", "0x1 web a\n0x2 pay b"]
    assert replies("no such thing.\n") == ["no such thing."]
    assert replies("") == []


class Answers(threading.Thread):
    """A contract: what a master's socket does when it is reloaded, one connection after the other."""

    def __init__(self, path: Path, answers: list[bytes]) -> None:
        super().__init__(daemon=True)
        self.heard: list[str] = []
        self._answers, self._listener = answers, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self.start()

    def run(self) -> None:
        for answer in self._answers:
            connection, dummy = self._listener.accept()
            with connection:
                # The end of what is written is what HAProxy waits for.
                self.heard.append(connection.makefile(encoding="utf-8").read())
                connection.sendall(answer)
        self._listener.close()


def test_a_connection_that_a_reload_has_closed_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "m.sock"
    master = Answers(path, [b"", PROCESSES.encode(), b"\n0x1 web a\n\n"])
    assert Master(str(path)).processes().new == ("6253",)
    assert Master(str(path)).ask("6253", ["set map m web a", "show map m"]) == ["", "0x1 web a"]
    master.join(5)
    assert master.heard == ["show proc\n"] * 2 + ["@!6253\nset map m web a\nshow map m\n"]


@pytest.mark.parametrize("answer", [b"Can't find the target PID matching the prefix '@!1'\n", b"\n"])
def test_a_worker_that_ends_while_it_is_asked_is_gone(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "m.sock"
    Answers(path, [answer])
    with pytest.raises(Gone):
        Master(str(path)).ask("1", ["set map m web a", "show map m"])


def test_a_socket_without_a_listener_is_a_haproxy_that_does_not_run(tmp_path: Path) -> None:
    path = tmp_path / "m.sock"
    with pytest.raises(NotRunning, match="does not exist: start HAProxy"):
        Master(str(path)).processes()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))
    with pytest.raises(NotRunning, match="nobody listens"):
        Master(str(path)).processes()


def counted(requests: int, failures: int = 0) -> dict[str, Counters]:
    return {"a": Counters(requests, failures, {"http_5xx": failures})}


def test_a_reload_loses_nothing_and_counts_nothing_twice() -> None:
    totals = Totals()
    assert totals.add({"1": counted(100, 1)}) == counted(100, 1)
    assert totals.add({"1": counted(110, 2), "2": counted(5)}) == counted(115, 2)
    assert totals.add({"2": counted(50)}) == counted(160, 2)
    assert totals.add({"2": counted(60)}) == counted(170, 2)


def test_a_worker_that_does_not_answer_once_is_not_counted_twice() -> None:
    totals = Totals()
    totals.add({"1": counted(100), "2": counted(5)})
    assert totals.add({"2": counted(6)}) == counted(106)
    assert totals.add({"1": counted(101), "2": counted(7)}) == counted(108)


def test_a_process_id_that_is_used_again_is_another_process() -> None:
    totals = Totals()
    totals.add({"1": counted(100)})
    assert totals.add({"1": counted(3)}) == counted(103)
