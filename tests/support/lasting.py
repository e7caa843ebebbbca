# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that last: a WebSocket, a download. Whether they still live is asked of themselves."""

from __future__ import annotations

import base64
import os
import socket
from typing import Self
from urllib.parse import urlsplit

WEBSOCKET = """\
GET /socket HTTP/1.1\r
host: %s\r
connection: Upgrade\r
upgrade: websocket\r
sec-websocket-version: 13\r
sec-websocket-key: %s\r
\r
"""
DOWNLOAD = "GET /download HTTP/1.1\r\nhost: %s\r\n\r\n"
PATIENCE = 5.0


class Lasting:
    """One connection through a proxy. ``release`` is that of the member which answered."""

    def __init__(self, url: str, request: str) -> None:
        where = urlsplit(url)
        self._socket = socket.create_connection((where.hostname, where.port), timeout=PATIENCE)
        self._socket.sendall(request.encode())
        self._unread = b""
        while b"\r\n\r\n" not in self._unread:
            self._unread += self._read()
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        self.head = head.decode("latin-1").lower()
        self.release = next(
            (line.partition(": ")[2] for line in self.head.splitlines() if line.startswith("x-release")), ""
        )

    def _read(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the other side closed it")
        return data

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class WebSocket(Lasting):
    """What is sent comes back, as bytes: no frame is looked into."""

    def __init__(self, url: str) -> None:
        super().__init__(url, WEBSOCKET % (urlsplit(url).netloc, base64.b64encode(os.urandom(16)).decode()))
        assert self.head.startswith("http/1.1 101"), self.head

    def lives(self) -> bool:
        sent = os.urandom(8)
        try:
            self._socket.sendall(sent)
            while sent not in self._unread:
                self._unread += self._read()
        except OSError:
            return False
        self._unread = b""
        return True


class Download(Lasting):
    """A byte follows the other."""

    def __init__(self, url: str) -> None:
        super().__init__(url, DOWNLOAD % urlsplit(url).netloc)
        assert self.head.startswith("http/1.1 200"), self.head

    def lives(self) -> bool:
        self._socket.setblocking(False)
        try:
            while True:  # what has come before says nothing about now
                self._read()
        except BlockingIOError:
            pass
        except OSError:
            return False
        finally:
            self._socket.settimeout(PATIENCE)
        try:
            self._read()
        except OSError:
            return False
        return True
