# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record survives whatever happens while it is written; the locks beside it are the kernel's."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import ARMED, Lease
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
)
RECORD = Record(
    environment="test",
    name="web",
    lease=LEASE,
    service={"name": "web"},
    router={"type": "fake"},
    note={"step": 1},
    orders=({"verb": "abort", "by": "bob", "at": "noon"},),
    rollouts=({"run": "r0"},),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "state"))


def held(store: Store, name: str = "web") -> int:
    holder = store.hold("test", name)
    assert holder is not None
    return holder


def path_of(store: Store) -> Path:
    return Path(store.directory) / "test" / "web.json"


def test_what_was_saved_is_loaded(store: Store) -> None:
    assert store.load("test", "web") == Record(environment="test", name="web")
    store.save(RECORD)
    assert store.load("test", "web") == RECORD


def test_every_field_of_the_contract_is_in_the_file(store: Store) -> None:
    store.save(RECORD)
    keys = "version environment name service router epoch state owner run release since stable canary split reason"
    assert set(json.loads(path_of(store).read_text())) == {*keys.split(), "note", "orders", "rollouts"}


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


def test_all_is_every_record_and_nothing_else(store: Store) -> None:
    assert store.all() == []
    other = replace(RECORD, environment="live", name="api")
    store.save(RECORD)
    store.save(other)
    os.close(held(store))
    path_of(store).with_name("web.json.77.new").write_text("{")
    assert store.all() == [other, RECORD]


def test_one_holds_and_the_next_is_told(store: Store) -> None:
    holder = held(store)
    assert store.hold("test", "web") is None
    os.close(held(store, "api"))
    os.close(holder)
    os.close(held(store))


def test_the_hold_of_a_killed_process_is_over(store: Store) -> None:
    lock = Path(store.directory) / "test.web.holder"
    os.close(held(store))
    program = (
        "import fcntl, sys\n"
        "stream = open(sys.argv[1])\n"
        "fcntl.flock(stream, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert store.hold("test", "web") is None
        other.kill()
        other.wait()
    os.close(held(store))


def test_while_one_applies_nobody_else_can(store: Store) -> None:
    with store.applying(), open(Path(store.directory) / "apply.lock") as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with open(Path(store.directory) / "apply.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("use", [lambda store: store.hold("test", "web"), lambda store: store.save(RECORD)])
def test_a_state_directory_that_is_none_is_named_with_the_option_that_sets_it(tmp_path: Path, use: Any) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match=r"file.*set zdm_router\.state"):
        use(Store(str(tmp_path / "file" / "state")))


def test_the_store_of_a_router_is_where_its_definition_says() -> None:
    assert Store.of({"state": "/srv/zdm"}).directory == "/srv/zdm"
    assert Store.of({}).directory == Store.of({"state": ""}).directory == "/var/lib/zdm"
