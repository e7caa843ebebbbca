# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper of one router's lease: renews it, brings its counters, and notices what makes it unfit to go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..module_utils.agent.lease import BY_PERSON as PERSON
from ..module_utils.agent.lease import HELD, IDLE, REVERTED, STUCK
from . import _rollout, _say
from ._channel import ChannelLost, Refusal
from ._line import GuardGone

if TYPE_CHECKING:
    from ._watch import Watch

RENEW_SECONDS = 0.5
#: How often the note for those who ask at the router goes along.
NOTE_SECONDS = 1.0
#: How long a proxy may be silent (a restart) before the rollout ends.
SILENT_SECONDS = 5.0
#: States of a lease that is not this run's any more.
OVER = {REVERTED: "went back to stable", HELD: "holds its split", STUCK: "cannot go back", IDLE: "was let go"}


#: States in which every router is owed its lease.
KEPT = (_rollout.WAITING, _rollout.RUNNING, _rollout.PAUSED, _rollout.PARKING)


class Keeper:
    """Keeps the lease of the router ``name`` as long as the rollout owes it one."""

    def __init__(self, watch: Watch, name: str) -> None:
        self._watch = watch
        self._name = name
        self._failing_since: float | None = None
        self._noted = 0.0
        self._foreign = 0
        self._sick = ""

    async def keep(self) -> None:
        while self._keeps():
            try:
                reply = await self._watch.routers.renew(self._name, self._note())
            except GuardGone as error:
                self._end(_rollout.BY_GUARD, str(error))
                return
            except (ChannelLost, Refusal) as error:
                self._end(_rollout.BY_ROUTER, str(error))
                return
            if not self._keeps():
                return
            self._watch.judging.counted(self._name, reply["counters"], time.monotonic())
            self._heed(reply)
            await self._watch.orders.refresh(self._name)
            await asyncio.sleep(RENEW_SECONDS)

    def _keeps(self) -> bool:
        rollout = self._watch.rollout
        return rollout is not None and rollout.state in KEPT

    def _note(self) -> dict[str, Any] | None:
        t = time.monotonic()
        rollout = self._watch.rollout
        parks = rollout is not None and rollout.state == _rollout.PARKING  # which leaves a note of its own
        if rollout is None or parks or t - self._noted < NOTE_SECONDS:
            return None
        self._noted = t
        said = _say.live(rollout, self._watch.judging, t).strip() if rollout.step >= 0 else ""
        where = {"step": rollout.step, "of": len(rollout.steps), "state": rollout.state, "held": round(rollout.held, 1)}
        return {**where, "said": said}

    def _heed(self, reply: Mapping[str, Any]) -> None:
        t = time.monotonic()
        for order in reply["orders"]:
            who = (order["id"], order["verb"], order["by"])
            self._watch.feed(_rollout.Ordered(*who, self._name, t, order.get("reason", "")))
        self._notice_foreign(reply["foreign"], t)
        if reply["state"] in OVER:
            actor = _rollout.BY_PERSON if reply["ended_by"] == PERSON else _rollout.BY_GUARD
            self._end(actor, f"it {OVER[reply['state']]}: {reply['reason']}")
            return
        if reply["stable"] != self._sick:
            self._sick = reply["stable"]
            self._watch.tell_of_stable(self._name, self._sick)
        self._notice_failure(reply["failure"], t)

    def _notice_foreign(self, changes: list[Mapping[str, Any]], t: float) -> None:
        """The guard tells of all in this lease; those that are new are told on."""
        for change in changes:
            if change["number"] > self._foreign:
                self._foreign = change["number"]
                shown = (change["shown"], change["put_back"], change["number"])
                self._watch.feed(_rollout.Foreign(self._name, *shown, t))

    def _notice_failure(self, failure: str, t: float) -> None:
        """A proxy that does not answer may be restarting; for how long is enough."""
        if not failure:
            self._failing_since = None
        elif self._failing_since is None:
            self._failing_since = t
        elif t - self._failing_since >= SILENT_SECONDS:
            self._end(_rollout.BY_ROUTER, failure)

    def _end(self, actor: str, reason: str) -> None:
        if self._keeps():
            self._watch.feed(_rollout.End(actor, f"{self._name}: {reason}"))
