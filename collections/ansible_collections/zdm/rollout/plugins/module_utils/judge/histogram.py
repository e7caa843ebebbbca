# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Histograms of how long requests took, from whatever counts them, in bins as that has them.

Rules of this room: pure. A bin is (more than these seconds, up to these, so many requests). Two histograms need not
have the same bins: a new release may count in others than the old one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .counts import Counts

#: More than, up to, in seconds.
Bin = Tuple[float, float]


@dataclass(frozen=True)
class Histogram:
    """Requests by ``bins``; those that are empty may be left out."""

    bins: Mapping[Bin, int]

    @classmethod
    def of_edges(cls, edges: Sequence[float], counts: Sequence[float]) -> Histogram:
        """Of cumulative ``counts`` of what took no longer than each of ``edges`` (rising, the last may be infinite)."""
        bins: Dict[Bin, int] = {}
        lower, before = 0.0, 0
        for edge, count in zip(edges, counts):
            bins[(lower, edge)] = max(0, int(count) - before)
            lower, before = edge, max(before, int(count))
        return cls(bins)

    @classmethod
    def from_json(cls, bins: Sequence[Sequence[Any]]) -> Histogram:
        """Of [[lower, upper, count], …]; an ``upper`` that is null has no end."""
        return cls({(float(low), inf if high is None else float(high)): int(count) for low, high, count in bins})

    def to_json(self) -> List[List[Any]]:
        """As [[lower, upper, count], …], by time, without empty bins; no end is null."""
        return [
            [low, None if high == inf else high, count] for (low, high), count in sorted(self.bins.items()) if count
        ]

    @property
    def requests(self) -> int:
        return sum(self.bins.values())

    def __add__(self, other: Histogram) -> Histogram:
        bins = dict(self.bins)
        for place, count in other.bins.items():
            bins[place] = bins.get(place, 0) + count
        return Histogram(bins)

    def since(self, before: Histogram) -> Histogram:
        """What came after ``before``; all of it where it was begun anew since."""
        if any(self.bins.get(place, 0) < count for place, count in before.bins.items()):
            return self
        return Histogram({place: count - before.bins.get(place, 0) for place, count in self.bins.items()})

    def at_least(self, seconds: float) -> Counts:
        """All requests; as failures those that surely took longer than ``seconds``."""
        return Counts(
            self.requests, sum(count for (low, dummy), count in self.bins.items() if low >= seconds * (1.0 - 1e-9))
        )

    def at_most(self, seconds: float) -> Counts:
        """All requests; as failures those that may have taken longer than ``seconds``."""
        return Counts(self.requests, sum(count for (dummy, high), count in self.bins.items() if high > seconds))

    def within(self, most: int) -> Histogram:
        """Itself in at most so many bins: neighbours are made one."""
        bins = sorted((place, count) for place, count in self.bins.items() if count)
        while len(bins) > most:
            joined = [
                ((low, high), count + more)
                for ((low, dummy), count), ((dummy2, high), more) in zip(bins[::2], bins[1::2])
            ]
            bins = joined + bins[2 * len(joined) :]
        return Histogram(dict(bins))

    def quantile(self, share: float) -> Optional[float]:
        """The first end of a bin that at most 1 - ``share`` took longer than; None where there is none that ends."""
        wanted, sum_ = share * self.requests, 0
        for (dummy, high), count in sorted(self.bins.items(), key=lambda each: each[0][1]):
            sum_ += count
            if count and sum_ >= wanted:
                return None if high == inf else high
        return None
