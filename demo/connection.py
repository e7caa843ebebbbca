# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One keep-alive connection of the client: one request, one record, and every way in which it can go wrong."""

from __future__ import annotations

import asyncio
import time

from demo.log import Record


class Malformed(Exception):
    """The answer is not HTTP."""


class Connection:
    """A connection to ``peer`` (host, port), opened when a request needs it. ``timeout`` in seconds holds for opening
    it and again for the answer; ``polite`` looks for its end before it is used again."""

    def __init__(self, peer: tuple[str, int], message: bytes, *, timeout: float, polite: bool) -> None:
        self.peer, self.message, self.timeout, self.polite = peer, message, timeout, polite
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None
        self.status: int | None = None
        self.release: str | None = None
        self.expired = False

    async def request(self) -> Record:
        """One request, one record; never an exception of the network."""
        if self.polite and self.reader is not None and self.reader.at_eof():
            self.close()
        wall, started = time.time(), time.monotonic()
        self.status, self.release, self.expired = None, None, False
        failure = await self._try()
        return Record(wall, started, time.monotonic(), self.status, failure, self.release)

    async def _try(self) -> str | None:
        try:
            reader, writer = await self._open()
        except asyncio.TimeoutError:
            return "timeout"
        except OSError:
            return "refused"
        deadline = asyncio.get_running_loop().call_later(self.timeout, self._expire)
        try:
            writer.write(self.message)
            last = await self._answer(reader)
            failure = None if self.status is not None and 200 <= self.status < 300 else "status"
        except asyncio.IncompleteReadError as error:
            last, failure = True, "closed" if self.status is None and not error.partial else "short"
        except OSError:
            last, failure = True, "reset"
        except (Malformed, asyncio.LimitOverrunError):
            last, failure = True, "malformed"
        finally:
            deadline.cancel()
        if last:
            self.close()
        return "timeout" if self.expired else failure

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.reader is not None and self.writer is not None:
            return self.reader, self.writer
        reader, writer = await asyncio.wait_for(asyncio.open_connection(*self.peer), self.timeout)
        self.reader, self.writer = reader, writer
        return reader, writer

    async def _answer(self, reader: asyncio.StreamReader) -> bool:
        """Read one answer to its end; True if the connection ends with it."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        version, _, rest = head.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise Malformed
        self.status = int(rest[:3])
        headers = {
            name.lower(): value.strip()
            for name, colon, value in (line.partition(":") for line in head.split("\r\n")[1:])
            if colon
        }
        self.release = headers.get("x-release")
        if headers.get("transfer-encoding", "").lower() == "chunked":
            await self._chunks(reader)
        elif "content-length" in headers:
            if not headers["content-length"].isdigit():
                raise Malformed
            await reader.readexactly(int(headers["content-length"]))
        elif self.status not in (204, 304):
            await reader.read()
            return True
        return headers.get("connection", "").lower() == "close"

    async def _chunks(self, reader: asyncio.StreamReader) -> None:
        while True:
            line = await reader.readuntil(b"\r\n")
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError as error:
                raise Malformed from error
            await reader.readexactly(size + 2)
            if size == 0:
                return

    def _expire(self) -> None:
        self.expired = True
        if self.writer is not None:
            self.writer.transport.abort()

    def close(self) -> None:
        if self.writer is not None:
            self.writer.transport.abort()
        self.reader = self.writer = None
