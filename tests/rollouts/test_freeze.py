# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A freeze: what brings a release forward is refused, looking at it and going back are not."""

from __future__ import annotations

from tests.support.fleet import Fleet

ALWAYS = {"from": "2020-01-01", "to": "2999-12-31", "reason": "end of the year"}


def test_no_rollout_starts_unless_somebody_says_why(fleet: Fleet) -> None:
    fleet.spec.update(freeze=[ALWAYS], steps=[{"weight": 50}, {"weight": 100}], checks={})
    frozen = fleet.play("rollout")
    assert frozen.code == 2
    assert "until 3000-01-01 00:00 UTC: end of the year" in " ".join(frozen.output.split())
    assert (fleet.shares(), fleet.runs()) == ([0.0], [])
    planned = fleet.play("rollout", "--check", log="plan.log")
    assert planned.code == 0, planned.output
    assert "it would not start now" in planned.output
    assert fleet.play("status", log="status.log").code == 0
    lifted = fleet.play("rollout", "-e", "zdm_unfreeze='a hole in the wall'")
    assert lifted.code == 0, lifted.output
    assert fleet.shares() == [100.0]
    (remark,) = [event["remark"] for event in fleet.events() if "remark" in event]
    assert "end of the year" in remark and "lifted: a hole in the wall" in remark
    back = fleet.play("undo", log="undo.log")
    assert back.code == 0, back.output
    assert fleet.shares() == [0.0]
