# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Journals and outcomes of version 1 are read; a newer version of one is refused (the unit tests of _records.py)."""

from __future__ import annotations

import json
import tarfile
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils import _records
from ansible_collections.zdm.rollout.plugins.plugin_utils._journal import EVENTS
from tests.support.fleet import Fleet
from tests.upgrades.frozen import RUNS, VERSION1, text, words

#: How often the journal of each run counts what both pools had.
COUNTED = {"promoted": 2, "turned-back": 1}
LATER = {"version": 1, "seq": 99, "time": "2026-11-30T20:00:00.000+00:00", "actor": "somebody", "event": "resumed"}


def journal(run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text("runs/%s/journal.jsonl" % run).splitlines()]


@pytest.mark.parametrize("run", RUNS)
def test_a_journal_of_version_1_is_read_whatever_else_is_in_it(run: str) -> None:
    events = journal(run)
    assert {event["version"] for event in events} == {1}
    assert {event["event"] for event in events} <= set(EVENTS)
    ticks = _records.read(text("runs/%s/journal.jsonl" % run), run)
    assert len(ticks) == COUNTED[run]
    assert {tick.weight for tick in ticks} == {25.0}
    last = [event["counted"] for event in events if "counted" in event][-1]
    assert [sum(tick.canary.requests for tick in ticks), sum(tick.stable.requests for tick in ticks)] == [
        last["canary"][0],
        last["stable"][0],
    ]
    with_later = [line for event in events for line in (LATER, {**event, "brought": {"by": "a later release"}})]
    assert _records.read("\n".join(map(json.dumps, with_later)), run) == ticks


def test_backtest_and_bundle_take_a_run_of_version_1() -> None:
    with Fleet() as fleet:
        tested = fleet.play("backtest", "-e", "zdm_records=%s" % (VERSION1 / "runs/turned-back/journal.jsonl"))
        assert tested.code == 0, tested.output
        assert "zdm: never; 0 of canary's 100 requests had failed" in words(tested.output)
        for run in RUNS:
            directory = fleet.directory / "zdm" / "test" / "web" / run
            directory.mkdir(parents=True)
            for file in (VERSION1 / "runs" / run).iterdir():
                (directory / file.name).write_bytes(file.read_bytes())
        bundled = fleet.play("bundle", "-e", "zdm_bundle=%s" % (fleet.directory / "bundle.tar.gz"))
        assert bundled.code == 0, bundled.output
        with tarfile.open(fleet.directory / "bundle.tar.gz") as tar:
            names = tar.getnames()
    for run in RUNS:
        assert {"runs/%s/journal.jsonl" % run, "runs/%s/outcome.json" % run} <= set(names)
