# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A relay in front of HAProxy's runtime socket: it keeps every command that passed, and can alter one on its way."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

#: Commands that change nothing. Whatever is not one of them counts as an order.
QUESTIONS = ("show ", "get ")


class Relay:
    """Listens at ``path`` and passes each line of commands on to ``target``. A context manager.

    ``alter`` is given each line and returns what HAProxy gets to see instead.
    """

    def __init__(self, path: Path, target: Path, alter: Callable[[str], str] = str) -> None:
        self.path, self._target, self._alter = path, target, alter
        self.commands: list[str] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._thread = threading.Thread(target=self._serve, name="relay", daemon=True)

    @property
    def orders(self) -> list[str]:
        """The commands that could have changed something, in their order."""
        return [command for command in self.commands if not command.startswith(QUESTIONS)]

    def __enter__(self) -> Relay:
        self._listener.bind(str(self.path))
        self._listener.listen(16)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()
        self.path.unlink()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # the listener was shut down
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    self._pass(connection)

    def _pass(self, connection: socket.socket) -> None:
        line = connection.makefile(encoding="utf-8").readline()
        self.commands += [command.strip() for command in line.split(";") if command.strip()]
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as runtime:
            runtime.settimeout(5)
            runtime.connect(str(self._target))
            runtime.sendall(self._alter(line).encode())
            while chunk := runtime.recv(65536):
                connection.sendall(chunk)
