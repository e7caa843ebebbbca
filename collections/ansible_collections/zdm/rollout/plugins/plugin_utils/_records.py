# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of a service: what canary and stable had, tick by tick, as files have it (contracts, section 4.1).

Rules of this room: texts in, ticks out. A problem names the line and what was expected there.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..module_utils.judge import Counts, since
from ._journal import VERSION

COLUMNS = ("canary_requests", "canary_failures", "stable_requests", "stable_failures")
#: Canary's share where records do not say it, in percent: less than all.
UNKNOWN_WEIGHT = 50.0


class RecordsError(Exception):
    """Records that cannot be read; the text names the place and what was expected."""


@dataclass(frozen=True)
class Tick:
    """What both pools had in the time up to ``t`` (seconds), when canary's share was ``weight`` percent."""

    t: float
    canary: Counts
    stable: Counts
    weight: float = UNKNOWN_WEIGHT


def read(text: str, name: str) -> list[Tick]:
    """The ticks of a CSV file with a header, of JSON lines, or of a run's journal; RecordsError."""
    first = text.lstrip()[:1]
    if not first:
        raise RecordsError(f"{name} is empty: expected records, see the contracts, section 4.1")
    if first == "{":
        lines = list(_json_lines(text, name))
        ticks = _of_journal(lines, name) if any("event" in entry for dummy, entry in lines) else _of_rows(lines, name)
    else:
        ticks = _of_rows(_csv_lines(text, name), name)
    if not ticks:
        raise RecordsError(f"{name} has no counts: expected {', '.join(('t', *COLUMNS))} in each line")
    return ticks


def _json_lines(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                entry = json.loads(line)
            except ValueError as error:
                raise RecordsError(f"{name}, line {number}: not JSON: {error}") from None
            if not isinstance(entry, dict):
                raise RecordsError(f"{name}, line {number}: expected an object, got {line.strip()[:40]!r}")
            yield number, entry


def _csv_lines(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    missing = [column for column in ("t", *COLUMNS) if column not in (reader.fieldnames or ())]
    if missing:
        raise RecordsError(f"{name}, line 1: the header lacks {', '.join(missing)}")
    for row in reader:
        yield reader.line_num, row


def _of_rows(rows: Iterable[tuple[int, Mapping[str, Any]]], name: str) -> list[Tick]:
    ticks: list[Tick] = []
    for number, row in rows:
        place = f"{name}, line {number}"
        counts = [_whole(row.get(column), column, place) for column in COLUMNS]
        weight = row.get("weight")
        shared = UNKNOWN_WEIGHT if weight in (None, "") else _number(weight, "weight", place)
        tick = Tick(_seconds(row.get("t"), place), Counts(*counts[:2]), Counts(*counts[2:]), shared)
        if ticks and tick.t < ticks[-1].t:
            raise RecordsError(f"{place}: t goes back from {ticks[-1].t:g} to {tick.t:g}: sort the records by time")
        ticks.append(tick)
    return ticks


def _of_journal(lines: Iterable[tuple[int, Mapping[str, Any]]], name: str) -> list[Tick]:
    """Counts in a journal are those of the step so far. Events and keys that came later are passed over."""
    ticks: list[Tick] = []
    step, seen = None, {"canary": Counts(), "stable": Counts()}
    weight = UNKNOWN_WEIGHT
    for number, event in lines:
        version, kind = event.get("version", VERSION), event.get("event")
        if version != VERSION:
            raise RecordsError(
                f"{name}, line {number}: a journal of version {version!r}, expected {VERSION}: read it with the zdm"
                " that wrote it, or a newer one"
            )
        if kind == "intended" and "weight" in event:
            weight = float(event["weight"])
        counted = event.get("counted")
        if kind != "observed" or not isinstance(counted, dict):
            continue
        if event.get("step") != step:
            step, seen = event.get("step"), {"canary": Counts(), "stable": Counts()}
        now = {arm: Counts(*counted[arm]) for arm in seen}
        t = _seconds(event.get("time"), f"line {number}")
        ticks.append(Tick(t, since(seen["canary"], now["canary"]), since(seen["stable"], now["stable"]), weight))
        seen = now
    return ticks


def _whole(value: Any, column: str, place: str) -> int:
    number = _number(value, column, place)
    if number < 0 or number != int(number):
        raise RecordsError(f"{place}: {column} is {value!r}: expected a whole number, not less than 0")
    return int(number)


def _number(value: Any, column: str, place: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise RecordsError(f"{place}: {column} is {value!r}: expected a number") from None


def _seconds(value: Any, place: str) -> float:
    """Seconds of a number, or of a date and time."""
    try:
        return float(value)
    except (TypeError, ValueError):
        pass
    try:
        return datetime.fromisoformat(str(value).replace("Z", "+00:00")).timestamp()
    except ValueError:
        raise RecordsError(f"{place}: t is {value!r}: expected seconds, or a time like 2026-11-27T08:00:00Z") from None
