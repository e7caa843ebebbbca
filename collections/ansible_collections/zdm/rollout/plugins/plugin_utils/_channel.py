# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A channel: one agent at the other end of a command's standard input and output.

Rules of this room: how a question gets its answer. What the answers mean is the business of others.
When the watch dies its end of the pipes closes, the agent sees that, and reverts. So a command is never killed from
here: an agent on this machine would die of it before it could bring traffic back. (asyncio's own subprocesses
are killed when their transport goes; that is why they are not used.)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LINE_LIMIT = 131072
#: How many lines a login shell or sudo may say before the agent speaks.
PREAMBLE_LINES = 50
VERSIONS = [1]
CLOSE_SECONDS = 2.0


class ChannelLost(Exception):
    """The other end is gone or silent; the text says how it ended."""


class Refusal(Exception):
    """The agent answered that it will not; ``code`` as in the protocol."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True)
class Command:
    """How a router's agent is started: the words of a command, what its environment adds, the router's definition."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    router: Mapping[str, Any]


class Channel:
    """Opened with ``await Channel.open(command)``; questions may overlap, each gets its own answer."""

    def __init__(self, process: subprocess.Popen[bytes], sink: asyncio.WriteTransport) -> None:
        self._process = process
        self._sink = sink
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._said: list[str] = []
        self._greeted = False
        self._readers: list[asyncio.Task[None]] = []
        self.lost: str = ""

    @classmethod
    async def open(cls, command: Command, timeout: float) -> Channel:
        """Start the command and say hello; ChannelLost or Refusal when that does not come about in time."""
        pipe = subprocess.PIPE
        try:
            # It only forks; the reading and writing is asynchronous.
            process = subprocess.Popen(  # noqa: ASYNC220
                command.argv, stdin=pipe, stdout=pipe, stderr=pipe, env=dict(command.env)
            )
        except OSError as error:
            raise ChannelLost(f"{command.argv[0]} cannot be run: {error}") from None
        sink, _protocol = await asyncio.get_running_loop().connect_write_pipe(asyncio.BaseProtocol, process.stdin)
        channel = cls(process, sink)
        replies, complaints = await _reader(process.stdout), await _reader(process.stderr)
        channel._readers = [
            asyncio.create_task(channel._listen(replies)),
            asyncio.create_task(channel._overhear(complaints)),
        ]
        try:
            await channel.ask("hello", timeout, versions=VERSIONS, router=dict(command.router))
        except (ChannelLost, Refusal):
            await channel.close()
            raise
        return channel

    async def ask(self, operation: str, timeout: float, **keys: Any) -> dict[str, Any]:
        """The agent's reply; Refusal for its no, ChannelLost when there is none within ``timeout`` seconds."""
        if self.lost:
            raise ChannelLost(self.lost)
        self._number += 1
        number = self._number
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        line = json.dumps({"id": number, "op": operation, **keys}, separators=(",", ":")) + "\n"
        self._sink.write(line.encode())
        try:
            reply = await asyncio.wait_for(answer, timeout)
        except asyncio.TimeoutError:
            raise ChannelLost(f"no reply to {operation} within {timeout:g} s") from None
        finally:
            self._asked.pop(number, None)
        if reply.get("ok"):
            return reply
        error = reply.get("error") or {}
        raise Refusal(str(error.get("code")), str(error.get("text")))

    async def close(self) -> None:
        """End the connection, and give the command a moment to end. A lease still held ends in a revert."""
        self._sink.close()
        await self._exit_code(CLOSE_SECONDS)
        for reader in self._readers:
            reader.cancel()

    async def _exit_code(self, timeout: float) -> int | None:
        deadline = asyncio.get_running_loop().time() + timeout
        # The kernel tells of a child's end by a signal only, and this loop owns no signal.
        while self._process.poll() is None and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return self._process.poll()

    async def _listen(self, replies: asyncio.StreamReader) -> None:
        preamble = 0
        with contextlib.suppress(ValueError, OSError):  # a line over the limit, a broken pipe: the end as well
            while line := await replies.readline():
                reply = _object(line)
                if reply is None:
                    preamble += 1
                    if self._greeted or preamble > PREAMBLE_LINES:
                        self._said.append(f"it said {line[:200].decode(errors='replace')!r} where a reply was expected")
                        break
                    continue
                self._greeted = True
                answer = self._asked.get(reply.get("id", 0))
                if answer is not None and not answer.done():
                    answer.set_result(reply)
        await self._end()

    async def _overhear(self, complaints: asyncio.StreamReader) -> None:
        with contextlib.suppress(ValueError, OSError):
            while line := await complaints.readline():
                self._said = [*self._said[-4:], line.decode(errors="replace").strip()]

    async def _end(self) -> None:
        code = await self._exit_code(0.5)
        if code is not None:
            # Its last words are the reason; they may come after the end of its replies.
            await asyncio.wait(self._readers[1:], timeout=0.2)
        how = "the connection ended" if code is None else f"the command ended with {code}"
        self.lost = ": ".join([how, *[said for said in self._said if said]])
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(ChannelLost(self.lost))


async def _reader(pipe: Any) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
