# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's log: what a line says, what the bins are, and sources that end, turn over or are not there."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _haproxy_log as room
from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_log import Follower, parse
from ansible_collections.zdm.rollout.plugins.module_utils.routers._log_bins import bin_of
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Unreachable

LINE = '{"b":"web","s":"%s","st":200,"tr":%d,"ta":9}\n'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (LINE % ("blue-1", 12), ("web", "blue-1", 12)),
        ("<134>Nov 27 08:00:00 lb1 haproxy[12]: " + LINE % ("blue-1", 0), ("web", "blue-1", 0)),
        (LINE % ("<NOSRV>", -1), None),  # nobody answered
        ("", None),
        ("Server web/blue-1 is DOWN, reason: Layer4 timeout.", None),
        ('{"b":"web","s":"blue-1"}', None),
        ('{"b":"web","s":"blue-1","tr":"soon"}', None),
        ('{"b":"web","s":"blue-1","tr":null}', None),
        ("{" * 5000, None),
        ("[1]{2}", None),
    ],
)
def test_a_line_is_a_request_or_is_passed_over(line: str, said: object) -> None:
    assert parse(line) == said


def test_bins_join_and_are_finer_than_a_tenth() -> None:
    for milliseconds in range(12_000):
        low, high = bin_of(milliseconds)
        assert low * 1e3 <= milliseconds + 1e-6 < high * 1e3 + 1e-6
        assert milliseconds < 10 or (high - low) <= 0.1 * low + 1e-9
    ends = sorted({bin_of(milliseconds) for milliseconds in range(12_000)})
    assert all(one[1] == pytest.approx(other[0]) for one, other in zip(ends, ends[1:], strict=False))


def until_counted(follower: Follower, servers: list[str], requests: int) -> None:
    deadline = monotonic() + 20
    while sum(count for dummy, dummy2, count in follower.times("web", servers)) != requests:
        assert monotonic() < deadline, follower.times("web", servers)
        sleep(0.02)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "haproxy.log"
    path.write_text(LINE % ("blue-1", 1))
    return path


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(room, "AGAIN_SECONDS", 0.01)


def begun(follower: Follower, path: Path) -> None:
    """It has come to the end of the file: what is written now is counted."""
    deadline = monotonic() + 20
    while not sum(count for dummy, dummy2, count in follower.times("web", ["begin"])):
        assert monotonic() < deadline
        with path.open("a") as file:
            file.write(LINE % ("begin", 1))
        sleep(0.02)


def test_a_file_is_followed_from_its_end_through_its_turning_over(log: Path) -> None:
    follower = Follower({"file": str(log)}, "")
    begun(follower, log)
    with log.open("a") as file:
        file.write(LINE % ("blue-1", 12) + (LINE % ("blue-1", 12))[:10])
        file.flush()
        until_counted(follower, ["blue-1"], 1)
        file.write((LINE % ("blue-1", 12))[10:] + LINE % ("blue-2", 250) + LINE.replace("web", "other") % ("blue-1", 3))
    until_counted(follower, ["blue-1", "blue-2"], 3)
    assert follower.times("web", ["blue-1", "blue-2"]) == [(0.012, 0.013, 2), (0.25, 0.26, 1)]
    log.rename(log.with_suffix(".1"))
    sleep(0.05)
    log.write_text(LINE % ("blue-1", 12))
    until_counted(follower, ["blue-1"], 3)
    os.truncate(log, 0)
    sleep(0.05)
    with log.open("a") as file:
        file.write(LINE % ("blue-1", 12))
    until_counted(follower, ["blue-1"], 4)


def test_one_that_nobody_asks_any_more_ends_and_begins_anew(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    follower = Follower({"file": str(log)}, "", clock=lambda: now[0])
    begun(follower, log)
    before = threading.active_count()
    now[0] = room.IDLE_SECONDS + 1
    deadline = monotonic() + 20
    while threading.active_count() >= before:
        assert monotonic() < deadline
        sleep(0.02)
    assert follower.times("web", ["begin"]) == []
    begun(follower, log)


def test_a_source_that_is_not_there_is_said_and_found_when_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "haproxy.log"
    follower = Follower({"file": str(path)}, "")
    deadline = monotonic() + 20
    with pytest.raises(Unreachable, match=r"HAProxy's log cannot be read: .*No such file.*haproxy\.log"):
        while monotonic() < deadline:
            follower.times("web", ["blue-1"])
            sleep(0.02)
    path.write_text("")
    while True:
        assert monotonic() < deadline
        with path.open("a") as file:
            file.write(LINE % ("blue-1", 12))
        try:
            if follower.times("web", ["blue-1"]):
                break
        except Unreachable:
            sleep(0.02)


def test_datagrams_to_a_port_of_this_machine() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        port = sender.getsockname()[1]
    follower = Follower({"udp": port}, "")
    deadline = monotonic() + 20
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        while not follower.times("web", ["blue-1"]):
            assert monotonic() < deadline
            sender.sendto(b"<134>haproxy: " + (LINE % ("blue-1", 12)).encode(), ("127.0.0.1", port))
            sleep(0.02)
    assert [each[:2] for each in follower.times("web", ["blue-1"])] == [(0.012, 0.013)]


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[str]:
    """A runtime socket that knows no ring."""
    path = str(tmp_path / "haproxy.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                with connection:
                    assert connection.recv(100) == b"show events lb -w -n\n"
                    connection.sendall(b"Can't find ring 'lb'.\n\n")

        threading.Thread(target=serve, daemon=True).start()
        yield path
        listener.shutdown(socket.SHUT_RDWR)


def test_a_ring_that_haproxy_does_not_have_is_said_in_its_words(answering: str) -> None:
    follower = Follower({"ring": "lb"}, answering)
    deadline = monotonic() + 20
    with pytest.raises(Unreachable, match="HAProxy's log cannot be read: ring lb: Can't find ring 'lb'"):
        while monotonic() < deadline:
            follower.times("web", ["blue-1"])
            sleep(0.02)
