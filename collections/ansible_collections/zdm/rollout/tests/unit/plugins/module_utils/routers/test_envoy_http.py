# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 over a Unix socket: how an answer is framed (RFC 9112, sections 6 and 7), and all that is none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers._envoy_http import Connection, Malformed

OK = b"HTTP/1.1 200 OK\r\n"
Answering = Callable[..., Connection]


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Answering]:
    """Opens a connection to somebody who sends these bytes, one piece for each request, then ends."""
    path = str(tmp_path / "admin.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    threads: list[threading.Thread] = []
    opened: list[Connection] = []

    def serve(answers: tuple[bytes, ...]) -> None:
        peer, _address = listener.accept()
        with peer, suppress(BrokenPipeError, ConnectionResetError):  # who was told nonsense does not hear it out
            for answer in answers:
                asked = b""
                while not asked.endswith(b"\r\n\r\n"):
                    asked += peer.recv(1000)
                assert asked == b"GET /stats?a=b HTTP/1.1\r\nhost: envoy-admin\r\n\r\n"
                for byte in answer:  # however the bytes are cut
                    peer.send(bytes([byte]))

    def open_it(*answers: bytes, timeout: float = 5.0) -> Connection:
        threads.append(threading.Thread(target=serve, args=(answers,)))
        threads[-1].start()
        opened.append(Connection(path, timeout))
        return opened[-1]

    yield open_it
    for connection in opened:
        connection.close()
    for thread in threads:
        thread.join()
    listener.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (OK + b"content-length: 5\r\n\r\nhello", (200, b"hello")),
        (OK + b"Content-Length:0\r\n\r\n", (200, b"")),
        (b"HTTP/1.1 503\r\ncontent-length: 2\r\n\r\nno", (503, b"no")),
        (
            OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\nA;x=y\r\npedia in\r\n\r\n0\r\n\r\n",
            (200, b"Wikipedia in\r\n"),
        ),
        (OK + b"transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nlater: header\r\n\r\n", (200, b"x")),
    ],
)
def test_an_answer_is_read_to_its_end_and_the_next_begins_there(
    answering: Answering, answer: bytes, expected: tuple[int, bytes]
) -> None:
    connection = answering(answer, OK + b"content-length: 4\r\n\r\nnext")
    assert connection.get("/stats?a=b") == expected
    assert connection.get("/stats?a=b") == (200, b"next")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", ConnectionError),
        (b"HTTP/1.1 20", ConnectionError),
        (OK + b"content-length: 5\r\n\r\nhell", ConnectionError),
        (OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhell", ConnectionError),
        (OK + b"transfer-encoding: chunked\r\n\r\n1\r\nx\r\n", ConnectionError),
        (b"220 mail.example ESMTP\r\n", Malformed),
        (b"HTTP/1.1 okay\r\n\r\n", Malformed),
        (OK + b"\r\n", Malformed),
        (OK + b"content-length: many\r\n\r\n", Malformed),
        (OK + b"transfer-encoding: chunked\r\n\r\nseven\r\n", Malformed),
    ],
)
def test_what_is_cut_off_or_no_answer_is_an_error(answering: Answering, answer: bytes, error: type[OSError]) -> None:
    with pytest.raises(error):
        answering(answer).get("/stats?a=b")


def test_silence_is_a_timeout(tmp_path: Path) -> None:
    path = str(tmp_path / "admin.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        connection = Connection(path, 0.05)
        with pytest.raises(socket.timeout):
            connection.get("/ready")
        connection.close()


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Connection(str(tmp_path / "admin.sock"), 1.0)
