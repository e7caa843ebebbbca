# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper of one router's lease: renews it, brings its counters, and notices what makes it unfit to go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..module_utils import _split
from . import _rollout
from ._channel import ChannelLost, Refusal

if TYPE_CHECKING:
    from ._watch import Watch

RENEW_SECONDS = 0.5
#: How often the note for a later resume goes along.
NOTE_SECONDS = 1.0
#: How long a proxy may be silent (a restart) or show another split before the rollout ends.
SILENT_SECONDS, FOREIGN_SECONDS = 5.0, 1.0


class Keeper:
    """Keeps the lease of the router ``name`` as long as the rollout owes it one."""

    def __init__(self, watch: Watch, name: str) -> None:
        self._watch = watch
        self._name = name
        self._since: dict[str, float] = {}
        self._noted = 0.0

    async def keep(self) -> None:
        while self._keeps():
            steady = self._steady()
            try:
                reply = await self._watch.routers.renew(self._name, self._note())
            except (ChannelLost, Refusal) as error:
                if self._keeps():
                    self._end(_rollout.BY_ROUTER, str(error))
                return
            if not self._keeps():
                return
            self._watch.judging.counted(self._name, reply["counters"])
            self._heed(reply, steady is not None and steady == self._steady())
            await asyncio.sleep(RENEW_SECONDS)

    def _keeps(self) -> bool:
        rollout = self._watch.rollout
        return rollout is not None and rollout.state in (_rollout.WAITING, _rollout.RUNNING)

    def _steady(self) -> int | None:
        """The step whose split must be in force, None while it is being brought about."""
        rollout = self._watch.rollout
        if rollout is None or rollout.step < 0 or not (rollout.raised or rollout.state == _rollout.WAITING):
            return None
        return rollout.step

    def _note(self) -> dict[str, Any] | None:
        t = time.monotonic()
        rollout = self._watch.rollout
        if rollout is None or t - self._noted < NOTE_SECONDS:
            return None
        self._noted = t
        return {"step": rollout.step, "state": rollout.state, "held": round(rollout.held, 1)}

    def _heed(self, reply: Mapping[str, Any], steady: bool) -> None:
        for order in reply["orders"]:
            if order["verb"] == "abort":
                self._watch.feed(_rollout.End(_rollout.BY_PERSON, f"abort, by {order['by']} at {self._name}"))
        if reply["state"] == "reverted":
            self._watch.feed(_rollout.End(_rollout.BY_PERSON, f"{self._name}: {reply['reason']}"))
        self._unless("silent", not reply["failure"], SILENT_SECONDS, reply["failure"])
        if steady and not reply["failure"]:
            wanted = self._watch.split(self._watch.rollout.current.weight) if self._watch.rollout else {}
            shown = reply["traffic"]["split"] if reply["traffic"] else {}
            foreign = (
                f"it shows {_split.describe(shown)}, wanted is {_split.describe(wanted)}: somebody else changed it"
            )
            self._unless("foreign", _split.can_hold(shown, wanted), FOREIGN_SECONDS, foreign)

    def _unless(self, what: str, well: bool, patience: float, reason: str) -> None:
        """End the rollout when something has not been well for longer than ``patience`` seconds."""
        if well:
            self._since.pop(what, None)
        elif time.monotonic() - self._since.setdefault(what, time.monotonic()) >= patience:
            self._end(_rollout.BY_ROUTER, reason)

    def _end(self, actor: str, reason: str) -> None:
        self._watch.feed(_rollout.End(actor, f"{self._name}: {reason}"))
