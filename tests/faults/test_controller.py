# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the controller: whoever dies or stops there, all routers are back at stable, and no request is lost."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.faults.scene import LEASE, Scene
from tests.faults.table import RUNS, note
from tests.support.wait import until

#: A protection switched off: file, text, instead.
Alteration = tuple[str, str, str]
OWNER: Alteration = (
    "plugin_utils/_watch.py",
    'self._abandon("ansible-playbook is gone" if ends[0].done() else STOPPED)',
    "pass",
)
GRACE: Alteration = ("module_utils/agent/tenure.py", "if carrier is not self.carrier:", "if True:")
EXPIRY: Alteration = ("module_utils/agent/loan.py", "if t >= self.expires:", "if False:")


@dataclass(frozen=True)
class Fault:
    """``bound``: seconds in which all are back on an idle machine; ``stopped``: what must be let go on at the end."""

    strike: Callable[[Scene], None]
    bound: float
    control: Alteration
    outcome: str = "abandoned"


def playbook(number: signal.Signals) -> Callable[[Scene], None]:
    return lambda scene: scene.running.process.send(number)


def group(number: signal.Signals) -> Callable[[Scene], None]:
    return lambda scene: scene.send_group(number)


def watch(number: signal.Signals) -> Callable[[Scene], None]:
    return lambda scene: scene.send_watch(number)


def all_of_it(scene: Scene) -> None:
    scene.send_watch(signal.SIGKILL)
    scene.send_group(signal.SIGKILL)


FAULTS = {
    "SIGINT of ansible-playbook": Fault(playbook(signal.SIGINT), 0.5, OWNER),
    "SIGTERM of ansible-playbook": Fault(playbook(signal.SIGTERM), 0.5, OWNER),
    "SIGKILL of ansible-playbook": Fault(playbook(signal.SIGKILL), 0.5, OWNER),
    "SIGKILL of its group": Fault(group(signal.SIGKILL), 0.5, OWNER),
    "Ctrl-Z longer than the lease": Fault(group(signal.SIGSTOP), LEASE + 1, OWNER),
    "watch SIGTERM": Fault(watch(signal.SIGTERM), 0.5, OWNER),
    "watch SIGKILL": Fault(watch(signal.SIGKILL), 1.5, GRACE, ""),
    "watch and group SIGKILL": Fault(all_of_it, 1.5, GRACE, ""),
    "watch SIGSTOP": Fault(watch(signal.SIGSTOP), LEASE + 1, EXPIRY, ""),
}
#: With these the same holds for Envoy and nginx; how the proxy is told is all that differs, so not all is run again.
ON_OTHERS = ("SIGKILL of ansible-playbook", "watch and group SIGKILL")
CASES = [(name, "haproxy") for name in FAULTS] + [(name, proxy) for proxy in ("envoy", "nginx") for name in ON_OTHERS]


@pytest.mark.parametrize("run", range(RUNS))
@pytest.mark.parametrize(("name", "proxy"), CASES)
def test_all_go_back(name: str, proxy: str, run: int) -> None:
    fault = FAULTS[name]
    with Scene(proxy) as scene:
        scene.begin()
        t = time.monotonic()
        fault.strike(scene)
        seconds = scene.back_at(deadline=LEASE + 5) - t
        assert scene.was_never_above(), scene.most
        scene.running.process.send(signal.SIGCONT)
        for pid in scene.fleet.processes("-I\0-c\0"):
            scene.fleet.signal(pid, signal.SIGCONT)
        assert scene.running.wait().code != 0
        until(lambda: not scene.fleet.left(), "no process of the rollout to be left")
        assert scene.fleet.shares() == [0.0] * 3, "and what woke up has changed nothing"
        if fault.outcome:
            assert scene.fleet.outcome()["actor"] == fault.outcome
        assert all("reverted" in router.agent("status").stdout for router in scene.fleet.routers)
        assert scene.failed() == 0
        note(name, proxy, "%g s" % fault.bound, seconds, scene.failed())


CONTROLS = {
    "SIGKILL of ansible-playbook": "25 % stays",
    "Ctrl-Z longer than the lease": "25 % stays",
    "watch SIGSTOP": "25 % stays",
    "watch and group SIGKILL": "25 % stays until the lease is over",
}


@pytest.mark.parametrize("name", CONTROLS)
def test_without_the_protection_they_stay__control(name: str) -> None:
    fault = FAULTS[name]
    with Scene() as scene:
        scene.fleet.alter(*fault.control)
        if fault.control is GRACE:
            scene.fleet.spec["lease"] = "60s"
        scene.begin()
        began = time.monotonic()
        fault.strike(scene)
        until(lambda: time.monotonic() - began > fault.bound + 1, "its time to be over", fault.bound + 5)
        assert scene.all_armed, scene.fleet.shares()
        note(name, "haproxy", "", None, 0, CONTROLS[name])
