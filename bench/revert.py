# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the verdict until every router was read back at stable, by the watch's own journal.

The verdict is that of a check that cannot pass; both ends are events of the journal, so the time has in it all that
the watch does between them: the two events synced to the disk, the orders, and each router's way and answer.
"""

from __future__ import annotations

from bench.run import Run, moment
from bench.table import Row
from tests.support.fleet import Fleet

#: Targets in ms, by the number of routers; Envoy takes its own time beside.
TARGETS, ENVOY = {1: 20.0, 10: 60.0, 30: 200.0}, 20.0
NEVER = {"signal": "http", "path": "/ready", "expect": "status == 'never'", "every": "1s"}


def rows(proxy: str, routers: int, runs: int) -> list[Row]:
    """One row: ``runs`` rollouts on so many routers, each reached by ssh, that are turned back by the watch."""
    target = TARGETS.get(routers)
    if target is not None and proxy == "envoy":
        target += ENVOY
    with Fleet(routers=routers, ssh=True, one_host=True, proxy=proxy) as fleet:
        fleet.spec.update(
            steps=[{"weight": 10, "hold": "60s"}, {"weight": 100}], min_requests=0, checks={"never": NEVER}
        )
        times = [1000.0 * _once(fleet) for dummy in range(runs)]
    what = "verdict → verified, %d ssh router%s, %s" % (routers, "" if routers == 1 else "s", proxy)
    return [Row(what, "ms", times, target, "from the judged fail to the last reverted of the journal, ± 1 ms")]


def _once(fleet: Fleet) -> float:
    """Seconds from the verdict to the last router read back."""
    with Run(fleet) as run:
        outcome = run.ask("step", index=0)
        if outcome["outcome"] != "rolled_back" or outcome["unconfirmed"]:
            raise AssertionError("expected a rollout that is rolled back everywhere: %s" % outcome)
        events = run.events
    (verdict,) = (moment(event) for event in events if event["event"] == "judged" and event["outcome"] == "fail")
    back = [moment(event) for event in events if event["event"] == "reverted" and event["confirmed"]]
    if len(back) != len(fleet.routers):
        raise AssertionError("%d of %d routers were read back" % (len(back), len(fleet.routers)))
    return max(back) - verdict
