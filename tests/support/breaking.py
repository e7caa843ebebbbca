# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A member that takes requests, counts them and breaks some, in ways that the demo's service does not know."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

from .ports import free_port

GOOD = b"HTTP/1.1 200 OK\r\nx-release: v2\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s"

#: The connection is reset without an answer; ends within a good answer; stays open within one, for ever.
RESET, CUT, STALL = "reset", "cut", "stall"


class BreakingMember:
    """Listens at ``port``; of ``requests`` that it has taken it has broken ``broken``, every ``every``-th.

    A context manager.
    """

    def __init__(self, way: str, every: int = 1) -> None:
        self.port, self.requests, self.broken = free_port(), 0, 0
        self._way, self._every = way, every
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self._thread = threading.Thread(target=self._serve, name="breaking member", daemon=True)
        self._stalled: list[socket.socket] = []

    def __enter__(self) -> BreakingMember:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        for connection in (self._listener, *self._stalled):
            connection.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # the listener was shut down
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    connection.settimeout(5)
                    if connection.recv(65536).startswith(b"GET "):
                        self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        self.requests += 1
        if self.requests % self._every:
            connection.sendall(GOOD % (2, b"ok"))
            return
        self.broken += 1
        if self._way == RESET:
            # Closed with this it sends RST instead of FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        connection.sendall(GOOD % (1000, b"not all"))
        if self._way == STALL:
            self._stalled.append(connection.dup())
