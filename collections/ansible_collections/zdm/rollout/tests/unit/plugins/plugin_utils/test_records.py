# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records: three formats that say the same, and what is wrong with a line."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts
from ansible_collections.zdm.rollout.plugins.plugin_utils._records import UNKNOWN_WEIGHT, RecordsError, Tick, read

HEADER = "t,canary_requests,canary_failures,stable_requests,stable_failures"
ROWS = [(10, 5, 1, 95, 0, 5), (20, 6, 0, 94, 2, 5), (30, 50, 3, 50, 0, 50)]
TICKS = [Tick(row[0], Counts(*row[1:3]), Counts(*row[3:5]), row[5]) for row in ROWS]


def csv_of(rows: Sequence[tuple[int, ...]]) -> str:
    return "\n".join([HEADER + ",weight,note", *(",".join(map(str, row)) + ",x" for row in rows)])


def lines_of(rows: Sequence[tuple[int, ...]]) -> str:
    names = [*HEADER.split(","), "weight"]
    return "\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows)


@pytest.mark.parametrize("text", [csv_of(ROWS), lines_of(ROWS)], ids=["csv", "lines"])
def test_both_formats_are_the_same_ticks(text: str) -> None:
    assert read(text, "r") == TICKS


def test_a_journals_counts_are_those_of_the_step_so_far() -> None:
    def observed(second: int, step: int, canary: list[int], stable: list[int]) -> dict[str, object]:
        counted = {"canary": canary, "stable": stable}
        return {
            "event": "observed",
            "time": f"2026-11-27T08:00:{second:02d}.500+00:00",
            "step": step,
            "counted": counted,
        }

    events = [
        {"event": "planned", "time": "2026-11-27T08:00:00.000+00:00"},
        {"event": "intended", "weight": 5, "time": "2026-11-27T08:00:01.000+00:00"},
        {"event": "observed", "router": "lb1", "share": 5},
        observed(10, 0, [5, 1], [95, 0]),
        observed(20, 0, [11, 1], [189, 2]),
        {"event": "intended", "weight": 50},
        observed(30, 1, [50, 3], [50, 0]),
        {"event": "something_newer", "step": 1},
    ]
    ticks = read("\n".join(map(json.dumps, events)), "journal.jsonl")
    assert [(tick.canary, tick.stable, tick.weight) for tick in ticks] == [
        (tick.canary, tick.stable, tick.weight) for tick in TICKS
    ]
    assert [tick.t - ticks[0].t for tick in ticks] == [0, 10, 20]


def test_times_are_seconds_or_of_a_calendar() -> None:
    text = f"{HEADER}\n2026-11-27T08:00:00Z,1,0,1,0\n2026-11-27T09:00:01+01:00,1,0,1,0\n"
    ticks = read(text, "r")
    assert ticks[1].t - ticks[0].t == 1
    assert ticks[0].weight == UNKNOWN_WEIGHT


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "r is empty"),
        (HEADER, "r has no counts: expected t, canary_requests"),
        ("t,canary_requests\n1,2", "r, line 1: the header lacks canary_failures, stable_requests, stable_failures"),
        (HEADER + "\n1,2,3,4", "r, line 2: stable_failures is None: expected a number"),
        (HEADER + "\n1,2,x,4,5", "r, line 2: canary_failures is 'x': expected a number"),
        (HEADER + "\n1,2,-1,4,5", "r, line 2: canary_failures is '-1': expected a whole number, not less than 0"),
        (HEADER + "\n1,2,1.5,4,5", "r, line 2: canary_failures is '1.5': expected a whole number"),
        (HEADER + "\nnow,2,1,4,5", "r, line 2: t is 'now': expected seconds, or a time like"),
        (HEADER + "\n2,1,1,1,1\n1,1,1,1,1", "r, line 3: t goes back from 2 to 1: sort the records by time"),
        ('{"t": 1}\n{', "r, line 2: not JSON"),
        ('{"t": 1}\n[1]', "r, line 2: expected an object, got '[1]'"),
        ('{"t": 1}', "r, line 1: canary_requests is None"),
        ('{"event": "planned"}', "r has no counts"),
        ('{"event": "planned", "version": 1}', "r has no counts"),
        ('{"event": "planned", "version": 2}', "r, line 1: a journal of version 2, expected 1: read it with the zdm"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(RecordsError) as refusal:
        read(text, "r")
    assert said in str(refusal.value)
