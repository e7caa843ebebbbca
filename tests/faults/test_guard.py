# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of one router: its guard or its proxy dies or stops. It is told apart, and all others follow."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.faults.scene import LEASE, Scene
from tests.faults.table import RUNS, note
from tests.support.wait import until

REVERT = ("plugin_utils/_watch.py", "self._for_all(self.orders.revert, order.reason)", "pass")


@dataclass(frozen=True)
class Fault:
    """``says``: what the outcome says of it. Without the watch's revert the others stay where they are."""

    strike: Callable[[Scene], None]
    bound: str
    actor: str
    says: str
    lease: float = LEASE


def guard_killed(scene: Scene) -> None:
    scene.send_guard(1, signal.SIGKILL)


def guard_stopped(scene: Scene) -> None:
    scene.send_guard(1, signal.SIGSTOP)


def proxy_killed(scene: Scene) -> None:
    router = scene.fleet.routers[1]
    router.kill()
    scene.back_at("lb1", "lb3", deadline=30)
    router.start()


FAULTS = {
    "guard SIGKILL": Fault(guard_killed, "2 s", "guard", "the guard on the router is gone"),
    "guard SIGSTOP": Fault(guard_stopped, "lease + 5 s", "router", "no guard minds leases on this host: process ", 20),
    "proxy SIGKILL, started again": Fault(proxy_killed, "10 s", "router", "lb2: "),
}
OTHERS = ("guard SIGKILL", "proxy SIGKILL, started again")
CASES = [(name, "haproxy") for name in FAULTS] + [(name, proxy) for proxy in ("envoy", "nginx") for name in OTHERS]


@pytest.mark.parametrize("run", range(RUNS))
@pytest.mark.parametrize(("name", "proxy"), CASES)
def test_the_others_follow(name: str, proxy: str, run: int) -> None:
    fault = FAULTS[name]
    with Scene(proxy, lease=fault.lease) as scene:
        scene.begin()
        t = time.monotonic()
        fault.strike(scene)
        seconds = scene.back_at(deadline=fault.lease + 30) - t
        assert scene.was_never_above(), scene.most
        assert scene.running.wait().code == 2
        outcome = scene.fleet.outcome()
        assert (outcome["outcome"], outcome["actor"]) == ("rolled_back", fault.actor)
        assert fault.says in outcome["reason"]
        note(name, proxy, fault.bound, seconds, scene.failed())


def test_a_guard_that_wakes_up_changes_nothing() -> None:
    with Scene() as scene:
        scene.begin()
        guard_stopped(scene)
        scene.back_at(deadline=LEASE + 30)
        pid = scene.fleet.guard(scene.fleet.routers[1])
        scene.fleet.signal(pid, signal.SIGCONT)
        until(lambda: not scene.fleet.left(), "it to end, as nothing is left to mind", 40)
        assert scene.fleet.shares() == [0.0] * 3
        assert scene.was_never_above()


@pytest.mark.parametrize("name", ["guard SIGKILL", "guard SIGSTOP"])
def test_without_the_watchs_order_the_others_stay__control(name: str) -> None:
    with Scene() as scene:
        scene.fleet.alter(*REVERT)
        # The others' guards are not to act by themselves either, so that the order is what is missing.
        scene.fleet.spec["lease"] = "40s"
        scene.begin()
        FAULTS[name].strike(scene)
        scene.running.says("REVERTING all routers")
        reverting = time.monotonic()
        until(lambda: time.monotonic() - reverting > 2, "the order to be long due")
        assert scene.is_armed(scene.fleet.routers[0]) and scene.is_armed(scene.fleet.routers[2])
        note(name, "haproxy", "", None, 0, "the others stay at 25 %")
