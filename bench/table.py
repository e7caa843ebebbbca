# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table: what was measured, each row with its target.

Rules of this room: pure values; no clock, no network.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

#: Which of a row's figures its target is for.
MEDIAN, WORST = "median", "worst"

HEAD = ("what", "n", "median", "worst", "target", "notes")


@dataclass(frozen=True)
class Row:
    """One figure. ``values`` in ``unit``, at least one; ``target``: the most that their median may be, or the worst of
    them (``judged``), or the least where more is better (``more``); None: a figure to compare with, which has none.
    ``note``: the circumstances, for people."""

    what: str
    unit: str
    values: Sequence[float]
    target: float | None = None
    note: str = ""
    judged: str = MEDIAN
    more: bool = False

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("%s: nothing was measured" % self.what)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def worst(self) -> float:
        return min(self.values) if self.more else max(self.values)

    @property
    def missed(self) -> bool:
        """Whether the figure is beyond its target."""
        if self.target is None:
            return False
        figure = self.worst if self.judged == WORST else self.median
        return figure < self.target if self.more else figure > self.target

    def cells(self) -> tuple[str, ...]:
        """The row's texts, in the order of HEAD."""
        target = (
            ""
            if self.target is None
            else "%s %s %s" % (self.judged, "≥" if self.more else "≤", self._said(self.target))
        )
        target += ": **missed**" if self.missed else ""
        return self.what, str(len(self.values)), self._said(self.median), self._said(self.worst), target, self.note

    def _said(self, value: float) -> str:
        """Three digits that count, without an exponent."""
        digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
        text = "%.*f" % (digits, value)
        return ("%s %s" % (text.rstrip("0").rstrip(".") if "." in text else text, self.unit)).rstrip()


def markdown(rows: Iterable[Row], machine: Mapping[str, str]) -> str:
    """The rows as a table in Markdown, after what they were measured on."""
    lines = ["Measured on: %s." % ", ".join("%s %s" % item for item in machine.items()), ""]
    lines += [_line(HEAD), _line(["---"] * len(HEAD))]
    lines += [_line(row.cells()) for row in rows]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| %s |" % " | ".join(cells)
