# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of the log that a real nginx writes, against what clients and members count themselves."""

from __future__ import annotations

import http.client
import os
import pwd
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_log import AccessLog
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Counters, Unsupported
from tests.support.members import RunningMember
from tests.support.nginx_log import LoggingNginx, counted, tries
from tests.support.ports import free_port
from tests.support.wait import until

UPSTREAMS = """
    upstream app {{ server 127.0.0.1:{app} max_fails=0; }}
    upstream gone {{ server 127.0.0.1:{dead} max_fails=0; }}
    upstream two {{ server 127.0.0.1:{dead} max_fails=0; server 127.0.0.1:{app} max_fails=0; }}
    upstream ejected {{ server 127.0.0.1:{dead} fail_timeout=1h; server 127.0.0.1:{dead} fail_timeout=1h; }}
"""
LOCATIONS = """
    proxy_next_upstream error timeout http_503;
    location /app { proxy_pass http://app; }
    location /brisk { proxy_read_timeout 100ms; proxy_pass http://app; }
    location /gone { proxy_pass http://gone; }
    location /two { proxy_pass http://two; }
    location /ejected { proxy_pass http://ejected; }
    location /redirected { error_page 502 = @app; proxy_pass http://gone; }
    location @app { proxy_pass http://app; }
    location /itself { return 503; }
"""

WELL = {"fail": 0.0, "fail_status": 500, "slow": 0.0, "hang": False}


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """An nginx, its member ``app``, and the address ``dead`` at which nobody is."""
    directory = tmp_path_factory.mktemp("nginx")
    member, dead = RunningMember("app", "v1", directory), free_port()
    try:
        with LoggingNginx(directory, UPSTREAMS.format(app=member.port, dead=dead), LOCATIONS) as running:
            yield SimpleNamespace(
                running=running, member=member, app="127.0.0.1:%d" % member.port, dead="127.0.0.1:%d" % dead
            )
    finally:
        member.stop()


@pytest.fixture
def log(nginx: SimpleNamespace) -> Iterator[AccessLog]:
    opened: AccessLog = nginx.running.opened()
    yield opened
    assert opened.passed_over == 0
    opened.close()
    nginx.member.behave(**WELL)


def get(nginx: SimpleNamespace, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", nginx.running.port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def counters(requests: int, failures: int = 0, **kinds: int) -> Counters:
    return Counters(requests, failures, {"http_5xx": 0, "connect": 0, "timeout": 0, **kinds})


def says(log: AccessLog, wanted: dict[str, Counters]) -> None:
    """A line comes a moment after the answer, and then none."""
    until(lambda: tries(log) >= sum(one.requests for one in wanted.values()), "the lines of all tries")
    assert counted(log) == wanted


def test_a_dead_member_hidden_by_another_is_seen(nginx: SimpleNamespace, log: AccessLog) -> None:
    served = nginx.member.count()["requests"]
    assert {get(nginx, "/two") for dummy in range(10)} == {200}
    assert nginx.member.count()["requests"] == served + 10
    until(lambda: counted(log).get(nginx.app, counters(0)).requests == 10, "ten lines")
    refused = log.counters()[nginx.dead].requests
    assert refused > 0
    assert log.counters() == {nginx.dead: counters(refused, refused, connect=refused), nginx.app: counters(10)}


def test_a_503_hidden_by_another_try_is_seen(nginx: SimpleNamespace, log: AccessLog) -> None:
    nginx.member.behave(fail=1.0, fail_status=503)
    assert get(nginx, "/two") in (502, 503)  # as the last of the two tries has it
    until(lambda: tries(log) == 2, "two tries")
    assert log.counters() == {nginx.app: counters(1, 1, http_5xx=1), nginx.dead: counters(1, 1, connect=1)}


def test_a_500_is_a_failure_and_a_404_is_none(nginx: SimpleNamespace, log: AccessLog) -> None:
    nginx.member.behave(fail=1.0)
    assert get(nginx, "/app") == 500
    nginx.member.behave(fail=1.0, fail_status=404)
    assert get(nginx, "/app") == 404
    says(log, {nginx.app: counters(2, 1, http_5xx=1)})


def test_one_that_hangs_is_a_timeout(nginx: SimpleNamespace, log: AccessLog) -> None:
    nginx.member.behave(hang=True)
    assert get(nginx, "/brisk") == 504
    says(log, {nginx.app: counters(1, 1, timeout=1)})
    assert log.times() == {}


def test_one_that_breaks_off_instead_of_answering_has_failed(nginx: SimpleNamespace, log: AccessLog) -> None:
    nginx.member.behave(slow=5.0)
    asking = threading.Thread(target=get, args=(nginx, "/app"))
    asking.start()
    until(lambda: nginx.member.count()["in_flight"] == 1, "the request to be at the member")
    nginx.member.kill()
    asking.join()
    nginx.member.start()
    says(log, {nginx.app: counters(1, 1)})


def test_a_client_that_leaves_is_nobodys_failure_and_nobodys_success(nginx: SimpleNamespace, log: AccessLog) -> None:
    nginx.member.behave(hang=True)
    for path in ("/app", "/redirected"):
        with socket.create_connection(("127.0.0.1", nginx.running.port)) as client:
            client.sendall(("GET %s HTTP/1.1\r\nHost: web\r\n\r\n" % path).encode())
            until(lambda: nginx.member.count()["in_flight"] == 1, "the request to be at the member")
        until(lambda: nginx.member.count()["in_flight"] == 0, "nginx to leave it too")
    until(lambda: counted(log) and sum(log.abandoned().values()) == 2, "both lines")
    assert log.counters() == {nginx.app: counters(0), nginx.dead: counters(1, 1, connect=1)}
    assert log.abandoned() == {nginx.app: 2, nginx.dead: 0}
    assert log.times() == {}


def test_a_group_without_a_server_left_is_told_by_its_name(nginx: SimpleNamespace, log: AccessLog) -> None:
    for dummy in range(20):  # until both workers have both servers out of their rounds
        assert get(nginx, "/ejected") == 502
    until(lambda: "ejected" in counted(log), "the group's name")
    found = log.counters()["ejected"]
    assert found.failures == found.requests > 0


def test_a_try_in_another_group_counts(nginx: SimpleNamespace, log: AccessLog) -> None:
    assert get(nginx, "/redirected") == 200
    says(log, {nginx.dead: counters(1, 1, connect=1), nginx.app: counters(1)})


def test_nginxs_own_answers_are_no_tries(nginx: SimpleNamespace, log: AccessLog) -> None:
    assert get(nginx, "/itself") == 503
    assert get(nginx, "/app") == 200
    says(log, {nginx.app: counters(1)})


def test_times_are_what_the_member_takes(nginx: SimpleNamespace, log: AccessLog) -> None:
    nginx.member.behave(slow=0.05)
    assert get(nginx, "/app") == 200
    nginx.member.behave(**WELL)
    assert get(nginx, "/app") == 200
    until(lambda: tries(log) == 2, "both lines")
    (quick, dummy, one), (slow, _dummy, another) = log.times()[nginx.app]
    assert (one, another) == (1, 1)
    assert slow >= 0.05 - 0.002 > quick


class Load:
    """Clients that ask without a pause, each request once, and count their answers; ``go`` cleared, they wait."""

    REQUEST = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"

    def __init__(self, port: int, clients: int = 8) -> None:
        self.go, self._end = threading.Event(), False
        self.go.set()
        self._sent = [0] * clients
        self._idle = [False] * clients
        self._threads = [threading.Thread(target=self._ask, args=(port, number)) for number in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end = True
        self.go.set()
        for thread in self._threads:
            thread.join()

    @property
    def answered(self) -> int:
        return sum(self._sent)

    def more(self, requests: int = 50) -> None:
        before = self.answered
        until(lambda: self.answered >= before + requests, "%d more answers" % requests)

    def pause(self) -> None:
        self.go.clear()
        until(lambda: all(self._idle), "all clients to have their answers")

    def resume(self) -> None:
        self._idle = [False] * len(self._idle)
        self.go.set()

    def _ask(self, port: int, number: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            while not self._end:
                connection.sendall(self.REQUEST)
                answer = b""
                while not answer.endswith(b"\r\n\r\nok"):
                    read = connection.recv(4096)
                    assert read, "nginx closed the connection after %r" % answer
                    answer += read
                assert answer.startswith(b"HTTP/1.1 200 ")
                self._sent[number] += 1
                if not self.go.is_set():
                    self._idle[number] = True
                    self.go.wait()


class Naive:
    """The control: follows the name, and goes to the beginning of whatever file has it now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.stat().st_ino
        self._position = path.stat().st_size
        self.lines = 0

    def read(self) -> None:
        with self._path.open("rb") as file:
            there = os.fstat(file.fileno())
            if there.st_ino != self._file or there.st_size < self._position:
                self._file, self._position = there.st_ino, 0
            file.seek(self._position)
            read = file.read()
        self.lines += read.count(b"\n")
        self._position += len(read)


def test_fifty_rotations_under_load_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    """By renaming, in the middle of the load; by truncation when there is nothing that it could take away."""
    tmp_path.chmod(0o755)
    with LoggingNginx(tmp_path) as running:
        log, naive = running.opened(), Naive(running.log)
        with Load(running.port) as load:
            for number in range(25):
                load.more()
                running.rotate(tmp_path / ("access.log.%d" % (number % 3)))
                load.more()
                log.read()
                naive.read()
            lost = load.answered - naive.lines
            for dummy in range(25):
                load.more()
                load.pause()
                until(lambda: tries(log) >= load.answered, "all lines")
                os.truncate(running.log, 0)
                load.resume()
                load.more()
                log.read()
        until(lambda: tries(log) >= load.answered, "all lines")
        log.read()
        assert log.counters() == {running.quick: counters(load.answered)}
        assert log.passed_over == 0
        assert sum(count for dummy, dummy2, count in log.times()[running.quick]) == load.answered
        assert lost > 25 * 10, "the control should have lost what stood in the old files"


@pytest.mark.skipif(os.geteuid() != 0, reason="nginx changes its user only as root")
def test_after_usr1_the_log_is_the_workers_and_they_have_to_be_named() -> None:
    user = "www-data"
    with suppress(KeyError):
        other = pwd.getpwnam(user).pw_uid
        with tempfile.TemporaryDirectory(prefix="zdm-nginx-") as directory:
            Path(directory).chmod(0o755)
            with LoggingNginx(Path(directory), user=user) as running:
                log, named = running.opened(), AccessLog(str(running.log), "web", owners=[other])
                named.read()
                running.rotate(Path(directory) / "access.log.1")
                until(lambda: running.log.stat().st_uid == other, "nginx to give its log to its workers")
                with pytest.raises(Unsupported, match="belongs to the user id %d" % other):
                    log.read()
                with Load(running.port, 1) as load:
                    load.more(5)
                until(lambda: tries(named) >= load.answered, "all lines")
                assert tries(named) == load.answered
            return
    pytest.skip("no user %s" % user)
