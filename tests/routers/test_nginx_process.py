# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx as its host sees it, against the real one: who runs, what a reload does, and what holds an old worker."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _nginx_process
from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_process import NginxProcess, Old
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import (
    NotInForce,
    Refused,
    Unreachable,
    Unsupported,
)
from tests.support.nginx import RunningNginx
from tests.support.ports import free_port
from tests.support.wait import until

SAYS = """
server {
    listen 127.0.0.1:{port};
    location / { return 200 "%s"; }
    location /slow { proxy_pass http://127.0.0.1:%d; }
}
"""


class Slow:
    """A server that takes requests and answers when it is told to."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.asked, self._may = threading.Event(), threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            connection, dummy = self._listener.accept()
        except OSError:
            return  # nobody has asked
        with closing(connection):
            connection.recv(65536)
            self.asked.set()
            self._may.wait(30)
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def answer(self) -> None:
        self._may.set()

    def close(self) -> None:
        self.answer()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def slow() -> Iterator[Slow]:
    with closing(Slow()) as server:
        yield server


@pytest.fixture
def nginx(tmp_path: Path, slow: Slow) -> Iterator[RunningNginx]:
    running = RunningNginx(tmp_path, SAYS % ("one", slow.port))
    try:
        running.start()
        yield running
    finally:
        slow.answer()
        running.stop()


def test_the_master_is_found_by_its_title_and_by_its_pid_file(nginx: RunningNginx, tmp_path: Path) -> None:
    by_title, by_file = nginx.seen(), NginxProcess(pid_file=str(tmp_path / "nginx.pid"))
    assert by_title.master() == by_file.master() == nginx.pid
    assert by_title.workers() and sorted(by_title.workers()) == nginx.workers()
    assert by_title.old_workers() == []
    assert "# configuration file %s:" % nginx.file in by_file.dump(), "what runs says where its files are"


def test_one_that_does_not_run_is_not_found(nginx: RunningNginx, tmp_path: Path) -> None:
    other = NginxProcess(file=str(tmp_path / "other.conf"))
    assert not other.running()
    with pytest.raises(Unreachable, match=r"no nginx runs here with .*other\.conf: start it"):
        other.master()
    # A pid file that an earlier one left: the process is somebody else's by now.
    (tmp_path / "stale.pid").write_text("%d\n" % os.getpid())
    assert not NginxProcess(pid_file=str(tmp_path / "stale.pid")).running()
    assert not NginxProcess(pid_file=str(tmp_path / "none.pid")).running()


def test_of_two_the_one_has_to_be_named(nginx: RunningNginx, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    second = RunningNginx(tmp_path / "second", SAYS % ("two", 9))
    try:
        second.start()
        assert (nginx.seen().master(), second.seen().master()) == (nginx.pid, second.pid)
        with pytest.raises(Unsupported, match="name the one that is meant by its configuration"):
            NginxProcess().master()
    finally:
        second.stop()


def test_a_child_that_has_no_title_yet_is_no_second_master(nginx: RunningNginx, tmp_path: Path) -> None:
    """Between fork and its own title a worker is called as its master is."""
    proc = tmp_path / "proc"
    for pid, parent in ((1000001, 1), (1000002, 1000001)):
        (proc / str(pid)).mkdir(parents=True)
        (proc / str(pid) / "cmdline").write_text("nginx: master process nginx\0")
        (proc / str(pid) / "stat").write_text("%d (nginx) S %d %s" % (pid, parent, " ".join(["7"] * 40)))
    named = threading.Timer(0.1, (proc / "1000002" / "cmdline").write_text, ["nginx: worker process\0"])
    named.start()
    seen = NginxProcess(proc=str(proc))
    assert seen.master() == 1000001
    named.join()
    assert seen.workers() == [1000002]


def test_a_second_master_that_stays_one_is_told_of__control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As while a program is being replaced; and what the test above would see if nobody waited for the title."""
    monkeypatch.setattr(_nginx_process, "UNNAMED", 0.1)
    for pid, parent in ((1000001, 1), (1000002, 1000001)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cmdline").write_text("nginx: master process nginx\0")
        (tmp_path / str(pid) / "stat").write_text("%d (nginx) S %d %s" % (pid, parent, " ".join(["7"] * 40)))
    with pytest.raises(Unsupported, match=r"2 nginx run here .*\(USR2\), end that first"):
        NginxProcess(proc=str(tmp_path)).master()


def test_a_reload_is_over_when_only_the_new_answer(nginx: RunningNginx, slow: Slow) -> None:
    before = nginx.workers()
    nginx.write(SAYS % ("two", slow.port))
    left = nginx.seen().reload(lambda: nginx.get()[1] == "two")
    assert left == ()
    assert not set(before) & {*nginx.workers(), *nginx.workers("nginx: worker process is shutting down")}
    assert {nginx.get()[1] for dummy in range(20)} == {"two"}


def test_shown_alone_does_not_say_that_the_old_are_gone__control(nginx: RunningNginx, slow: Slow) -> None:
    """What the wait is for: the new configuration answers while workers of the old one live. Here they are slow to go,
    because they are stopped."""
    before = nginx.workers()
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    try:
        nginx.write(SAYS % ("two", slow.port))
        nginx.send(signal.SIGHUP)
        until(lambda: nginx.get()[1] == "two", "the new configuration")
        assert set(before) <= set(nginx.workers())
    finally:
        for pid in before:
            os.kill(pid, signal.SIGCONT)


def test_the_request_that_holds_an_old_worker_is_named(nginx: RunningNginx, slow: Slow) -> None:
    with closing(socket.create_connection(("127.0.0.1", nginx.port))) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: web\r\n\r\n")
        assert slow.asked.wait(10)
        nginx.write(SAYS % ("two", slow.port))
        (old,) = nginx.seen().reload(lambda: nginx.get()[1] == "two", patience=0.3)
        assert nginx.workers("nginx: worker process is shutting down") == [old.pid]
        assert old.peers == ("127.0.0.1:%d" % client.getsockname()[1],), "the client, and not the member behind it"
        assert old.seconds > 0
        until(lambda: nginx.seen().old_workers()[0].seconds > old.seconds, "the time to go on")
        assert str(old).startswith("worker %d, held by 127.0.0.1:" % old.pid)
        assert nginx.get() == (200, "two"), "everything new goes by the new configuration"
        slow.answer()
        until(lambda: nginx.seen().old_workers() == [], "the old worker to be gone")


def test_a_broken_configuration_is_refused_with_the_reason(nginx: RunningNginx) -> None:
    before = nginx.workers()
    nginx.write("upstream web { }")
    with pytest.raises(Refused, match=r"no servers are inside upstream in .*nginx\.conf:\d+"):
        nginx.seen().test()
    with pytest.raises(Refused, match=r"goes on with the one it had: no servers are inside upstream"):
        nginx.seen().reload(lambda: False)
    assert (nginx.workers(), nginx.get()) == (before, (200, "one"))


def test_what_the_test_does_not_see_is_told_by_the_log(nginx: RunningNginx, slow: Slow) -> None:
    """A port that is taken passes ``nginx -t``."""
    with closing(socket.create_server(("127.0.0.1", free_port()))) as taken:
        busy = "server { listen 127.0.0.1:%d; }" % taken.getsockname()[1]
        nginx.write(SAYS % ("two", slow.port) + busy)
        nginx.seen().test()
        with pytest.raises(Refused, match=r"bind\(\) to 127\.0\.0\.1:%d failed" % taken.getsockname()[1]):
            nginx.seen().reload()
    assert nginx.get() == (200, "one")


def test_what_is_never_shown_is_not_in_force(nginx: RunningNginx) -> None:
    with pytest.raises(NotInForce, match=r"told to reload and 0\.5 s later does not show it"):
        nginx.seen().reload(lambda: False, within=0.5)


def test_who_may_not_signal_is_told_what_to_do(nginx: RunningNginx, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_pid: int, _number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "kill", forbidden)
    with pytest.raises(Unsupported, match=r"master process %d may not be signalled .* as root" % nginx.pid):
        nginx.seen().reload()


def test_workers_come_after_those_of_before(nginx: RunningNginx, slow: Slow) -> None:
    seen = nginx.seen()
    first = seen.generation()
    assert [pid for pid, dummy in first] == nginx.workers()
    assert seen.generation() == first
    seen.reload()
    assert [pid for pid, dummy in seen.generation()] == nginx.workers()
    assert min(started for dummy, started in seen.generation()) > max(started for dummy, started in first)


def test_many_clients_are_counted() -> None:
    peers = tuple("10.0.0.%d:40000" % n for n in range(5))
    assert str(Old(7, peers, 61.4)) == (
        "worker 7, held by 10.0.0.0:40000, 10.0.0.1:40000, 10.0.0.2:40000 and 2 more, for 61 s"
    )
    assert str(Old(7, (), 2.0)) == "worker 7, with no client that can be seen, for 2 s"
