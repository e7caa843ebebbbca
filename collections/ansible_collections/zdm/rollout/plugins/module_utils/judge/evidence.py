# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a judge is shown: counts of both arms since it was last shown something, or one measurement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional


@dataclass(frozen=True)
class Counts:
    """Tries sent to a pool, and how many of them failed."""

    requests: int = 0
    failures: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.requests + other.requests, self.failures + other.failures)

    @property
    def share(self) -> float:
        """Failed tries in percent; 0 where there were none."""
        return 100.0 * self.failures / self.requests if self.requests else 0.0

    def __str__(self) -> str:
        return "{:.2f} % of {:,}".format(self.share, self.requests)


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
class Evidence:
    """News for a judge, up to ``t``, in seconds of a clock that does not go back.

    ``baseline``: stable's counts are of another time (after 100 % it has no traffic). ``warm``: the raise is so long
    ago that canary should be at its best. ``members``: stable's part by its members, by names that stay theirs.
    """

    canary: Counts = Counts()
    stable: Counts = Counts()
    baseline: bool = False
    measurement: Optional[Measurement] = None
    t: float = 0.0
    warm: bool = True
    members: Mapping[str, Counts] = field(default_factory=dict)
