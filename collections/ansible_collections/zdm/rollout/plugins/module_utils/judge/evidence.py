# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a judge is shown: counts of both arms since it was last shown something, or one measurement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional

from .counts import Counts
from .histogram import Histogram


@dataclass(frozen=True)
class Measurement:
    """One answer of a signal: a ``value`` (for bounds), or ``good`` (for an expectation), or neither.

    ``error``: the source did not answer. ``no_data``: it answered, with nothing. ``text`` is for people.
    """

    text: str
    value: Optional[float] = None
    good: Optional[bool] = None
    error: bool = False
    no_data: bool = False


@dataclass(frozen=True)
class Times:
    """How long requests took that have come to their end since; ``before``: those of stable before all evidence."""

    canary: Histogram
    stable: Histogram
    before: Histogram = Histogram({})


@dataclass(frozen=True)
class Evidence:
    """News for a judge, up to ``t``, in seconds of a clock that does not go back.

    ``baseline``: stable's counts are of another time (after 100 % it has no traffic). ``warm``: the raise is so long
    ago that canary should be at its best. ``members``: stable's part by its members, by names that stay theirs.
    """

    canary: Counts = Counts()
    stable: Counts = Counts()
    baseline: bool = False
    measurement: Optional[Measurement] = None
    times: Optional[Times] = None
    t: float = 0.0
    warm: bool = True
    members: Mapping[str, Counts] = field(default_factory=dict)
