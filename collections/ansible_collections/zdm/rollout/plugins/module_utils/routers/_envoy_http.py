# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to Envoy's admin socket that is kept: one GET after the other, as HTTP/1.1 (RFC 9112) has it.

The standard library's client brings TLS with it, a third of what a guard has in memory, and reads headers as those of
mail, which costs more than all the rest of a look. Ten looks a second for weeks are what this is for.
"""

from __future__ import annotations

import socket
from typing import Dict, List, Tuple

LINE_LIMIT = 65536


class Malformed(OSError):
    """What came is no answer in HTTP/1.1."""


class Connection:
    """To the socket at ``path``, asking ``host``; ``timeout`` in seconds is for each wait. OSError where it cannot be
    had."""

    def __init__(self, path: str, timeout: float, host: str = "envoy-admin") -> None:
        self._host = host
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(timeout)
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._answers = self._socket.makefile("rb")

    def get(self, target: str) -> Tuple[int, bytes]:
        """Status and body; ConnectionError when the other side ended, Malformed, or socket.timeout.

        After an error nothing more can be asked here.
        """
        self._socket.sendall(("GET %s HTTP/1.1\r\nhost: %s\r\n\r\n" % (target, self._host)).encode("ascii"))
        version, dummy, rest = self._line().partition(" ")
        status = rest[:3]
        if not version.startswith("HTTP/1.") or not status.isdigit():
            raise Malformed("it does not speak HTTP/1.1")
        headers = self._headers()
        if headers.get("transfer-encoding") == "chunked":
            return int(status), self._chunks()
        length = headers.get("content-length", "")
        if not length.isdigit():
            raise Malformed("an answer without its length")
        return int(status), self._exactly(int(length))

    def close(self) -> None:
        self._answers.close()
        self._socket.close()

    def _headers(self) -> Dict[str, str]:
        found: Dict[str, str] = {}
        while True:
            line = self._line()
            if not line:
                return found
            name, dummy, value = line.partition(":")
            found[name.lower()] = value.strip().lower()

    def _chunks(self) -> bytes:
        parts: List[bytes] = []
        while True:
            size = self._line().partition(";")[0]
            try:
                length = int(size, 16)
            except ValueError:
                raise Malformed("%r is no chunk's length" % size[:20]) from None
            if length == 0:
                self._headers()  # what may follow the last chunk
                return b"".join(parts)
            parts.append(self._exactly(length))
            self._exactly(2)

    def _line(self) -> str:
        line = self._answers.readline(LINE_LIMIT)
        if not line.endswith(b"\n"):
            raise ConnectionResetError("it ended in the middle of an answer")
        return line.rstrip(b"\r\n").decode("latin-1")

    def _exactly(self, length: int) -> bytes:
        data = self._answers.read(length)
        if len(data) < length:
            raise ConnectionResetError("it ended in the middle of an answer")
        return data
