# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers: the second is refused while the first lives, and the first while the second does."""

from __future__ import annotations

import signal
import time

import pytest

from tests.faults.scene import LEASE, Scene
from tests.faults.table import RUNS, note
from tests.support.wait import until

FENCE = ("module_utils/agent/lease.py", "    if epoch != lease.epoch:\n", "    if False:\n")


@pytest.mark.parametrize("run", range(RUNS))
def test_a_second_controller_is_refused_and_the_first_goes_on(run: int) -> None:
    with Scene() as scene:
        scene.begin()
        first = scene.fleet.runs()[0].name
        held = scene.fleet.held()
        second = scene.fleet.play("rollout", log="second.log")
        assert second.code == 2
        outcome = scene.fleet.outcome()
        assert outcome["outcome"] == "refused"
        assert "lb1: " in outcome["reason"] and "run %s of" % first in outcome["reason"]
        assert [event["event"] for event in scene.fleet.events()] == ["planned", "finished"]
        until(lambda: scene.fleet.held() > held, "the first to go on")
        assert scene.all_armed
        assert scene.failed() == 0
        note("a second controller", "haproxy", "refused, journalled", None, scene.failed())


@pytest.mark.parametrize("run", range(RUNS))
@pytest.mark.parametrize("fenced", [True, False], ids=["", "control"])
def test_an_old_controller_that_wakes_up_changes_nothing(fenced: bool, run: int) -> None:
    with Scene() as scene:
        if not fenced:
            scene.fleet.alter(*FENCE)
        scene.begin()
        old, watch = scene.running, scene.fleet.watch()
        scene.fleet.signal(watch, signal.SIGSTOP)
        scene.send_group(signal.SIGSTOP)
        scene.back_at(deadline=LEASE + 5)
        new = scene.fleet.start("rollout", log="new.log")
        new.says("read back", times=3, deadline=120)
        assert scene.all_armed
        until(lambda: scene.fleet.held() > 1, "the new one to hold")
        took = [event["took_over"]["run"] for event in scene.fleet.events() if "took_over" in event]
        assert took == [scene.fleet.runs()[0].name] * 3, "and it says from whom"

        scene.fleet.signal(watch, signal.SIGCONT)
        old.process.send(signal.SIGCONT)
        scene.send_group(signal.SIGCONT)
        woken = time.monotonic()
        if fenced:
            assert old.wait().code == 2
            until(lambda: time.monotonic() - woken > LEASE + 1, "what it left to be over", LEASE + 5)
            assert scene.all_armed, scene.fleet.shares()
            assert new.process.ended is None
            journal = (scene.fleet.runs()[0] / "journal.jsonl").read_text(encoding="utf-8")
            assert "it went back to stable" in journal or "is over" in journal
            note("an old controller wakes up", "haproxy", "refused, journalled", None, scene.failed())
        else:
            until(lambda: not scene.all_armed, "the old one's revert to reach the new one's rollout")
            note("an old controller wakes up", "haproxy", "", None, 0, "it takes back the new one's rollout")
