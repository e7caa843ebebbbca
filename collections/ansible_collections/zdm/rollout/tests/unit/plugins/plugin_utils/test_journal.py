# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: each event on the disk before anything follows from it, or an error."""

from __future__ import annotations

import json
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils._journal import EVENTS, Journal, read


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "test" / "web" / "run")


def test_each_event_is_a_line_with_number_and_time(journal: Journal) -> None:
    before = datetime.now(timezone.utc) - timedelta(milliseconds=1)
    for event in EVENTS:
        journal.append(event, {"step": 1, "text": "two\nlines"})
    lines = journal.path.read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert [entry["event"] for entry in events] == list(EVENTS)
    assert [entry["seq"] for entry in events] == list(range(1, len(EVENTS) + 1))
    times = [datetime.fromisoformat(entry["time"]) for entry in events]
    span = [before, *times, datetime.now(timezone.utc)]
    assert span == sorted(span)
    assert all((entry["actor"], entry["version"], entry["text"]) == ("watch", 1, "two\nlines") for entry in events)
    assert read(journal.path) == events


def test_each_line_is_synced_before_the_next_is_written(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    sync = os.fsync

    def fsync(handle: int) -> None:
        assert os.path.samestat(os.fstat(handle), journal.path.stat())
        synced.append(len(read(journal.path)))
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    for event in EVENTS[:3]:
        journal.append(event, {})
    assert synced == [1, 2, 3]


def test_data_cannot_pass_itself_off_as_another_event(journal: Journal) -> None:
    journal.append("judged", {"seq": 99, "event": "finished", "actor": "verdict"})
    (entry,) = read(journal.path)
    assert (entry["seq"], entry["event"], entry["actor"]) == (1, "judged", "verdict")


def test_an_event_that_the_contract_does_not_know_is_not_written(journal: Journal) -> None:
    with pytest.raises(ValueError, match="'fired': expected one of planned, locked"):
        journal.append("fired", {})
    assert read(journal.path) == []


def test_only_its_owner_reads_it(journal: Journal) -> None:
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        Journal(tmp_path).append("planned", {})


@contextmanager
def room_for(length: int) -> Iterator[None]:
    """No file of this process can grow beyond this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_half_an_event_is_an_error_and_is_taken_off_again(journal: Journal) -> None:
    journal.append("planned", {})
    with (
        room_for(journal.path.stat().st_size + 10),
        pytest.raises(OSError, match="No space left on device"),
    ):
        journal.append("intended", {})
    journal.append("reverted", {})
    assert [entry["event"] for entry in read(journal.path)] == ["planned", "reverted"]
