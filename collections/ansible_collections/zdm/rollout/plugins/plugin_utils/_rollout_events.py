# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rollout hears, and what it orders. Data only: what an event means is decided in _rollout.py.

Every ``t`` is the watch's monotonic time in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..module_utils.judge import Verdict

#: Who ended a rollout before its time. A guard ends it by its own reflex, at its router, without being told.
BY_VERDICT, BY_ABANDON, BY_ROUTER, BY_GUARD = "verdict", "abandoned", "router", "guard"
BY_DEPLOY, BY_PERSON = "deploy", "person"

#: What people order.
ABORT, PAUSE, RESUME, PROMOTE, PROMOTE_FULL = "abort", "pause", "resume", "promote", "promote_full"
PARK = "park"

# --- events


@dataclass(frozen=True)
class Locked:
    """All routers have given the lease."""

    t: float


@dataclass(frozen=True)
class StepAsked:
    index: int
    t: float


@dataclass(frozen=True)
class ReadBack:
    """A router has the step's split in force; ``share`` is canary's, in percent."""

    router: str
    share: float
    t: float


@dataclass(frozen=True)
class Delayed:
    """A router cannot bring the step's split about yet, and is asked again; ``reason`` says what it waits for."""

    router: str
    reason: str


@dataclass(frozen=True)
class Judged:
    """The worst verdict of the step's checks now. Comes at every beat, whatever the state.

    ``convinced``: there is so much evidence for canary that nobody has to look any longer. ``common_cause``: why both
    pools fail at once, for people; empty where they do not.
    """

    verdict: Verdict
    t: float
    convinced: bool = False
    common_cause: str = ""


@dataclass(frozen=True)
class Ordered:
    """A person's order, left at a router. Its ``id`` is the same at all routers: the order acts once."""

    id: str
    verb: str
    by: str
    router: str
    t: float
    reason: str = ""


@dataclass(frozen=True)
class Foreign:
    """Somebody else changed a router's split to ``shown`` (percent by pool), for the ``count``-th time there.

    ``put_back``: its guard has brought the wanted one about again. Each such change is an event of its own.
    """

    router: str
    shown: Mapping[str, float]
    put_back: bool
    count: int
    t: float


@dataclass(frozen=True)
class End:
    """Somebody or something ends the rollout; ``actor`` is one of the BY_ names."""

    actor: str
    reason: str


@dataclass(frozen=True)
class Abandoned:
    """Nobody asks for the rollout any more. ``hold``: the spec wants canary's share left where it is then."""

    reason: str
    hold: bool


@dataclass(frozen=True)
class Disarmed:
    router: str


@dataclass(frozen=True)
class Parked:
    """A router's guard keeps the share, with nobody there."""

    router: str


@dataclass(frozen=True)
class Reverted:
    """A router was read back with all traffic at stable; ``left``: how much was under way at canary, if it tells."""

    router: str
    left: int | None = None


@dataclass(frozen=True)
class NotReverted:
    """A router could not be brought back, or not be asked; ``sick``: because stable cannot take the traffic."""

    router: str
    reason: str
    sick: bool = False


Event = (
    Locked
    | StepAsked
    | ReadBack
    | Delayed
    | Judged
    | Ordered
    | Foreign
    | End
    | Abandoned
    | Disarmed
    | Parked
    | Reverted
    | NotReverted
)

# --- orders


@dataclass(frozen=True)
class Note:
    """Write this into the journal, before any order that follows."""

    event: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class ArmAll:
    weight: float


@dataclass(frozen=True)
class RevertAll:
    reason: str


@dataclass(frozen=True)
class DisarmAll:
    pass


@dataclass(frozen=True)
class ParkAll:
    pass


Order = Note | ArmAll | RevertAll | DisarmAll | ParkAll
