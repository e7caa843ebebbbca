# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads on a router of the rollout that holds it; ``tests/agent`` has the rest, at a real proxy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.description import described
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import ARMED, IDLE, Lease
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Record

NOTE = {"step": 1, "of": 4, "state": "running", "held": 4.0, "said": "held 4 s of 300 s; canary fails 0.00 % of 212"}
RECORD = Record(
    environment="test",
    name="web",
    lease=Lease(state=ARMED, epoch=1, run="r1", stable="blue", canary="green"),
    service={"name": "web"},
    note=NOTE,
)


def lines(record: Record) -> list[str]:
    return [line.strip() for line in described(record, None, None, "no socket")]


def test_how_the_step_goes_is_what_the_watch_said_at_last() -> None:
    assert "step 2 of 4, running: held 4 s of 300 s; canary fails 0.00 % of 212" in lines(RECORD)


def test_a_rollout_that_is_over_has_no_step() -> None:
    over = replace(RECORD, lease=Lease(state=IDLE, epoch=1))
    assert not [line for line in lines(over) if line.startswith("step ")]


@pytest.mark.parametrize(
    "note", [None, "late", {"step": 1}, {**NOTE, "said": ["no text"]}, {**NOTE, "step": "2"}, {**NOTE, "said": ""}]
)
def test_a_note_of_another_release_is_not_read(note: Any) -> None:
    said = lines(replace(RECORD, note=note))
    assert not [line for line in said if line.startswith("step ")]
    assert "to end it safely, on this router: zdm-agent revert web" in said


def test_it_cannot_do_anything_to_a_terminal() -> None:
    said = lines(replace(RECORD, note={**NOTE, "said": "\x1b[2Jall is well\n"}))
    assert "step 2 of 4, running: [2Jall is well" in said
