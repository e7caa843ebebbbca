# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many routers, each over ssh: all at once when the controller dies, and none at all when half of them refuse."""

from __future__ import annotations

import signal
import time

import pytest

from tests.faults.scene import ARMED, LEASE, Scene
from tests.faults.table import NOTES, RUNS, note
from tests.support.wait import until

#: So many in the reduced suite, and in the full one.
MANY = 30 if NOTES else 10
HALF = 6
UNREFUSED = (
    "module_utils/agent/lease.py",
    "    if lent:\n        raise LeaseError(\n",
    "    if False:\n        raise LeaseError(\n",
)


@pytest.mark.parametrize("run", range(RUNS))
def test_all_of_many_go_back_at_once(run: int) -> None:
    with Scene(routers=MANY, one_host=True, rate=5) as scene:
        scene.begin()
        t = time.monotonic()
        scene.send_watch(signal.SIGKILL)
        scene.send_group(signal.SIGKILL)
        seconds = scene.back_at(deadline=LEASE + 5) - t
        assert scene.was_never_above(), scene.most
        assert scene.failed() == 0
        note("watch and group SIGKILL, %d routers over ssh" % MANY, "haproxy", "1.5 s", seconds, scene.failed())


@pytest.mark.parametrize("run", range(RUNS))
@pytest.mark.parametrize("heeded", [True, False], ids=["", "control"])
def test_when_half_of_the_leases_are_refused_nothing_is_raised_anywhere(heeded: bool, run: int) -> None:
    """Every second router belongs to another run already."""
    with Scene(routers=HALF, one_host=True, rate=5) as scene:
        if not heeded:
            scene.fleet.alter(*UNREFUSED)
        everywhere = dict(scene.fleet.variables)
        scene.fleet.variables = {name: way for name, way in everywhere.items() if int(name[2:]) % 2 == 0}
        other = scene.fleet.start("rollout", log="other.log")
        other.says("read back", times=HALF // 2, deadline=120)
        free = [router for router in scene.fleet.routers if router.name not in scene.fleet.variables]
        taken = [router for router in scene.fleet.routers if router.name in scene.fleet.variables]
        scene.fleet.variables = everywhere
        scene.look_at(*free)
        if not heeded:
            scene.fleet.start("rollout", log="second.log")
            until(lambda: scene.most > 0, "something to be raised", 60)
            note("half of the leases refused", "haproxy", "", None, 0, "what is free is raised")
            return
        second = scene.fleet.play("rollout", log="second.log")
        assert second.code == 2
        assert scene.fleet.outcome()["outcome"] == "refused"
        assert scene.most == 0
        assert [router.record()["state"] for router in free] == ["idle"] * len(free)
        assert all(scene.is_armed(router) for router in taken), "the other run goes on with %g %%" % ARMED
        assert other.process.ended is None
        note("half of the leases refused", "haproxy", "nothing raised anywhere", None, scene.failed())
