# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch's beat: puts the verdict before the rollout, and tells people how the step goes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from ..module_utils.judge import FAIL
from . import _rollout, _say
from ._line import SILENT_SECONDS
from ._terms import LEAVE

if TYPE_CHECKING:
    from ._watch import Watch

BEAT_SECONDS = 0.25
#: A line about the step at least this often at its beginning; then ever less often, up to once a minute.
LIVE_SECONDS, LIVE_SHARE, LIVE_MOST_SECONDS = 2.0, 0.1, 60.0
#: How often what both pools had is journalled, for those who look at it later.
COUNTED_SECONDS = 5.0


class Beat:
    """From the first lease to the end of the rollout."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._lined = self._counted = 0.0

    async def keep(self) -> None:
        self._lined = self._counted = time.monotonic()
        while not self._watch.planned().ended:
            await asyncio.sleep(BEAT_SECONDS)
            t = time.monotonic()
            if self.judge(t):
                self._tell(t)

    def judge(self, t: float) -> bool:
        """The verdict as it is now; False where nobody watches a router, so that this time does not count."""
        routers, judging = self._watch.routers, self._watch.judging
        verdict = judging.verdict(t)
        if verdict.outcome != FAIL and any(routers.silent_for(name) > SILENT_SECONDS for name in routers.names):
            return False
        against = judging.common_cause or self._no_way_back()
        self._watch.feed(_rollout.Judged(verdict, t, judging.convinced, against))
        return True

    def _no_way_back(self) -> str:
        """Why stable could not take the traffic now, where that keeps canary from being raised; else empty."""
        rollout, spec, sick = self._watch.planned(), self._watch.spec, self._watch.sick
        if not sick or spec.on_sick_stable == LEAVE or rollout.step < 0 or rollout.current.weight == 100:
            return ""
        stable = self._watch.made().stable
        told = "; ".join(f"{name}: {why}" for name, why in sick.items())
        return f"there is nothing to go back to ({told}); promote it to leave {stable} all the same, or abort it"

    def _tell(self, t: float) -> None:
        self._watch.remark(self._watch.judging.remark())
        if t - self._counted >= COUNTED_SECONDS:
            self._counted = t
            self._watch.observe(counted=self._watch.judging.counts)
        rollout = self._watch.planned()
        patience = min(LIVE_MOST_SECONDS, max(LIVE_SECONDS, LIVE_SHARE * (t - rollout.asked)))
        if t - self._lined < patience:
            return
        lines = _say.paused(rollout, self._watch.made())
        if rollout.state == _rollout.RUNNING:
            lines = [_say.live(rollout, self._watch.judging, t)]
        for line in lines:
            self._lined = t
            self._watch.desk.say(line)
