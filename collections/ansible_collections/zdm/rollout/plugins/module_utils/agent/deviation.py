# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deviations: the router shows another split than the one that was armed. Whose doing is it, and what is done?

Rules of this room: pure.

Theory of operation. Where weights and rules are still those that were set, members came or went, and the weights are
put right for those that are there now. Where they are not, somebody else set them (a reload, a configuration tool, a
colleague). That is put back once; the second time within a minute it is a fight, and zdm does not fight: the rollout
ends, or waits for a person, as the user chose. Canary never keeps more than it was given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional

from .. import _split
from ..routers.api import Traffic

#: What a deviation is: none, of members' health, of somebody else's making.
NONE, HEALTH, FOREIGN = "", "health", "foreign"

#: What is done about a foreign one.
PUT_BACK, END, LEAVE = "put_back", "end", "leave"

#: What the user chose for the second time.
ON_FOREIGN_ROLLBACK, ON_FOREIGN_PAUSE = "rollback", "pause"

#: Within this time after one that was put back, the next is the second time; in seconds.
AGAIN_SECONDS = 60.0


def deviation(armed: Optional[Traffic], shown: Traffic, split: Mapping[str, float]) -> str:
    """What kind of deviation from ``split`` the router shows; ``armed`` is what it showed when that was armed."""
    if armed is None:
        return NONE
    if shown.rules != armed.rules:
        return FOREIGN
    if shown.held and _split.can_hold(shown.split, split):
        return NONE
    same = {m.name: m.weight for m in shown.members} == {m.name: m.weight for m in armed.members}
    if same:
        return HEALTH if shown.held else NONE
    return FOREIGN


@dataclass(frozen=True)
class Foreign:
    """Somebody else's split as it was found, the ``number``-th of the lease: ``at`` on the wall clock, for people."""

    number: int
    at: str
    shown: Mapping[str, float]
    put_back: bool


def answer(answered_at: Optional[float], t: float, policy: str, above: bool) -> str:
    """What is done about a foreign split; ``above``: canary has more than it was given.

    ``answered_at``: when one was last put back, or was last seen to stand as the user wants it.
    """
    if answered_at is None or t - answered_at >= AGAIN_SECONDS:
        return PUT_BACK
    if policy == ON_FOREIGN_ROLLBACK:
        return END
    return PUT_BACK if above else LEAVE
