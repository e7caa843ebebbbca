# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record survives whatever happens while it is written; the locks beside it are the kernel's."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import (
    ARMED,
    HELD,
    IDLE,
    REVERTED,
    STUCK,
    Lease,
)
from ansible_collections.zdm.rollout.plugins.module_utils.agent.loan import Loan
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import HISTORY, Record, RecordError, Store

LEASE = Lease(
    state=ARMED,
    epoch=3,
    run="r1",
    owner="ann",
    release="v2",
    since="noon",
    stable="blue",
    canary="green",
    split={"blue": 75.0, "green": 25.0},
    reason="none yet",
    ended_by="person",
    ttl=5.0,
    on_expiry="hold",
)
RECORD = Record(
    environment="test",
    name="web",
    lease=LEASE,
    service={"name": "web"},
    router={"type": "fake"},
    terms={"ttl": 5.0, "on_expiry": "hold"},
    note={"step": 1},
    orders=({"verb": "abort", "by": "bob", "at": "noon"},),
    rollouts=({"run": "r0"},),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "state"))


def path_of(store: Store) -> Path:
    return Path(store.directory) / "test" / "web.json"


def test_what_was_saved_is_loaded(store: Store) -> None:
    assert store.load("test", "web") == Record(environment="test", name="web")
    store.save(RECORD)
    assert store.load("test", "web") == RECORD


def test_every_field_of_the_contract_is_in_the_file(store: Store) -> None:
    store.save(RECORD)
    keys = "version environment name service router epoch state owner run release since stable canary split reason"
    later = {"ended_by", "ttl", "on_expiry", "terms", "locked", "retired", "parked", "parked_for"}
    found = set(json.loads(path_of(store).read_text()))
    assert found == {*keys.split(), "note", "orders", "rollouts", *later}


def test_a_record_of_the_first_agents_is_read(store: Store) -> None:
    first = {
        key: value
        for key, value in RECORD.to_json().items()
        if key not in ("ended_by", "ttl", "on_expiry", "terms", "locked")
    }
    path_of(store).parent.mkdir(parents=True)
    path_of(store).write_text(json.dumps(first))
    found = store.load("test", "web")
    assert (found.lease.ended_by, found.lease.ttl, found.lease.on_expiry, found.terms) == ("", 10.0, "revert", {})
    assert found.locked is None


def test_a_loan_is_never_on_disk(store: Store) -> None:
    store.save(replace(RECORD, lease=replace(LEASE, loan=Loan.given(5.0, 1.0))))
    assert "loan" not in json.loads(path_of(store).read_text())
    assert store.load("test", "web") == RECORD


@pytest.mark.parametrize("instant", ["fsync", "rename"])
def test_after_a_crash_the_old_one_is_there_whole(store: Store, monkeypatch: pytest.MonkeyPatch, instant: str) -> None:
    store.save(RECORD)

    def crash(*arguments: Any) -> None:
        raise OSError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(os, instant, crash)
        with pytest.raises(RecordError, match=r"cannot be written: power cut; set zdm_router\.state"):
            store.save(replace(RECORD, note="new"))
    assert store.load("test", "web") == RECORD
    assert store.all() == [RECORD], "what the crash left behind is taken for a record"


def test_the_new_one_is_synced_before_it_takes_the_old_ones_place(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, rename = os.fsync, os.rename

    def synced(handle: int) -> None:
        done.append("directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        sync(handle)

    def renamed(old: str, new: str) -> None:
        done.append("rename")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    store.save(RECORD)
    assert done == ["file", "rename", "directory"]


def test_only_its_owner_comes_near_it_whatever_the_umask(store: Store) -> None:
    before = os.umask(0)
    try:
        with store.applying():
            store.save(RECORD)
    finally:
        os.umask(before)
    for path in (Path(store.directory), path_of(store).parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((Path(store.directory) / "apply.lock").stat().st_mode) == 0o600


def test_the_last_rollouts_are_kept_in_order() -> None:
    kept = RECORD
    for number in range(HISTORY + 5):
        kept = replace(kept, lease=replace(LEASE, run="r%d" % number)).ended("promoted", "later")
    assert HISTORY == 20  # contract
    assert [rollout["run"] for rollout in kept.rollouts] == ["r%d" % number for number in range(5, 25)]
    assert kept.orders == (), "an order of one rollout is not the next one's"


def test_the_history_says_what_the_contract_says() -> None:
    (rollout,) = replace(RECORD, rollouts=()).ended("rolled_back", "later").rollouts
    assert rollout == {
        "run": "r1",
        "owner": "ann",
        "release": "v2",
        "stable": "blue",
        "canary": "green",
        "outcome": "rolled_back",
        "reason": "none yet",
        "since": "noon",
        "until": "later",
    }


JUNK = {
    "no JSON": ("{", "cannot be read"),
    "no text": (b"\xff\xfe\x00", "cannot be read"),
    "too deep": ("[" * 99999, "cannot be read"),
    "a list": ("[]", "is not a record"),
    "no version": ("{}", "its version is None"),
    "a version that is none": ('{"version": "1"}', "its version is '1'"),
    "nothing but a version": ('{"version": 1}', "is not a record: KeyError 'environment'"),
    "a list of nothing": (json.dumps({**RECORD.to_json(), "orders": None}), "is not a record: TypeError"),
    "a newer one": ('{"version": 2, "brings": "more"}', "version 2, this agent knows 1: a newer agent wrote it"),
}


@pytest.mark.parametrize(("content", "because"), JUNK.values(), ids=JUNK)
def test_what_cannot_be_understood_is_named_with_the_way_out_and_left_alone(
    store: Store, content: str | bytes, because: str
) -> None:
    path = path_of(store)
    path.parent.mkdir(parents=True)
    data = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(data)
    for look in (lambda: store.load("test", "web"), store.all):
        with pytest.raises(RecordError) as error:
            look()
        assert because in str(error.value)
        assert str(path) in str(error.value)
        assert "move it away" in str(error.value) or "use that one" in str(error.value)
    assert path.read_bytes() == data


def test_a_service_is_found_without_reading_the_records_of_others(store: Store) -> None:
    store.save(RECORD)
    store.save(replace(RECORD, environment="live"))
    path_of(store).with_name("api.json").write_text("junk")
    assert store.environments("web") == ["live", "test"]
    assert store.environments("api") == ["test"]
    assert store.environments("db") == []


@pytest.mark.parametrize("said", ["", ".", "..", "../up", "a/b", "/etc", "-x", "web\n", "w\0", "\u00fc", "x" * 64])
def test_a_name_that_is_a_path_leads_nowhere(store: Store, said: str) -> None:
    for environment, name in ((said, "web"), ("test", said)):
        with pytest.raises(RecordError, match="no name of an environment or service"):
            store.load(environment, name)
        with pytest.raises(RecordError, match="no name of an environment or service"):
            store.save(replace(RECORD, environment=environment, name=name))
    assert not Path(store.directory).exists()


def test_all_is_every_record_and_nothing_else(store: Store) -> None:
    assert store.all() == []
    other = replace(RECORD, environment="live", name="api")
    store.save(RECORD)
    store.save(other)
    with store.applying():
        pass
    path_of(store).with_name("web.json.77.new").write_text("{")
    assert store.all() == [other, RECORD]


def test_while_one_applies_nobody_else_can(store: Store) -> None:
    with store.applying(), open(Path(store.directory) / "apply.lock") as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with open(Path(store.directory) / "apply.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("use", [lambda store: store.guard("session"), lambda store: store.save(RECORD)])
def test_a_state_directory_that_is_none_is_named_with_the_option_that_sets_it(tmp_path: Path, use: Any) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match=r"file.*set zdm_router\.state"):
        use(Store(str(tmp_path / "file" / "state")))


def test_where_no_lock_can_be_made_traffic_goes_back_all_the_same_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(str(tmp_path / "file"))
    with store.applying(for_return=True):
        pass
    with pytest.raises(RecordError, match=r"file.*set zdm_router\.state"), store.applying():
        raise AssertionError("it is not reached")


def test_the_store_of_a_router_is_where_its_definition_says() -> None:
    assert Store.of({"state": "/srv/zdm"}).directory == "/srv/zdm"
    assert Store.of({}).directory == Store.of({"state": ""}).directory == "/var/lib/zdm"


# --- the guard's lock


def test_there_is_one_guard_and_the_next_is_told(store: Store) -> None:
    assert store.guard_alive() is None
    guard = store.guard("resident")
    assert guard is not None
    assert store.guard("session") is None
    alive = store.guard_alive()
    assert alive is not None
    assert (alive.pid, alive.stopped) == (os.getpid(), False)
    assert (Path(store.directory) / "guard.lock").read_text() == "%d resident\n" % os.getpid()
    os.close(guard)
    assert store.guard_alive() is None


def test_a_guard_knows_that_its_directory_was_removed_or_made_anew(store: Store) -> None:
    guard = store.guard("session")
    assert guard is not None
    assert store.is_guard(guard)
    shutil.rmtree(store.directory)
    assert not store.is_guard(guard)
    assert not Path(store.directory).exists(), "looking makes nothing"
    other = store.guard("session")
    assert other is not None
    assert (store.is_guard(guard), store.is_guard(other)) == (False, True)
    os.close(guard)
    os.close(other)


# --- what a guard remembers, and what the disk says

LENT = replace(RECORD, lease=replace(LEASE, loan=Loan.given(5.0, 1.0)))
NOTED: dict[str, Any] = {"note": "new", "orders": ({"verb": "pause"},)}


def at(state: str, **other: Any) -> Record:
    return replace(RECORD, lease=replace(LEASE, state=state, **other), **NOTED)


def test_the_loan_is_the_guards_and_the_rest_the_disks(store: Store) -> None:
    store.save(at(ARMED, reason="new"))
    found = store.recall(LENT)
    assert found == replace(at(ARMED, reason="new"), lease=replace(LENT.lease, reason="new"))


@pytest.mark.parametrize("state", [REVERTED, HELD, IDLE])
def test_an_end_that_is_on_the_disk_is_heard(store: Store, state: str) -> None:
    store.save(at(state))
    assert store.recall(LENT) == at(state)


@pytest.mark.parametrize("remembered", [REVERTED, HELD, IDLE, STUCK])
def test_an_end_that_the_disk_did_not_take_is_remembered(store: Store, remembered: str) -> None:
    store.save(at(ARMED))
    ended = replace(LENT, lease=replace(LENT.lease, state=remembered))
    assert store.recall(ended) == replace(ended, **NOTED)


def test_a_debt_that_was_paid_is_heard(store: Store) -> None:
    store.save(at(REVERTED))
    assert store.recall(replace(LENT, lease=replace(LENT.lease, state=STUCK))).lease.state == REVERTED


@pytest.mark.parametrize("content", [None, "junk", json.dumps(RECORD.to_json()).replace('"epoch": 3', '"epoch": 2')])
def test_without_the_record_memory_is_enough(store: Store, content: str | None) -> None:
    if content:
        store.save(RECORD)
        path_of(store).write_text(content)
    assert store.recall(LENT) == LENT


@pytest.mark.parametrize("other", [{"epoch": 4}, {"run": "r2"}])
def test_another_guards_lease_is_not_ours_to_mind(store: Store, other: dict[str, Any]) -> None:
    store.save(at(ARMED, **other))
    found = store.recall(LENT)
    assert (found, found.lease.loan) == (at(ARMED, **other), None)


@pytest.mark.parametrize("name", ["", ".", "..", "../../etc/passwd", "/etc/passwd", "a" * 64, "web\n", ".hidden", "ü"])
def test_a_name_is_no_way_out_of_the_directory(tmp_path: Path, name: str) -> None:
    store = Store(str(tmp_path / "state"))
    for environment, service in ((name, "web"), ("test", name)):
        with pytest.raises(RecordError, match="is no name of an environment or service"):
            store.load(environment, service)
        with pytest.raises(RecordError, match="is no name of an environment or service"):
            store.save(Record(environment, service))
    assert not list(tmp_path.iterdir())


# --- many looks


@pytest.mark.parametrize(("age", "times"), [(10.0, 1), (0.0, 3)])
def test_a_file_that_did_not_change_is_parsed_once_when_its_time_says_so(
    store: Store, monkeypatch: pytest.MonkeyPatch, age: float, times: int
) -> None:
    """In the instant of its writing a file's time says nothing: it might be written again."""
    parsed: list[str] = []
    real = json.load

    def load(stream: Any) -> Any:
        parsed.append(stream.name)
        return real(stream)

    monkeypatch.setattr(json, "load", load)
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    store.save(RECORD)
    os.utime(path_of(store), (1000.0 - age, 1000.0 - age))
    assert [store.load("test", "web") for dummy in range(3)] == [RECORD] * 3
    assert len(parsed) == times


def test_each_writing_is_seen(store: Store) -> None:
    for note in range(20):
        store.save(replace(RECORD, note=note))
        assert store.load("test", "web").note == note


def test_root_writes_nothing_into_the_directory_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root is whoever the kernel says; that the directory is another's, it says of any number."""
    store = Store(str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    real = os.stat
    other = os.stat_result((0o40700, 1, 1, 2, 12345, 12345, 0, 0, 0, 0))
    monkeypatch.setattr(os, "stat", lambda path, **keys: other if str(path) == str(tmp_path) else real(path, **keys))
    with pytest.raises(RecordError, match="belongs to 12345, and this is root: do it as that user"), store.applying():
        pass
    assert list(tmp_path.iterdir()) == []
    assert store.guard_alive() is None, "to look is free"
