# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a demo run came to: the client's log, the journal and the outcome made into numbers and a table.

Rules of this room: pure. All figures are the client's own; of the journal only instants are used.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from demo.log import Result

Event = Mapping[str, Any]


def good(client: Result, journal: Sequence[Event], outcome: Mapping[str, Any]) -> dict[str, Any]:
    """A rollout that should be promoted: what failed, and canary's share at each step as the client saw it."""
    return {
        "outcome": outcome["outcome"],
        "requests": client.requests,
        "failed": client.failed,
        "steps": [
            {"weight": weight, "seen": round(client.between(begin, end).shares.get(outcome["release"], 0.0), 2)}
            for weight, begin, end in steps(journal)
        ],
    }


def bad(client: Result, journal: Sequence[Event], outcome: Mapping[str, Any]) -> dict[str, Any]:
    """A rollout that should be turned back: how many bad answers leaked, when it was found, when the last came."""
    leaked = client.of(outcome["release"]).failures
    ordered = next((at(event) for event in journal if event.get("revert")), None)
    first = min((record.end_time for record in leaked), default=None)
    last = max((record.end_time for record in leaked), default=None)
    return {
        "outcome": outcome["outcome"],
        "reason": outcome["reason"],
        "requests": client.requests,
        "failed": client.failed,
        "leaked": len(leaked),
        "found_s": round(ordered - first, 3) if ordered is not None and first is not None else None,
        "reverted_s": round(last - first, 3) if last is not None and first is not None else None,
    }


def steps(journal: Sequence[Event]) -> list[tuple[float, float, float]]:
    """Each step's weight, and from when to when it was in force on all routers (wall clock).

    It begins with the last read-back and ends with the next intention, or the end of the journal.
    """
    found: list[tuple[float, float, float]] = []
    weight, begin = None, None
    for event in journal:
        if event["event"] in ("intended", "finished"):
            if weight and begin is not None:  # not the step that only settles all traffic at stable
                found.append((weight, begin, at(event)))
            weight, begin = event.get("weight"), None
        elif event["event"] == "observed":
            begin = at(event)
    return found


def at(event: Event) -> float:
    """The wall clock of an event, in seconds since 1970."""
    return datetime.fromisoformat(event["time"]).timestamp()


def table(summary: Mapping[str, Any]) -> str:
    """The summary for people."""
    passed = summary["good"]
    wanted = ", ".join("%g %% (seen %.1f)" % (step["weight"], step["seen"]) for step in passed["steps"])
    return "\n".join(
        (
            "",
            "router       %s" % summary["router"],
            "good release %s: %d of %d requests failed" % (passed["outcome"], passed["failed"], passed["requests"]),
            "             steps: %s" % wanted,
            *(line for turned in summary["bad"] for line in _turned(turned)),
            *_medians(summary["bad"]),
            "",
        )
    )


def _turned(turned: Mapping[str, Any]) -> list[str]:
    counts = (turned["outcome"], turned["failed"], turned["requests"], turned["leaked"])
    return [
        "bad release  %s: %d of %d requests failed, %d answers of it leaked" % counts,
        "             found %s s after its first bad answer, the last one came after %s s"
        % (turned["found_s"], turned["reverted_s"]),
        "             %s" % turned["reason"],
    ]


def _medians(bad: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where it was tried more than once."""
    found = [each["found_s"] for each in bad if each["found_s"] is not None]
    if len(bad) < 2 or not found:
        return []
    leaked = statistics.median(each["leaked"] for each in bad)
    words = (len(bad), statistics.median(found), max(found), leaked)
    return ["             of %d: found after %.2f s in the median, %.2f s at the latest; %g answers leaked" % words]
