# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether both pools fail at once, against what stable itself did before: a cause that they have in common.

Rules of this room: pure; state is JSON; time is an argument. No comparison of the two can see it, and that is right:
it is no fault of the release. But it is no time to raise canary either, nor to believe that it is well.

Theory of operation. The *past* is what stable had in all blocks of BLOCK seconds that were in order; what both pools
have now is bet against "no more than twice the past rate plus a point", a limit that is fixed for a block (margin.py,
of one pool alone). There is a common cause as long as both pools' evidence says so. A block in which stable was
within its limit is over: it becomes past, and the bets begin anew. One in which it was not teaches nothing.
"""

from __future__ import annotations

from math import log
from typing import Any, Dict

from . import pairs
from .bets import State
from .counts import Counts
from .hard_fail import limit_of
from .margin import Margin

#: Seconds of a block; requests that the past must have to be one.
BLOCK, LEAST_REQUESTS = 60.0, 100
#: The evidence that is wanted of stable, and of canary, which has fewer requests and is said to be alike.
WANTED, ALIKE = log(1e4), log(20.0)


class CommonCause:
    """The evidence, over time. ``dispersion`` >= 1: how much burstier failures come than single ones.

    The state: ``began`` (t of the block's beginning), ``past``, ``stable`` and ``canary`` (what they had in the block),
    ``bets`` of both.
    """

    def __init__(self, dispersion: float = 2.0) -> None:
        self._dispersion = dispersion
        self._margin = Margin(1.0, 0.0, BLOCK)

    def start(self) -> Dict[str, Any]:
        """The state before anything was counted."""
        return {"began": None, "past": [0, 0], **self._block()}

    def weigh(self, state: State, canary: Counts, stable: Counts, t: float) -> Dict[str, Any]:
        """The state after what both pools had up to ``t``."""
        state = self._in_time(state, t)
        after = {**state, "stable": _sum(state["stable"], stable), "canary": _sum(state["canary"], canary)}
        past = Counts(*state["past"])
        if past.requests < LEAST_REQUESTS:
            return after
        limit = limit_of(past)
        bets = {
            pool: self._margin.weigh_alone(state["bets"][pool], _sound(news), limit, t, self._dispersion)
            for pool, news in (("canary", canary), ("stable", stable))
        }
        return {**after, "bets": bets}

    def found(self, state: State) -> str:
        """What both pools have in common, for people; empty where there is nothing."""
        bets = state["bets"]
        if self._margin.log_e(bets["stable"]) < WANTED or self._margin.log_e(bets["canary"]) < ALIKE:
            return ""
        return "both pools fail: stable %s requests, after %s before; canary %s" % (
            Counts(*state["stable"]),
            Counts(*state["past"]),
            Counts(*state["canary"]),
        )

    def _block(self) -> Dict[str, Any]:
        bets = {"canary": self._margin.start(), "stable": self._margin.start()}
        return {"stable": [0, 0], "canary": [0, 0], "bets": bets}

    def _in_time(self, state: State, t: float) -> State:
        """The state with the block that ``t`` is in."""
        if state["began"] is None:
            return {**state, "began": t}
        if t - state["began"] < BLOCK:
            return state
        block, past = Counts(*state["stable"]), Counts(*state["past"])
        known = past.requests >= LEAST_REQUESTS
        if known and block.share > 100.0 * limit_of(past):
            return {**state, "began": t, "stable": [0, 0], "canary": [0, 0]}
        return {"began": t, "past": pairs.as_json(past + block), **self._block()}


def _sound(news: Counts) -> Counts:
    return pairs.sound(news, Counts())[0]


def _sum(had: Any, news: Counts) -> Any:
    return pairs.as_json(Counts(*had) + news)
