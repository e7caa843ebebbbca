# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lease hears, and what it orders. Data only: what an event means is decided in lease.py.

Every ``t`` is the guard's own time in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Union

#: What is done with canary's share when the lease runs out.
ON_EXPIRY_REVERT, ON_EXPIRY_HOLD = "revert", "hold"

TTL_SECONDS = 10.0


@dataclass(frozen=True)
class Acquire:
    """A run wants the lease, for ``ttl`` seconds at a time; ``takes`` is the parked run that it takes up."""

    run: str
    owner: str
    release: str
    stable: str
    canary: str
    at: str
    t: float
    ttl: float = TTL_SECONDS
    on_expiry: str = ON_EXPIRY_REVERT
    takes: str = ""


@dataclass(frozen=True)
class Arm:
    """``max_hold``: seconds after which the lease ends though it is renewed; None: as long as it is renewed."""

    epoch: int
    split: Mapping[str, float]
    t: float
    max_hold: Optional[float] = None


@dataclass(frozen=True)
class Renew:
    """``echo`` is the newest of the guard's own times that the run has seen."""

    epoch: int
    echo: float
    t: float


@dataclass(frozen=True)
class Park:
    """The run ends, and canary keeps its share for so many ``seconds`` under the guard's eyes; ``at`` is for people."""

    epoch: int
    seconds: float
    at: str
    t: float


@dataclass(frozen=True)
class Revert:
    """``epoch`` None is a person's order (force)."""

    epoch: Optional[int]
    reason: str


@dataclass(frozen=True)
class Disarm:
    """``epoch`` None is a person's order (force), and ``reason`` their words."""

    epoch: Optional[int]
    reason: str = ""


@dataclass(frozen=True)
class Closed:
    """The connection that last renewed ended."""

    epoch: int
    t: float


@dataclass(frozen=True)
class End:
    """The guard's own decision (its reflex, its end): the loan is over, and the next tick is a revert."""

    reason: str


@dataclass(frozen=True)
class Stuck:
    """The revert that is due cannot be made: stable cannot take the traffic."""

    reason: str


@dataclass(frozen=True)
class Tick:
    """Time has passed."""

    t: float


@dataclass(frozen=True)
class Place:
    """A person's split outside of a rollout."""

    split: Mapping[str, float]
    by: str


Event = Union[Acquire, Arm, Renew, Park, Revert, Disarm, Closed, End, Stuck, Tick, Place]


@dataclass(frozen=True)
class Write:
    """Order: bring this split about, ``stable`` favoured meanwhile."""

    split: Mapping[str, float]
    stable: str


@dataclass(frozen=True)
class Return:
    """Order: all traffic to ``stable``."""

    stable: str


Order = Optional[Union[Write, Return]]
