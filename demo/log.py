# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client saw: a record a request, and the numbers that follow from them.

Rules of this room: pure values; no clock, no network. The client writes records, tests and the report read them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Record(NamedTuple):
    """One request. ``time`` is the wall clock (seconds since 1970) when it was begun; ``started`` and ``ended`` are
    the client's monotonic clock. ``status`` is None when no whole status line came; ``failure`` is None for a
    complete 2xx, else one of FAILURES. ``release`` is the header ``x-release`` of the answer."""

    time: float
    started: float
    ended: float
    status: int | None
    failure: str | None
    release: str | None

    @property
    def end_time(self) -> float:
        """The wall clock when it was over."""
        return self.time + self.ended - self.started

    def to_line(self) -> str:
        return json.dumps(self._asdict()) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Record:
        return cls(**json.loads(line))


#: refused: no connection; timeout: nothing whole in time; reset: by the other side; closed: the connection ended
#: before an answer began; short: it ended within the answer; malformed: not HTTP; status: complete, but not 2xx.
FAILURES = ("refused", "timeout", "reset", "closed", "short", "malformed", "status")


class Result:
    """All requests of a client, or of a window of time."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records: list[Record] = list(records)

    @classmethod
    def load(cls, path: str) -> Result:
        """From a file of JSON lines as the client writes it."""
        with open(path, encoding="utf-8") as file:
            return cls(Record.from_line(line) for line in file)

    @property
    def requests(self) -> int:
        return len(self.records)

    @property
    def failures(self) -> list[Record]:
        return [record for record in self.records if record.failure is not None]

    @property
    def failed(self) -> int:
        return len(self.failures)

    @property
    def kinds(self) -> Mapping[str, int]:
        """Failures by kind."""
        return Counter(record.failure for record in self.records if record.failure is not None)

    @property
    def statuses(self) -> Mapping[int, int]:
        """Answers by status, complete or not."""
        return Counter(record.status for record in self.records if record.status is not None)

    @property
    def releases(self) -> Mapping[str, int]:
        """Answers by release, good or bad; what came from no release (a proxy's own error) is left out."""
        return Counter(record.release for record in self.records if record.release is not None)

    @property
    def shares(self) -> Mapping[str, float]:
        """Share of each release among the answers of any, in percent."""
        releases = self.releases
        total = sum(releases.values())
        return {release: 100.0 * count / total for release, count in releases.items()}

    def between(self, begin: float, end: float) -> Result:
        """The requests begun in ``[begin, end)`` of the wall clock."""
        return Result(record for record in self.records if begin <= record.time < end)

    def of(self, release: str | None) -> Result:
        """The requests answered by ``release``."""
        return Result(record for record in self.records if record.release == release)
