# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollout's orders, carried out at one router each; what came of it is an event for the rollout."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from ..module_utils.routers.api import Traffic
from . import _parking, _rollout
from ._channel import ChannelLost, Refusal
from ._line import GuardGone
from ._routers import NotBack

if TYPE_CHECKING:
    from ._watch import Watch

#: How often a pool that is not healthy is tried again.
SICK_AGAIN_SECONDS = 0.5
#: How much of stable's share must be read back for a router to count as back, in percent.
BACK = 99.99


class Orders:
    """Each takes the router's name, returns when it is done with it, and raises nothing: a failure is an event too."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._refreshed: dict[str, float] = {}
        #: Until when what is parked stays so, on the wall clock, for people.
        self.until = ""

    async def arm(self, name: str, split: Mapping[str, float]) -> None:
        try:
            traffic = await self._armed(name, split)
        except (ChannelLost, Refusal) as error:
            actor = _rollout.BY_GUARD if isinstance(error, GuardGone) else _rollout.BY_ROUTER
            self._watch.feed(_rollout.End(actor, f"{name}: {error}"))
            return
        share = round(traffic.split.get(self._watch.made().canary, 0.0), 3)
        self._watch.feed(_rollout.ReadBack(name, share, time.monotonic()))

    async def _armed(self, name: str, split: Mapping[str, float]) -> Traffic:
        """Arm one router; a canary that is not healthy yet has until the rollout's progress deadline to become so."""
        said = False
        while True:
            try:
                return await self._watch.routers.arm(name, split, self._most_hold())
            except Refusal as refusal:
                if refusal.code != "sick" or self._watch.planned().phase != _rollout.RUNNING:
                    raise
                if not said:
                    self._watch.desk.say(f"  {name}: waiting: {refusal.text}")
                said = True
                self._watch.feed(_rollout.Delayed(name, refusal.text))
            await asyncio.sleep(SICK_AGAIN_SECONDS)

    def _most_hold(self) -> float:
        """How long a split may be in force though it is renewed, in seconds: what the step may take, and as much again.

        A watch that lives and does nothing is what this is for; while somebody decides, ``refresh`` asks for more.
        """
        return 2 * (self._watch.planned().current.hold + 2 * self._watch.spec.progress_deadline)

    async def refresh(self, name: str) -> None:
        """Arm the same split again where a pause, or the play between two steps, takes longer than was allowed for."""
        rollout, t = self._watch.planned(), time.monotonic()
        made = rollout.step in rollout.seen  # else it was the run before this one that made it, and parked
        if not made or rollout.owed or t - self._refreshed.setdefault(name, t) < self._most_hold() / 2:
            return
        self._refreshed[name] = t
        with contextlib.suppress(ChannelLost, Refusal):  # the next renewal says what it is
            await self._watch.routers.arm(name, self._watch.split(rollout.current.weight), self._most_hold())

    async def revert(self, name: str, reason: str) -> None:
        try:
            shown = await self._watch.routers.revert(name, reason)
        except NotBack as error:
            self._watch.feed(_rollout.NotReverted(name, str(error), error.sick))
            return
        made = self._watch.made()
        share = shown.split.get(made.stable, 0.0) if shown else 100.0
        if share >= BACK:
            self._watch.feed(_rollout.Reverted(name, shown.sessions(made.canary) if shown else None))
        else:
            self._watch.feed(_rollout.NotReverted(name, f"stable was read back with {share:g} %"))

    def park_note(self) -> dict[str, Any]:
        """What is left at every router, from now on."""
        self.until = (datetime.now(timezone.utc) + timedelta(seconds=self._watch.spec.park_for)).isoformat(
            timespec="seconds"
        )
        return _parking.note(self._watch.made(), self._watch.planned(), self._watch.judging, time.monotonic())

    async def park(self, name: str, note: Mapping[str, Any]) -> None:
        try:
            await self._watch.routers.park(name, self._watch.spec.park_for, note)
        except (ChannelLost, Refusal) as error:
            actor = _rollout.BY_GUARD if isinstance(error, GuardGone) else _rollout.BY_ROUTER
            self._watch.feed(_rollout.End(actor, f"{name} could not be parked: {error}"))
            return
        self._watch.feed(_rollout.Parked(name))

    async def disarm(self, name: str) -> None:
        try:
            await self._watch.routers.disarm(name)
        except (ChannelLost, Refusal) as error:
            self._watch.feed(_rollout.End(_rollout.BY_ROUTER, f"{name} could not be left at 100 %: {error}"))
            return
        self._watch.feed(_rollout.Disarmed(name))
