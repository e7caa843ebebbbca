# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backtest as people run it: on the journal of a rollout that was, and on a fault that is put in."""

from __future__ import annotations

import json

from ansible_collections.zdm.rollout.plugins.plugin_utils import _records
from tests.support.fleet import Fleet


def test_the_journal_of_a_rollout_and_a_fault(fleet: Fleet) -> None:
    fleet.spec["steps"] = [{"weight": 25, "hold": "14s"}, {"weight": 100}]
    before = {name: member.count()["requests"] for name, member in fleet.members.items()}
    ended = fleet.play("rollout")
    assert ended.code == 0, ended.output
    journal = fleet.runs()[-1] / "journal.jsonl"

    ticks = _records.read(journal.read_text(encoding="utf-8"), "journal")
    assert len(ticks) >= 2
    assert {tick.weight for tick in ticks} == {25.0}
    had = sum(tick.canary.requests for tick in ticks)
    assert 0 < had <= fleet.members["green"].count()["requests"] - before["green"]
    ended = fleet.play("backtest", "-e", f"zdm_records={journal}")
    assert ended.code == 0, ended.output
    assert "zdm: never; 0 of canary's %d requests had failed" % had in " ".join(ended.output.replace("''", "'").split())

    fault = {"zdm_generate": {"rate": 400, "bad": 20, "duration": "10m", "onset": "2m"}}
    ended = fleet.play("backtest", "-e", json.dumps(fault))
    assert ended.code == 0, ended.output
    said = " ".join(ended.output.replace("''", "'").split())
    assert "zdm: after 2m" in said
    assert "Argo Rollouts' defaults (5m, 95 %, 4 times): never" in said

    ended = fleet.play("backtest")
    assert ended.code == 2
    assert "records and generate: expected one of them" in " ".join(ended.output.split())
