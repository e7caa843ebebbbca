# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's figures are the client's: what leaked, when it was found and over, what share each step had."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import pytest

from demo import report
from demo.log import Record, Result

#: The wall clock at the start of each run here; the client's monotonic clock shows something else.
START = 1_800_000_000.0


def request(at: float, release: str | None = "v1", failure: str | None = None, seconds: float = 0.0) -> Record:
    """A request that was begun so many seconds after the start, and how it ended."""
    status = {None: 200, "status": 500}.get(failure)
    return Record(START + at, 77.0 + at, 77.0 + at + seconds, status, failure, release)


def event(at: float, name: str, **data: Any) -> dict[str, Any]:
    """A line of the journal, so many seconds after the start."""
    time = datetime.fromtimestamp(START + at, timezone.utc).isoformat(timespec="milliseconds")
    return {"event": name, "time": time, **data}


def raised(at: float, weight: float, routers: int = 1) -> list[dict[str, Any]]:
    """A step is intended, and read back on each router a second after the other."""
    return [
        event(at, "intended", weight=weight),
        *(event(at + 1 + index, "observed", router="p%d" % index, share=weight) for index in range(routers)),
    ]


def test_the_share_of_a_step_is_that_of_the_answers_while_it_was_in_force() -> None:
    journal = [*raised(0, 25), *raised(10, 100), event(20, "finished", outcome="promoted")]
    records = [
        request(0.5, "v2"),  # before the read-back: of no step
        request(1.0, "v2"),
        request(2.0, "v1"),
        request(3.0, "v1", seconds=20),  # it counts where it was begun
        request(9.9, "v1"),
        request(10.5, "v1"),  # the next step is on its way
        request(11.0, "v2"),
        request(19.9, "v2"),
        request(20.0, "v1"),
    ]
    assert report.good(Result(records), journal, {"outcome": "promoted", "release": "v2"}) == {
        "outcome": "promoted",
        "requests": 9,
        "failed": 0,
        "steps": [{"weight": 25, "seen": 25.0}, {"weight": 100, "seen": 100.0}],
    }


def test_answers_of_no_release_and_failed_ones_do_not_hide() -> None:
    journal = [*raised(0, 50), event(10, "finished")]
    records = [
        request(2, "v2"),
        request(3, "v2", "status"),  # an answer of v2, though a bad one
        request(4, "v1"),
        request(5, "v1"),
        request(6, None, "refused"),
        request(7, None, "status"),  # the proxy's own
    ]
    found = report.good(Result(records), journal, {"outcome": "promoted", "release": "v2"})
    assert (found["requests"], found["failed"]) == (6, 3)
    assert found["steps"] == [{"weight": 50, "seen": 50.0}]


def test_a_step_without_an_answer_has_a_share_of_0() -> None:
    journal = [*raised(0, 5), event(10, "finished")]
    assert report.good(Result([]), journal, {"outcome": "promoted", "release": "v2"})["steps"] == [
        {"weight": 5, "seen": 0.0}
    ]


@pytest.mark.parametrize(
    ("journal", "steps"),
    [
        ([*raised(0, 5), event(9, "finished")], [(5, 1, 9)]),
        ([*raised(0, 5, routers=3), event(9, "finished")], [(5, 3, 9)]),
        ([*raised(0, 0), *raised(5, 5), event(9, "finished")], [(5, 6, 9)]),
        ([*raised(0, 5), event(4, "judged"), event(6, "intended", revert=True), event(9, "finished")], [(5, 1, 6)]),
        ([event(0, "intended", weight=5), event(9, "finished")], []),
        ([*raised(0, 5)], []),
    ],
    ids=["one", "the last router", "settling is no step", "reverted", "never read back", "no end"],
)
def test_a_step_is_in_force_from_the_last_read_back_to_the_next_intention(
    journal: list[Mapping[str, Any]], steps: list[tuple[float, float, float]]
) -> None:
    assert report.steps(journal) == [(weight, START + begin, START + end) for weight, begin, end in steps]


def test_what_leaked_is_counted_and_timed_from_its_first_bad_answer() -> None:
    journal = [*raised(0, 5), event(5.5, "intended", revert=True), event(6, "reverted"), event(7, "finished")]
    records = [
        request(1.5, "v3"),  # a good answer of the bad release
        request(2.0, "v3", "status", seconds=0.5),  # the first bad one is over at 2.5
        request(3.0, "v1", "timeout"),  # not of the bad release
        request(4.0, None, "reset"),
        request(5.0, "v3", "status", seconds=0.1),
        request(5.2, "v3", "short", seconds=1.3),  # the last one is over at 6.5
        request(6.0, "v1"),
    ]
    assert report.bad(Result(records), journal, {"outcome": "rolled_back", "release": "v3", "reason": "why"}) == {
        "outcome": "rolled_back",
        "reason": "why",
        "requests": 7,
        "failed": 5,
        "leaked": 3,
        "found_s": pytest.approx(3.0),
        "reverted_s": pytest.approx(4.0),
    }


@pytest.mark.parametrize(
    ("journal", "records", "found", "reverted"),
    [
        ([event(5, "intended", revert=True)], [request(1, "v3")], None, None),
        ([*raised(0, 5), event(9, "finished")], [request(1, "v3", "status"), request(3, "v3", "status")], None, 2.0),
    ],
    ids=["nothing leaked", "nobody ordered it back"],
)
def test_an_instant_that_never_was_has_no_time(
    journal: list[Mapping[str, Any]], records: list[Record], found: float | None, reverted: float | None
) -> None:
    figures = report.bad(Result(records), journal, {"outcome": "failed", "release": "v3", "reason": "why"})
    assert (figures["found_s"], figures["reverted_s"]) == (found, reverted)


def test_a_persons_order_back_counts_as_one_too() -> None:
    journal = [event(4, "ordered", revert=True, actor="person")]
    figures = report.bad(
        Result([request(1, "v3", "status")]), journal, {"outcome": "rolled_back", "release": "v3", "reason": ""}
    )
    assert figures["found_s"] == pytest.approx(3.0)


def test_the_table_holds_every_figure_of_the_summary() -> None:
    good = {"outcome": "promoted", "requests": 6001, "failed": 2, "steps": [{"weight": 5, "seen": 4.83}]}
    bad = {"outcome": "rolled_back", "requests": 3002, "failed": 17, "leaked": 13, "found_s": 1.25, "reverted_s": 1.5}
    bad["reason"] = reason = "errors: canary fails"
    text = report.table({"router": "envoy", "good": good, "bad": [bad]})
    for figure in ("envoy", "promoted: 2 of 6001", "5 % (seen 4.8)", "rolled_back: 17 of 3002", "13 answers", "1.25 s"):
        assert figure in text
    assert reason in text
    assert "median" not in text
    later = {**bad, "found_s": 3.25, "leaked": 14}
    text = report.table({"router": "envoy", "good": good, "bad": [bad, later, {**bad, "found_s": None}]})
    assert "of 3: found after 2.25 s in the median, 3.25 s at the latest; 13 answers leaked" in text
