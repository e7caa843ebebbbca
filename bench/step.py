# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step takes beyond its hold, on routers that are connected, in a whole rollout with ansible-playbook."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from bench.run import moment
from bench.table import Row
from tests.support.fleet import Fleet

HOLD = 1.0
WEIGHTS = (2, 5, 10, 15, 20, 30, 40, 50, 65, 80)
READY = {"signal": "http", "path": "/ready", "expect": "status == 'ok'", "every": "1s"}


def rows(routers: int = 10, weights: tuple[int, ...] = WEIGHTS) -> list[Row]:
    """Two rows: a step from one pass to the next, and its raise alone."""
    with Fleet(routers=routers, ssh=True, one_host=True) as fleet:
        steps: list[dict[str, Any]] = [{"weight": weight, "hold": "%gs" % HOLD} for weight in weights]
        fleet.spec.update(steps=[*steps, {"weight": 100}], min_requests=0, checks={"ready": READY})
        ended = fleet.play("rollout")
        if fleet.outcome()["outcome"] != "promoted":
            raise AssertionError("expected a rollout that is promoted: %s" % ended.output)
        events = fleet.events()
    passed = [moment(event) for event in events if event["event"] == "judged" and event.get("done")]
    asked = {event["step"]: moment(event) for event in events if event["event"] == "intended" and "weight" in event}
    seen: dict[int, float] = {}
    for event in events:
        if event["event"] == "observed" and "share" in event:
            seen[event["step"]] = moment(event)
    held = passed[: len(weights)]
    steps_took = [after - before - HOLD for before, after in pairwise(held)]
    raises = [1000.0 * (seen[step] - asked[step]) for step in sorted(asked)]
    where = "%d ssh routers, haproxy" % routers
    note = "from one step's pass to the next one's, less the hold: the play between them, the raise, the beat"
    return [
        Row("a step beyond its hold, %s" % where, "s", steps_took, 0.5, note),
        Row("a raise, %s" % where, "ms", raises, None, "from the intention to the last router read back"),
    ]
