# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A channel: one agent at the other end of a command's standard input and output.

Rules of this room: how a question gets its answer. What the answers mean is the business of others.
When the watch dies its end of the pipes closes, the guard at the other end sees that, and reverts. (asyncio's own
subprocesses are killed when their transport goes; that is why they are not used.)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol

from ..module_utils.agent.stdio import GUARD_IS_GONE
from ._become import Become, BecomeError, Dialogue

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


class Started(Protocol):
    """What was started to reach an agent: its three streams, and whether it has ended. As subprocess has it."""

    @property
    def stdin(self) -> IO[bytes] | None: ...

    @property
    def stdout(self) -> IO[bytes] | None: ...

    @property
    def stderr(self) -> IO[bytes] | None: ...

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""

    def terminate(self) -> None:
        """Tell it to end."""


@dataclass(frozen=True)
class Command:
    """How a router's agent is started: the words of a command, its environment, the router's definition, and what
    has to be said to sudo or su on the way."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    router: Mapping[str, Any]
    become: Become | None = None

    @classmethod
    def of(cls, way: Mapping[str, Any], router: Mapping[str, Any]) -> Command:
        """From what the action ``connect`` hands over (_transport.py)."""
        become = way.get("become")
        return cls(tuple(way["argv"]), way["env"], router, Become.from_json(become) if become else None)

    def start(self) -> Started:
        """Start it; ChannelLost when there is no such program."""
        pipe = subprocess.PIPE
        try:
            return subprocess.Popen(self.argv, stdin=pipe, stdout=pipe, stderr=pipe, env=dict(self.env))
        except OSError as error:
            raise ChannelLost(f"{self.argv[0]} cannot be run: {error}") from None


class Channel:
    """Opened with ``await Channel.open(command)``; questions may overlap, each gets its own answer."""

    def __init__(self, process: Started, sink: asyncio.WriteTransport) -> None:
        self._process = process
        self._sink = sink
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._said: list[str] = []
        self._greeted = False
        self._readers: list[asyncio.Task[None]] = []
        self.lost: str = ""
        #: What the agent said of itself.
        self.hello: dict[str, Any] = {}
        self._code: int | None = None

    @property
    def guard_is_gone(self) -> bool:
        """The connection was whole, and the guard at its end has died."""
        return self._code == GUARD_IS_GONE

    @classmethod
    async def open(cls, command: Command, timeout: float) -> Channel:
        """Start the command and say hello; ChannelLost or Refusal when that does not come about in time."""
        process = command.start()  # it only forks; the reading and writing is asynchronous
        sink, _protocol = await asyncio.get_running_loop().connect_write_pipe(asyncio.BaseProtocol, process.stdin)
        channel = cls(process, sink)
        replies, complaints = await _reader(process.stdout), await _reader(process.stderr)
        try:
            if command.become is not None:
                await channel._become(command.become, replies, complaints, timeout)
            channel._readers = [
                asyncio.create_task(channel._listen(replies)),
                asyncio.create_task(channel._overhear(complaints)),
            ]
            channel.hello = await channel.ask("hello", timeout, versions=VERSIONS, router=dict(command.router))
        except (ChannelLost, Refusal):
            await channel.close()
            raise
        except asyncio.CancelledError:
            sink.close()
            process.terminate()
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
        """End the connection; a command that does not end with it (its network is gone) is told to."""
        self._sink.close()
        if await self._exit_code(CLOSE_SECONDS) is None:
            self._process.terminate()
        for reader in self._readers:
            reader.cancel()

    async def _become(
        self, become: Become, replies: asyncio.StreamReader, complaints: asyncio.StreamReader, timeout: float
    ) -> None:
        """Talk with sudo or su until the agent runs; ChannelLost when it never will."""
        dialogue = Dialogue(become)

        async def hear(stream: str, reader: asyncio.StreamReader) -> None:
            # Byte by byte: what comes after the marker is the agent's.
            while not dialogue.over and (byte := await reader.read(1)):
                answer = dialogue.hear(stream, byte)
                if answer:
                    self._sink.write(answer)

        out, err = asyncio.create_task(hear("out", replies)), asyncio.create_task(hear("err", complaints))

        async def talk() -> None:
            await asyncio.wait({out, err}, return_when=asyncio.FIRST_COMPLETED)
            if err.done():
                err.result()
            await out
            if not dialogue.over:
                # The command has ended; its last words are the reason.
                await asyncio.wait({err}, timeout=0.5)
                if err.done():
                    err.result()

        try:
            await asyncio.wait_for(talk(), timeout)
        except BecomeError as error:
            raise ChannelLost(str(error)) from None
        except asyncio.TimeoutError:
            raise ChannelLost(f"{dialogue.end()} (it did not start the agent within {timeout:g} s)") from None
        finally:
            out.cancel()
            err.cancel()
            await asyncio.gather(out, err, return_exceptions=True)
        if not dialogue.over:
            code = await self._exit_code(CLOSE_SECONDS)
            raise ChannelLost(f"the command ended with {code}: {dialogue.end()}")

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
        code = self._code = await self._exit_code(0.5)
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
