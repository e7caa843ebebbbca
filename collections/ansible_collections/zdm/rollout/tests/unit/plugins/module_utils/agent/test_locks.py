# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks between real processes: who has one, and what becomes of one whose holder is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import locks
from ansible_collections.zdm.rollout.plugins.module_utils.agent.locks import Busy, Holder, Unlockable

#: Holds the lock until its stdin ends.
HOLD = (
    "import fcntl, sys\n"
    "stream = open(sys.argv[1], 'a')\n"
    "fcntl.flock(stream, fcntl.LOCK_EX)\n"
    "print('held', flush=True)\n"
    "sys.stdin.read()\n"
)
#: Seconds in which another process gives a lock back, with much to spare.
PATIENCE = 10.0


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "apply.lock")


@pytest.fixture
def other(path: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has the lock."""
    words = [sys.executable, "-c", HOLD, path]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def stop(process: subprocess.Popen[bytes]) -> None:
    """It is stopped once the kernel says so."""
    process.send_signal(signal.SIGSTOP)
    pid, status = os.waitpid(process.pid, os.WUNTRACED)
    assert (pid, os.WIFSTOPPED(status)) == (process.pid, True)


def test_one_has_it_and_the_next_is_told_who(path: str) -> None:
    assert locks.holder(path) is None
    handle = locks.take(path)
    assert handle is not None
    assert locks.take(path) is None
    found = locks.holder(path)
    assert found is not None
    assert (found.pid, found.stopped, str(found)) == (os.getpid(), False, "process %d" % os.getpid())
    os.close(handle)
    assert locks.holder(path) is None
    with locks.held(path, 0.0):
        assert locks.take(path) is None


def test_looking_makes_no_file(path: str) -> None:
    assert locks.holder(path) is None
    assert not Path(path).exists()


@pytest.mark.parametrize("whole", [False, True])
def test_one_that_others_moved_while_the_table_was_read_is_looked_for_again(
    path: str, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    """Where a thousand locks change hands, a table of several pages lacks one in thirty times."""
    table = locks._table
    looks: list[tuple[list[list[str]], bool]] = [([], whole)]
    monkeypatch.setattr(locks, "_table", lambda: looks.pop() if looks else table())
    found = locks.holder(path)
    if whole:
        assert found is None, "the control: a table of one page is of one moment"
    else:
        assert found is not None and found.pid == other.pid


def test_a_table_of_several_pages_is_known_as_one(
    path: str, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "CHUNK", 16)
    lines, whole = locks._table()
    assert not whole
    assert [line for line in lines if line[1] == "FLOCK" and line[4] == str(other.pid)]


def test_the_lock_of_a_killed_process_is_free(path: str, other: subprocess.Popen[bytes]) -> None:
    found = locks.holder(path)
    assert found is not None and (found.pid, found.stopped) == (other.pid, False)
    assert locks.take(path) is None
    other.kill()
    other.wait()
    with locks.held(path, 0.0):
        pass


def test_it_is_waited_for(path: str, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    assert other.stdin is not None
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        other.communicate()  # it ends by itself

    monkeypatch.setattr(time, "sleep", sleep)
    with locks.held(path, PATIENCE):
        assert waited


def test_a_holder_that_works_is_left_alone_and_named(path: str, other: subprocess.Popen[bytes]) -> None:
    with pytest.raises(Busy, match="apply.lock is held by process %d$" % other.pid), locks.held(path, 0.05):
        raise AssertionError("it is not reached")
    assert other.poll() is None


def test_a_holder_that_is_stopped_is_ended(path: str, other: subprocess.Popen[bytes]) -> None:
    stop(other)
    found = locks.holder(path)
    assert found is not None
    assert (found.stopped, str(found)) == (True, "process %d (stopped)" % other.pid)
    with locks.held(path, PATIENCE / 20):
        assert other.wait(PATIENCE) == -signal.SIGKILL


def test_nobody_is_ended_for_a_lock_on_another_disk(
    path: str, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's table has inodes only, and two disks may have the same."""
    stop(other)
    handle = locks.take(path + ".ours")
    stopped = Holder(other.pid, "T")
    monkeypatch.setattr(locks, "holder", lambda path: stopped)
    with pytest.raises(Busy, match="as far as can be seen"), locks.held(path + ".ours", 0.05):
        raise AssertionError("it is not reached")
    assert handle is not None
    os.close(handle)
    assert other.poll() is None


def test_one_of_another_user_is_named_where_it_may_not_be_ended(
    path: str, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop(other)

    def kill(pid: int, number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "kill", kill)
    said = r"process %d \(stopped\), of another user: end it" % other.pid
    with pytest.raises(Busy, match=said), locks.held(path, 0.05):
        raise AssertionError("it is not reached")


def test_one_that_has_just_ended_by_itself_is_no_error(
    path: str, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop(other)
    kill = os.kill

    def killed_twice(pid: int, number: int) -> None:
        kill(pid, number)
        other.wait()
        kill(pid, number)

    monkeypatch.setattr(os, "kill", killed_twice)
    with locks.held(path, 0.05):
        pass


def test_what_cannot_be_made_is_named(path: str) -> None:
    Path(path).parent.rmdir()
    with pytest.raises(Unlockable, match=r"lock .*apply\.lock cannot be opened: .*Errno"):
        locks.take(path)


def test_a_lock_that_is_there_can_be_had_on_a_disk_that_takes_nothing(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(path).touch()
    open_ = os.open

    def read_only(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_RDWR:
            raise OSError(30, "Read-only file system")
        return open_(path, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    with locks.held(path, 0.0):
        assert locks.take(path) is None
