# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Freezes: windows in which no rollout starts.

Rules of this room: pure; the time is an argument, and always one with a zone. A window is either from one moment to
another, or comes again on some days of the week. What takes traffic back to where it was (undo, abort) is never frozen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from . import _spec_keys
from ._errand import UNDO, Errand
from ._kinds import TEXT, Kind, read_text
from ._problem import SpecError
from ._reader import Reader
from ._rules import problem

DAY = timedelta(days=1)
UTC = "UTC"
MOMENT_PATTERN = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2})?"
CLOCK_PATTERN = r"[0-9]{2}:[0-9]{2}"


def _read_moment(value: Any) -> tuple[datetime, bool]:
    """A moment of the zone's clocks, and whether it is a whole day."""
    text = read_text(value)
    if not re.fullmatch(MOMENT_PATTERN, text):
        raise ValueError(value)
    return datetime.fromisoformat(text), len(text) == len("2026-12-20")


def _read_clock(value: Any) -> timedelta:
    text = read_text(value)
    if text == "24:00":
        return DAY
    if not re.fullmatch(CLOCK_PATTERN, text):
        raise ValueError(value)
    clock = time.fromisoformat(text)
    return timedelta(hours=clock.hour, minutes=clock.minute)


def _read_zone(value: Any) -> str:
    try:
        _zone(read_text(value))
    except (OSError, ValueError, LookupError):
        raise ValueError(value) from None
    return str(value)


def _zone(name: str) -> tzinfo:
    """The zone of this name; the default one needs no database of zones."""
    return timezone.utc if name == UTC else ZoneInfo(name)


MOMENT = Kind("freeze.moment", _read_moment, textual=True, pattern=MOMENT_PATTERN)
CLOCK = Kind("freeze.clock", _read_clock, textual=True, pattern=CLOCK_PATTERN)
ZONE = Kind("freeze.zone", _read_zone, textual=True)


@dataclass(frozen=True)
class Freeze:
    """A window of the clocks of ``zone``: from ``begin`` to ``end``, or from ``opens`` to ``closes`` (since midnight,
    perhaps on the next day) on each of ``days`` (0: Monday)."""

    reason: str
    zone: str
    begin: datetime | None = None
    end: datetime | None = None
    days: tuple[int, ...] = ()
    opens: timedelta = timedelta()
    closes: timedelta = DAY

    def until(self, now: datetime) -> datetime | None:
        """When the freeze that is in force ends, by the clocks of its zone; None when none is."""
        local = now.astimezone(_zone(self.zone)).replace(tzinfo=None)
        if self.begin is not None and self.end is not None:
            return self.end if self.begin <= local < self.end else None
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        for day in (midnight - DAY, midnight):
            if day.weekday() in self.days and day + self.opens <= local < day + self.closes:
                return day + self.closes
        return None


def frozen(freezes: Iterable[Freeze], now: datetime) -> str:
    """Until when and why no rollout may start, for people; empty when one may."""
    ends = [(end, freeze) for freeze in freezes for end in (freeze.until(now),) if end]
    return "; ".join(f"until {end:%Y-%m-%d %H:%M} {freeze.zone}: {freeze.reason}" for end, freeze in ends)


def refuse_frozen(freezes: Iterable[Freeze], errand: Errand, unfreeze: str, now: datetime) -> str:
    """Which freeze somebody lifted, for the journal, or nothing; SpecError where one is in force and nobody did."""
    told = "" if errand.verb == UNDO else frozen(freezes, now)
    if told and not unfreeze.strip():
        raise SpecError([problem("freeze.now", "freeze", errand.verb, told=told)])
    return f"a freeze is in force, {told}; lifted: {unfreeze}" if told else ""


def read_freezes(top: Reader) -> tuple[Freeze, ...]:
    """The spec's ``freeze``."""
    return tuple(_freeze(entry) for entry in top.mappings("freeze", _spec_keys.FREEZE))


def _freeze(entry: Reader) -> Freeze:
    reason, zone = entry.required("reason", TEXT, ""), entry.optional("zone", ZONE, UTC)
    if entry.has("days"):
        return _weekly(entry, reason, zone)
    if not (entry.has("from") and entry.has("to")):
        entry.problems.append(problem("freeze.way", entry.path, {}))
        return Freeze(reason, zone)
    first, last = entry.optional("from", MOMENT, None), entry.optional("to", MOMENT, None)
    if first is None or last is None:
        return Freeze(reason, zone)
    begin, (end, whole_day) = first[0], last
    # The last day that there is, for "until further notice", has no next one.
    end = min(end, datetime.max - DAY) + DAY if whole_day else end
    if end <= begin:
        entry.note("freeze.order", "to", entry.raw("to"), begin=entry.raw("from"))
    return Freeze(reason, zone, begin, end)


def _weekly(entry: Reader, reason: str, zone: str) -> Freeze:
    days = [_spec_keys.DAYS.known.index(name) for name in entry.words("days", _spec_keys.DAYS)]
    if not days and entry.raw("days") == []:
        entry.problems.append(problem("freeze.way", entry.path, {}))
    opens, closes = entry.optional("from", CLOCK, timedelta()), entry.optional("to", CLOCK, DAY)
    return Freeze(reason, zone, days=tuple(days), opens=opens, closes=closes if closes > opens else closes + DAY)
