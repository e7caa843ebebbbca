# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the network: one that goes silent without closing anything, for good or for a moment."""

from __future__ import annotations

import time

import pytest

from tests.faults.scene import Scene
from tests.faults.table import RUNS, note
from tests.support.wait import until

LEASE = 5.0
#: A watch that waits for the connection that it has, which says nothing by itself.
NO_FRESH = (
    "plugin_utils/_line.py",
    "SILENT_SECONDS, FRESH_SECONDS, FRESH_TIMEOUT = 2.0, 1.0, 10.0",
    "SILENT_SECONDS, FRESH_SECONDS, FRESH_TIMEOUT = 2000.0, 2000.0, 10.0",
)
NO_SIGN = ("plugin_utils/_transport.py", "-oServerAliveInterval=2", "-oServerAliveInterval=0")
EXPIRY = ("module_utils/agent/loan.py", "if t >= self.expires:", "if False:")
#: A blip, and a lease that is longer, but not as long as the TCP connection takes to repeat what was lost.
BLIP, LONGER, REPEATS = 4.0, 9.0, 30


@pytest.mark.parametrize("run", range(RUNS))
@pytest.mark.parametrize(
    ("name", "proxy", "cut"),
    [
        ("network to one of three cut", "haproxy", [1]),
        ("network to one of three cut", "envoy", [1]),
        ("network to all cut", "haproxy", [0, 1, 2]),
    ],
)
def test_a_router_that_is_cut_off_goes_back_by_its_lease_and_the_others_follow(
    name: str, proxy: str, cut: list[int], run: int
) -> None:
    with Scene(proxy, lease=LEASE, cables=True) as scene:
        scene.begin()
        t = time.monotonic()
        for index in cut:
            scene.fleet.cables[index].cut()
        seconds = scene.back_at(deadline=LEASE + 5) - t
        assert scene.was_never_above(), scene.most
        assert seconds > LEASE - 1, "not before its time: it might have been a blip"
        went_back = [scene.fleet.routers[index].record for index in cut]
        until(lambda: all("nobody renewed" in record()["reason"] for record in went_back), "the guards to say why")
        for index in cut:
            scene.fleet.cables[index].mend()
        assert scene.running.wait().code == 2
        outcome = scene.fleet.outcome()
        # The watch gives a silent router up, or hears once more of its guard, which has gone back by itself.
        gone_back = outcome["actor"] == "guard" and "it went back to stable: nobody renewed" in outcome["reason"]
        assert outcome["outcome"] == "rolled_back"
        assert outcome["actor"] == "router" or gone_back, outcome
        assert scene.failed() == 0
        note(name, proxy, "lease + 1 s, the lease being %g s" % LEASE, seconds, scene.failed())


def test_a_router_that_is_cut_off_stays_without_the_lease__control() -> None:
    with Scene(lease=LEASE, cables=True) as scene:
        scene.fleet.alter(*EXPIRY)
        scene.begin()
        scene.fleet.cables[1].cut()
        began = time.monotonic()
        scene.back_at("lb1", "lb3", deadline=LEASE + 10)
        until(lambda: time.monotonic() - began > LEASE + 3, "its time to be over", LEASE + 5)
        assert scene.is_armed(scene.fleet.routers[1]), scene.fleet.shares()
        note("network to one of three cut", "haproxy", "", None, 0, "the one that is cut off stays at 25 %")


@pytest.mark.parametrize("run", range(RUNS))
@pytest.mark.parametrize("fresh", [True, False], ids=["", "control"])
def test_a_blip_that_is_shorter_than_the_lease_loses_nothing(fresh: bool, run: int) -> None:
    name = "network to one gone for %g s, the lease being %g s" % (BLIP, LONGER)
    with Scene(lease=LONGER, cables=True, routers=1) as scene:
        if not fresh:
            scene.fleet.alter(*NO_FRESH)
            scene.fleet.alter(*NO_SIGN)
        scene.fleet.cables[0].be_slow_to_repeat(REPEATS)
        scene.begin()
        began = time.monotonic()
        scene.fleet.cables[0].cut()
        until(lambda: time.monotonic() - began > BLIP, "the blip to be over", BLIP + 5)
        scene.fleet.cables[0].mend()
        if fresh:
            until(
                lambda: time.monotonic() - began > LONGER + 2, "its lease to be long over, had it not been renewed", 20
            )
            assert scene.all_armed, scene.fleet.shares()
            assert scene.running.process.ended is None
            assert scene.failed() == 0
            note(name, "haproxy", "nothing moves", None, scene.failed())
        else:
            scene.back_at(deadline=LONGER + 5)
            note(name, "haproxy", "", None, 0, "the rollout is lost")
