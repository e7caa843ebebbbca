# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The desk: the watch's local socket, where the play's tasks ask for things.

One JSON line is a request; the replies are ``{"say": text}`` lines for the screen while it is worked on, then one
``{"done": result}`` or ``{"refused": {"text": …}}``. The socket lies in a directory that only its owner can enter.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

LINE_LIMIT = 8 * 1024 * 1024
#: How often those who wait get a sign of life, and how long they wait for one, in seconds.
ALIVE_SECONDS, PATIENCE_SECONDS = 5.0, 60.0


class Declined(Exception):
    """A request that the watch does not fulfil; the text says why and what to do next."""


class Desk:
    """Serves requests with ``serve(request) -> result``; what is said meanwhile goes to everyone who waits."""

    def __init__(self, serve: Callable[[Mapping[str, Any]], Awaitable[Any]]) -> None:
        self._serve = serve
        self._waiting: set[asyncio.StreamWriter] = set()
        self._server: asyncio.AbstractServer | None = None
        self._alive: asyncio.Task[None] | None = None

    async def open(self, path: str) -> None:
        self._server = await asyncio.start_unix_server(self._visit, path, limit=LINE_LIMIT)
        self._alive = asyncio.create_task(self._live())

    def say(self, text: str) -> None:
        """A line for the screens of those who wait."""
        self._tell({"say": text})

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._alive is not None:
            self._alive.cancel()

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            self._tell({"alive": True})

    def _tell(self, message: Mapping[str, Any]) -> None:
        for writer in self._waiting:
            _write(writer, message)

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):
            request = json.loads(await reader.readline())
            self._waiting.add(writer)
            try:
                answer = {"done": await self._serve(request)}
            except Declined as declined:
                answer = {"refused": {"text": str(declined)}}
            finally:
                self._waiting.discard(writer)
            _write(writer, answer)
            await writer.drain()
        writer.close()


def _write(writer: asyncio.StreamWriter, message: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):
        writer.write((json.dumps(message) + "\n").encode())


def visit(path: str, request: Mapping[str, Any], patience: float = PATIENCE_SECONDS) -> Iterator[dict[str, Any]]:
    """The other side: ask at a desk, get its messages as they come. OSError when nobody is there.

    ``patience``: seconds without a sign of life after which TimeoutError is raised.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(patience)
        connection.connect(path)
        connection.sendall((json.dumps(request) + "\n").encode())
        with connection.makefile("rb") as stream:
            for line in stream:
                message = json.loads(line)
                if "alive" not in message:
                    yield message
