# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kill table: the watch, the playbook or an agent dies at every point of a rollout, and then it is started again.

However far it came: each router is at one of the two pools soon, the same rollout started once more ends at green, the
journal says what the proxies show, and no request is lost at any time.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.points import Kill, Points
from tests.faults.table import NOTES, note
from tests.support.fleet import Fleet
from tests.support.traffic import traffic
from tests.support.wait import until

STRATEGIES: dict[str, dict[str, Any]] = {
    "canary": {"steps": [{"weight": 50, "hold": "0.5s"}, {"weight": 100}]},
    "blue_green": {"strategy": "blue_green", "bake": "0.5s"},
}
ROUTERS = 2
#: Where the runs are noted, somebody dies at every point; in the ordinary suite at one of so many.
EACH = 1 if NOTES else 21
#: Where an agent writes its intention, between two points.
SAVED = "            store.save(new)\n            point"


class Table:
    """A fleet that is killed again and again; each rollout has a release of its own."""

    def __init__(self, fleet: Fleet, strategy: str) -> None:
        self.fleet, self.points = fleet, Points(fleet)
        if "strategy" in STRATEGIES[strategy]:
            del fleet.spec["steps"]
        fleet.spec.update(checks={}, lease="3s", progress_deadline="5s", **STRATEGIES[strategy])
        self._number = 1

    def released(self) -> str:
        self._number += 1
        self.fleet.spec["release"] = "v%d" % self._number
        return str(self.fleet.spec["release"])

    def rehearsal(self) -> list[Kill]:
        """A rollout in which nobody dies, and who could have."""
        self.released()
        ended = self.fleet.play("rollout")
        assert ended.code == 0, ended.output
        return self.points.kills()

    def kill(self, kill: Kill) -> str:
        """A rollout in which one dies, and the same one again. How it stood between the two, for the table."""
        fleet, serving = self.fleet, self.fleet.shares()
        self.released()
        self.points.want(kill)
        running = fleet.start("rollout")
        self.points.owner(running.process.pid)
        running.wait()
        assert self.points.struck, "%s: nobody came by" % kill
        until(self._rests, "%s: all routers to be at one pool; they are at %s" % (kill, fleet.shares()))
        between = fleet.shares()
        self.points.forget()
        again = fleet.play("rollout")
        assert again.code == 0, "%s: %s" % (kill, again.output)
        assert fleet.shares() == [100.0 - share for share in serving], kill
        told = fleet.outcome()["outcome"]
        assert fleet.events()[-1]["outcome"] == told, "the journal says what the outcome says"
        # Nothing was to be done only where the one who died had done all of it.
        assert told == ("unchanged" if between != serving and len(set(between)) == 1 else "promoted"), kill
        return "back at stable" if between == serving else "promoted" if len(set(between)) == 1 else "some promoted"

    def _rests(self) -> bool:
        """Whether nobody of the rollout is left, and each router sends everything to one pool."""
        return not self.fleet.left() and all(share in (0.0, 100.0) for share in self.fleet.shares())


@pytest.mark.parametrize(("strategy", "proxy"), [("canary", "haproxy"), ("blue_green", "envoy")])
def test_whoever_dies_wherever_the_same_rollout_again_gets_there(strategy: str, proxy: str) -> None:
    with Fleet(routers=ROUTERS, proxy=proxy) as fleet, traffic(fleet, 50) as clients:
        table = Table(fleet, strategy)
        kills = table.rehearsal()
        assert {kill.victim for kill in kills} == {"agent", "watch", "playbook"}
        for kill in kills[::EACH]:
            failed = sum(client.result.failed for client in clients)
            stood = table.kill(kill)
            lost = sum(client.result.failed for client in clients) - failed
            note("%s dies at each point of %s" % (kill.victim, strategy), proxy, stood, None, lost)
            assert lost == 0, kill


def test_without_its_record_an_agent_that_dies_leaves_the_split_behind() -> None:
    """The control: the intention is not written before the change."""
    with Fleet(routers=ROUTERS) as fleet:
        table = Table(fleet, "canary")
        fleet.alter(
            "module_utils/agent/apply.py", "            store.save(new)\n            point", "            point"
        )
        with pytest.raises(AssertionError, match="all routers to be at one pool"):
            table.kill(Kill("before verify", 1, "agent"))
