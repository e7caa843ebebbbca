# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line to one router: the channel in use, and fresh ones beside it when it is silent or lost.

Rules of this room: how an answer is got from a router that is hard to reach. What is asked must be such that it may
arrive twice. A lease is bound to its epoch and not to a connection, so whichever channel answers first is the
line from then on: a blip of the network that is shorter than the lease costs nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

from ._channel import Channel, ChannelLost, Command, Refusal

#: How long an answer may take before fresh channels are tried beside, how often, and how long each may take; seconds.
SILENT_SECONDS, FRESH_SECONDS, FRESH_TIMEOUT = 2.0, 1.0, 10.0
#: No more than so many fresh channels at once: a host that takes them and is silent must not be buried in them.
MOST_FRESH = 4


class GuardGone(ChannelLost):
    """The connection was whole; the guard at its end has died, and with it the lease."""


class Line:
    """Opened with ``open``. Several may be asking at once."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._channel: Channel | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def channel(self) -> Channel:
        if self._channel is None:
            raise ChannelLost("the line was never opened")
        return self._channel

    async def open(self, timeout: float) -> None:
        """The first channel; ChannelLost or Refusal."""
        self._channel = await Channel.open(self._command, timeout)

    @property
    def is_open(self) -> bool:
        """Whether there is a channel, as far as anybody knows."""
        return self._channel is not None and not self._channel.lost

    async def opens(self) -> bool:
        """Whether the command leads to an agent now."""
        try:
            await self.open(FRESH_TIMEOUT)
        except (ChannelLost, Refusal):
            return False
        return True

    async def ask(self, operation: str, timeout: float, **keys: Any) -> dict[str, Any]:
        """Over the present channel alone."""
        return await self.channel.ask(operation, timeout, **keys)

    async def insist(self, operation: str, deadline: float, through_death: bool = False, **keys: Any) -> dict[str, Any]:
        """The reply, over whichever channel brings it first, until ``deadline`` (time.monotonic()).

        Refusal is an answer. ChannelLost when none came in time; GuardGone, at once, unless ``through_death``.
        """
        asking: set[asyncio.Task[dict[str, Any]]] = set()
        tried: list[Channel] = []
        fresh, why = 0.0, self.channel.lost or f"no reply to {operation}"
        try:
            while True:
                if not through_death and self.channel.guard_is_gone:
                    raise GuardGone(f"the guard on the router is gone ({self.channel.lost})")
                t = time.monotonic()
                if t >= deadline:
                    raise ChannelLost(why)
                present = None if self.channel.lost or self.channel in tried else self.channel
                if present is not None or (t >= fresh and len(asking) <= MOST_FRESH):
                    asking.add(asyncio.create_task(self._ask_over(present, operation, deadline, keys)))
                    fresh = t + (FRESH_SECONDS if present is None else SILENT_SECONDS)
                    tried += [present] if present is not None else []
                pause = max(0.0, min(fresh, deadline) - t)
                if not asking:
                    await asyncio.sleep(pause)
                    continue
                done, _waiting = await asyncio.wait(asking, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    asking.discard(task)
                    try:
                        return task.result()
                    except ChannelLost as lost:
                        why = str(lost)
                        fresh = min(fresh, time.monotonic() + FRESH_SECONDS) if tried else fresh
        finally:
            for task in asking:
                task.cancel()

    async def _ask_over(self, channel: Channel | None, operation: str, deadline: float, keys: Any) -> dict[str, Any]:
        """Ask over a channel, or over a fresh one that becomes the line's when it answers."""
        if channel is not None:
            return await channel.ask(operation, deadline - time.monotonic(), **keys)
        fresh = await Channel.open(self._command, min(FRESH_TIMEOUT, max(0.1, deadline - time.monotonic())))
        try:
            reply = await fresh.ask(operation, min(FRESH_TIMEOUT, max(0.1, deadline - time.monotonic())), **keys)
        except Refusal:
            self._become(fresh)
            raise
        except (ChannelLost, asyncio.CancelledError):
            self._leave(fresh)
            raise
        self._become(fresh)
        return reply

    def _become(self, fresh: Channel) -> None:
        old, self._channel = self._channel, fresh
        if old is not None:
            self._leave(old)

    def _leave(self, channel: Channel) -> None:
        """Close a channel in the background."""
        task = asyncio.get_running_loop().create_task(channel.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """End the connection."""
        closing: list[Awaitable[None]] = [*self._closing]
        if self._channel is not None:
            closing.append(self._channel.close())
        await asyncio.gather(*closing)
