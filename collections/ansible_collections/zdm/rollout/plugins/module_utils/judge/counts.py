# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many tries there were, and how many of them failed."""

from __future__ import annotations

from dataclasses import dataclass


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
