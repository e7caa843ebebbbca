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
from collections.abc import Iterable, Mapping
from typing import Any

from ..module_utils.routers.api import Service, Traffic
from ._channel import ChannelLost, Refusal
from ._line import Line

#: Seconds: for a connection to be made, for an order to be carried out, for a probe beyond its own time.
OPEN_TIMEOUT, ORDER_TIMEOUT, PROBE_MORE = 30.0, 15.0, 5.0
#: How long a router that does not confirm its revert is asked again, and how often.
REVERT_DEADLINE, REVERT_AGAIN = 30.0, 0.3


class NotBack(Exception):
    """A router was not confirmed to be back at stable. ``sick``: because stable cannot take the traffic."""

    def __init__(self, text: str, sick: bool) -> None:
        super().__init__(text)
        self.sick = sick


class Routers:
    """The channels to all routers, with the definition of the service as each has to know it."""

    def __init__(self, lines: Mapping[str, Line], services: Mapping[str, Service]) -> None:
        self._lines = {name: lines[name] for name in services}
        self._services = services
        self._epochs: dict[str, int] = {}
        self._run: dict[str, Any] = {}
        self._ttl = 0.0
        #: The newest of each guard's own times that a reply brought, and when that was here.
        self._echo: dict[str, float] = {}
        self._heard: dict[str, float] = {}
        #: For how long each guard has watched what was parked, in seconds.
        self.watched: dict[str, float] = {}

    @property
    def names(self) -> list[str]:
        return list(self._services)

    async def open(self) -> dict[str, str]:
        """Open all channels that are not; why not, by router, for those that cannot be."""

        async def one(name: str) -> str:
            try:
                if not self._lines[name].is_open:
                    await self._lines[name].open(OPEN_TIMEOUT)
            except (ChannelLost, Refusal) as error:
                return str(error)
            return ""

        reasons = await asyncio.gather(*(one(name) for name in self.names))
        return {name: reason for name, reason in zip(self.names, reasons, strict=True) if reason}

    def guard(self, name: str) -> str:
        """Which guard this router's host has: ``session``, ``resident`` or ``none``."""
        return str(self._lines[name].channel.hello.get("guard"))

    def is_of(self, name: str, release: str) -> bool:
        """Whether the agent that answers there was built of these sources; a guard lives longer than its file."""
        return bool(self._lines[name].channel.hello.get("agent") == release)

    async def read(self, name: str) -> dict[str, Any]:
        """``traffic`` and ``record`` of one router; ChannelLost or Refusal."""
        return await self._lines[name].ask("read", ORDER_TIMEOUT, service=self._services[name].to_json())

    async def acquire(
        self, run: str, owner: str, release: str, stable: str, canary: str, terms: Mapping[str, Any], takes: str = ""
    ) -> dict[str, Any]:
        """Take all leases: the first router by name alone, so that of two runs one wins everywhere; then the others.

        The dead owners whose leases were taken over, by router. When one refuses, those already taken are given
        back, and its Refusal or ChannelLost is raised, naming it. ``takes`` is the parked run that is taken up: its
        share is then in force, so giving that back is a revert.
        """
        who = {"run": run, "owner": owner, "release": release, "stable": stable, "canary": canary}
        self._run, self._ttl = {**who, "terms": dict(terms)}, float(terms["ttl"])
        first, *others = sorted(self.names)
        try:
            results = [await self._acquire(first, takes)]
            results += await _all(self._acquire(name, takes) for name in others)
        except (ChannelLost, Refusal) as error:
            await (self._bring_back(str(error)) if takes else self._give_back())
            raise
        return {name: took for name, took in results if took}

    async def _acquire(self, name: str, takes: str = "") -> tuple[str, Any]:
        service = self._services[name].to_json()
        more = {"takes": takes} if takes else {}
        try:
            reply = await self._lines[name].ask("acquire", ORDER_TIMEOUT, service=service, **self._run, **more)
        except Refusal as refusal:
            raise Refusal(refusal.code, f"{name}: {_known(refusal) if takes else refusal.text}") from None
        except ChannelLost as lost:
            raise ChannelLost(f"{name}: {lost}") from None
        self._epochs[name] = reply["epoch"]
        self._echo[name], self._heard[name] = reply["t"], time.monotonic()
        self.watched[name] = float(reply.get("parked", 0.0))
        return name, reply["took_over"]

    async def _give_back(self) -> None:
        for name, epoch in list(self._epochs.items()):
            with contextlib.suppress(ChannelLost, Refusal):  # its connection's end will do the same
                await self._lines[name].ask("disarm", ORDER_TIMEOUT, epoch=epoch)
            del self._epochs[name]

    async def _bring_back(self, reason: str) -> None:
        """All routers whose leases were taken."""
        await asyncio.gather(*(self.revert(name, reason) for name in list(self._epochs)), return_exceptions=True)

    async def force_back(self, names: Iterable[str], reason: str) -> None:
        """Routers whose leases are not this run's, as a person would do it."""

        async def one(name: str) -> None:
            service = self._services[name]
            who = {"name": service.name, "environment": service.environment}
            with contextlib.suppress(ChannelLost, Refusal):  # it says itself what it is: status, and its pages
                await self._lines[name].ask("revert", ORDER_TIMEOUT, force=True, reason=reason, **who)

        await asyncio.gather(*map(one, names))

    async def park(self, name: str, seconds: float, note: Mapping[str, Any]) -> None:
        """End one router's lease; its guard keeps the split for so long, and the note."""
        order = {"for": seconds, "note": dict(note), **self._which(name)}
        try:
            await self._lines[name].insist("park", time.monotonic() + ORDER_TIMEOUT, **order)
        except Refusal as refusal:
            raise Refusal(refusal.code, _known(refusal)) from None

    async def arm(self, name: str, split: Mapping[str, float], max_hold: float | None = None) -> Traffic:
        """Bring a split about on one router; the traffic as its agent read it back."""
        order: dict[str, Any] = {"wanted": {"split": dict(split), "stable": self._run["stable"]}, **self._which(name)}
        if max_hold is not None:
            order["max_hold"] = max_hold
        reply = await self._lines[name].insist("arm", time.monotonic() + ORDER_TIMEOUT, **order)
        return Traffic.from_json(reply["traffic"])

    async def renew(self, name: str, note: Any) -> dict[str, Any]:
        """A sign of life, over whichever channel carries it, as long as the lease lasts; ChannelLost then.

        The reply carries counters, the split and people's orders.
        """
        news = {"note": note} if note is not None else {}
        last = self._heard[name] + self._ttl
        reply = await self._lines[name].insist("renew", last, t=self._echo[name], **self._which(name), **news)
        if reply["t"] >= self._echo[name]:
            self._echo[name], self._heard[name] = reply["t"], time.monotonic()
        return reply

    def silent_for(self, name: str) -> float:
        """Seconds since this router was last heard."""
        return time.monotonic() - self._heard[name]

    async def probe(self, name: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """One request to a member, sent from this router's host."""
        timeout = float(request["timeout"]) + PROBE_MORE
        service = self._services[name].to_json()
        return await self._lines[name].ask("probe", timeout, service=service, request=dict(request))

    async def latency(self, name: str) -> dict[str, Any]:
        """How long tries took at one router, see the contracts."""
        return await self._lines[name].ask("latency", ORDER_TIMEOUT, service=self._services[name].to_json())

    async def disarm(self, name: str) -> None:
        """End one router's lease; its split stays."""
        await self._lines[name].insist("disarm", time.monotonic() + ORDER_TIMEOUT, **self._which(name))

    async def revert(self, name: str, reason: str) -> Traffic | None:
        """Bring one router back, over a new connection if need be; what was read back. NotBack at the end.

        None where no lease was taken, so that nothing was moved.
        """
        deadline = time.monotonic() + REVERT_DEADLINE
        while True:
            try:
                return await self._revert_once(name, reason)
            except (ChannelLost, Refusal) as error:
                sick = isinstance(error, Refusal) and error.code == "sick"
                if time.monotonic() > deadline:
                    raise NotBack(str(error), sick) from None
            await asyncio.sleep(REVERT_AGAIN)

    async def _revert_once(self, name: str, reason: str) -> Traffic | None:
        if name not in self._epochs:
            return None
        deadline = time.monotonic() + ORDER_TIMEOUT
        try:
            reply = await self._lines[name].insist(
                "revert", deadline, through_death=True, reason=reason, **self._which(name)
            )
        except Refusal as refusal:
            if refusal.code == "idle":
                reply = await self._take_back(name)
            elif refusal.code == "reverted":
                reply = await self.read(name)
            else:
                raise
        return Traffic.from_json(reply["traffic"])

    def _which(self, name: str) -> dict[str, Any]:
        """The lease that is meant, over any connection."""
        service = self._services[name]
        return {"epoch": self._epochs[name], "name": service.name, "environment": service.environment}

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
        await asyncio.gather(*(line.close() for line in self._lines.values()))


def _known(refusal: Refusal) -> str:
    """A refusal's text; of an agent that has never heard of parking, what to do about it."""
    if refusal.code != "bad_request" or "is not known" not in refusal.text:
        return refusal.text
    return f"its guard is of a release of zdm that cannot park: run the role router ({refusal.text})"


async def _all(coroutines: Any) -> list[Any]:
    """Results of all; every one is waited for, then the first error among them is raised."""
    results = await asyncio.gather(*coroutines, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return list(results)
