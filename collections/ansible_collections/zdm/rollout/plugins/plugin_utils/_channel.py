# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A channel: one agent at the other end of a command's standard input and output.

Rules of this room: how a question gets its answer. What the answers mean is the business of others.
The command (ssh, or Python itself on this machine) is run in the watch's own session; when the watch dies its
end of the pipes closes, the agent sees that, and reverts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LINE_LIMIT = 131072
#: How many lines a login shell or sudo may say before the agent speaks.
PREAMBLE_LINES = 50
VERSIONS = [1]


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

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._said: list[str] = []
        self._greeted = False
        self.lost: str = ""
        self._readers = [asyncio.create_task(self._listen()), asyncio.create_task(self._overhear())]

    @classmethod
    async def open(cls, command: Command, timeout: float) -> Channel:
        """Start the command and say hello; ChannelLost or Refusal when that does not come about in time."""
        try:
            process = await asyncio.create_subprocess_exec(
                *command.argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=dict(command.env),
                limit=LINE_LIMIT,
            )
        except OSError as error:
            raise ChannelLost(f"{command.argv[0]} cannot be run: {error}") from None
        channel = cls(process)
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
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode())
            await asyncio.wait_for(self._process.stdin.drain(), timeout)
            reply = await asyncio.wait_for(answer, timeout)
        except asyncio.TimeoutError:
            raise ChannelLost(f"no reply to {operation} within {timeout:g} s") from None
        except OSError as error:
            raise ChannelLost(self.lost or f"the connection broke: {error}") from None
        finally:
            self._asked.pop(number, None)
        if reply.get("ok"):
            return reply
        error = reply.get("error") or {}
        raise Refusal(str(error.get("code")), str(error.get("text")))

    async def close(self) -> None:
        """End the connection. An agent that still holds a lease reverts by this."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 2)
        except asyncio.TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        for reader in self._readers:
            reader.cancel()

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        preamble = 0
        with contextlib.suppress(ValueError, OSError):  # a line over the limit, a broken pipe: the end as well
            while line := await self._process.stdout.readline():
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

    async def _overhear(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(ValueError, OSError):
            while line := await self._process.stderr.readline():
                self._said = [*self._said[-4:], line.decode(errors="replace").strip()]

    async def _end(self) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._process.wait(), 0.5)
        code = self._process.returncode
        how = "the connection ended" if code is None else f"the command ended with {code}"
        self.lost = ": ".join([how, *[said for said in self._said if said]])
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(ChannelLost(self.lost))


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
