# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All routers of a rollout, asked together: the leases, the epochs, and the way back when a channel is lost.

Rules of this room: how an order reaches every router and how its answer is confirmed. When to give an order is
decided in _rollout.py. Nothing here waits for one router before it speaks to another, but for the first lease.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Any

from ..module_utils.routers.api import Service, Traffic
from ._channel import Channel, ChannelLost, Command, Refusal

#: Seconds: for a connection to be made, for an order to be carried out, for a renewal.
OPEN_TIMEOUT, ORDER_TIMEOUT, RENEW_TIMEOUT = 30.0, 15.0, 5.0
#: How long a router that does not confirm its revert is asked again, and how often.
REVERT_DEADLINE, REVERT_AGAIN = 30.0, 0.3


class NotBack(Exception):
    """A router was not confirmed to be back at stable. ``sick``: because stable cannot take the traffic."""

    def __init__(self, text: str, sick: bool) -> None:
        super().__init__(text)
        self.sick = sick


class Routers:
    """The channels to all routers, with the definition of the service as each has to know it."""

    def __init__(self, commands: Mapping[str, Command], services: Mapping[str, Service]) -> None:
        self._commands = commands
        self._services = services
        self._channels: dict[str, Channel] = {}
        self._epochs: dict[str, int] = {}
        self._run: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        return list(self._services)

    async def open(self) -> dict[str, str]:
        """Open all channels; why not, by router, for those that cannot be."""

        async def one(name: str) -> str:
            try:
                self._channels[name] = await Channel.open(self._commands[name], OPEN_TIMEOUT)
            except (ChannelLost, Refusal) as error:
                return str(error)
            return ""

        reasons = await asyncio.gather(*(one(name) for name in self.names))
        return {name: reason for name, reason in zip(self.names, reasons, strict=True) if reason}

    async def read(self, name: str) -> dict[str, Any]:
        """``traffic`` and ``record`` of one router; ChannelLost or Refusal."""
        return await self._channels[name].ask("read", ORDER_TIMEOUT, service=self._services[name].to_json())

    async def acquire(self, run: str, owner: str, release: str, stable: str, canary: str) -> dict[str, Any]:
        """Take all leases: the first router by name alone, so that of two runs one wins everywhere; then the others.

        The dead owners whose leases were taken over, by router. When one refuses, those already taken are given
        back, and its Refusal or ChannelLost is raised, naming it.
        """
        self._run = {"run": run, "owner": owner, "release": release, "stable": stable, "canary": canary}
        first, *others = sorted(self.names)
        try:
            results = [await self._acquire(first)]
            results += await _all(self._acquire(name) for name in others)
        except (ChannelLost, Refusal):
            await self._give_back()
            raise
        return {name: took for name, took in results if took}

    async def _acquire(self, name: str) -> tuple[str, Any]:
        service = self._services[name].to_json()
        try:
            reply = await self._channels[name].ask("acquire", ORDER_TIMEOUT, service=service, **self._run)
        except Refusal as refusal:
            raise Refusal(refusal.code, f"{name}: {refusal.text}") from None
        except ChannelLost as lost:
            raise ChannelLost(f"{name}: {lost}") from None
        self._epochs[name] = reply["epoch"]
        return name, reply["took_over"]

    async def _give_back(self) -> None:
        for name, epoch in list(self._epochs.items()):
            with contextlib.suppress(ChannelLost, Refusal):  # its connection's end will do the same
                await self._channels[name].ask("disarm", ORDER_TIMEOUT, epoch=epoch)
            del self._epochs[name]

    async def arm(self, name: str, split: Mapping[str, float]) -> Traffic:
        """Bring a split about on one router; the traffic as its agent read it back."""
        wanted = {"split": dict(split), "stable": self._run["stable"]}
        reply = await self._channels[name].ask("arm", ORDER_TIMEOUT, epoch=self._epochs[name], wanted=wanted)
        return Traffic.from_json(reply["traffic"])

    async def renew(self, name: str, note: Any) -> dict[str, Any]:
        """A sign of life; the reply carries counters, the split and people's orders."""
        news = {"note": note} if note is not None else {}
        return await self._channels[name].ask("renew", RENEW_TIMEOUT, epoch=self._epochs[name], **news)

    async def probe(self, name: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """One request to a member, sent from this router's host."""
        timeout = float(request["timeout"]) + RENEW_TIMEOUT
        service = self._services[name].to_json()
        return await self._channels[name].ask("probe", timeout, service=service, request=dict(request))

    async def disarm(self, name: str) -> None:
        """End one router's lease; its split stays."""
        await self._channels[name].ask("disarm", ORDER_TIMEOUT, epoch=self._epochs[name])

    async def revert(self, name: str, reason: str) -> float:
        """Bring one router back, over a new connection if need be; stable's share as read back. NotBack at the end."""
        deadline = time.monotonic() + REVERT_DEADLINE
        while True:
            try:
                return await self._revert_once(name, reason)
            except (ChannelLost, Refusal) as error:
                sick = isinstance(error, Refusal) and error.code == "sick"
                if time.monotonic() > deadline:
                    raise NotBack(str(error), sick) from None
            await asyncio.sleep(REVERT_AGAIN)

    async def _revert_once(self, name: str, reason: str) -> float:
        if self._channels[name].lost:
            await self._channels[name].close()
            self._channels[name] = await Channel.open(self._commands[name], OPEN_TIMEOUT)
        if name not in self._epochs:
            return 100.0  # no lease was taken here, so nothing was moved
        service, stable = self._services[name], self._run["stable"]
        channel = self._channels[name]
        which = {"epoch": self._epochs[name], "name": service.name, "environment": service.environment}
        try:
            reply = await channel.ask("revert", ORDER_TIMEOUT, reason=reason, **which)
        except Refusal as refusal:
            if refusal.code == "idle":
                reply = await self._take_back(name)
            elif refusal.code == "reverted":
                reply = await self.read(name)
            else:
                raise
        return float(reply["traffic"]["split"].get(stable, 0.0))

    async def _take_back(self, name: str) -> dict[str, Any]:
        """A router that was disarmed before another one failed: lease it once more, for the way back."""
        await self._acquire(name)
        stable = self._run["stable"]
        split = {pool: 100.0 if pool == stable else 0.0 for pool in self._services[name].pools}
        await self.arm(name, split)
        await self.disarm(name)
        return await self.read(name)

    async def close(self) -> None:
        """End all connections."""
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))


async def _all(coroutines: Any) -> list[Any]:
    """Results of all; every one is waited for, then the first error among them is raised."""
    results = await asyncio.gather(*coroutines, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return list(results)
