# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the guard of a state directory is, as it is seen from outside."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils._guard_lock import holder, living

#: Writes its lock file, takes the lock, says so, and lives until its standard input ends.
LIFE = """
import fcntl, os, sys
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
os.write(lock, sys.argv[2].replace("PID", str(os.getpid())).encode())
print(os.getpid(), flush=True)
sys.stdin.read()
"""


@contextmanager
def life(path: Path, text: str) -> Iterator[int]:
    """A process that has the lock, as long as it is needed; its process id."""
    command = [sys.executable, "-c", LIFE, str(path), text]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("PID resident\n", "resident"),
        ("PID session\n", "session"),
        ("PID guardian\n", "none"),
        ("PID\n", "none"),
        ("", "none"),
        ("1 resident\n", "none"),
    ],
    ids=["resident", "session", "unknown", "an older one", "not written yet", "what another one left"],
)
def test_a_guard_that_lives_says_what_it_is(tmp_path: Path, text: str, kind: str) -> None:
    with life(tmp_path / "guard.lock", text) as pid:
        found = holder(str(tmp_path))
        assert found is not None and found.pid == pid
        assert living(str(tmp_path)) == kind


def test_a_guard_that_is_dead_is_none_whatever_it_left(tmp_path: Path) -> None:
    with life(tmp_path / "guard.lock", "PID resident\n"):
        assert living(str(tmp_path)) == "resident", "the control"
    assert (tmp_path / "guard.lock").read_text().endswith("resident\n")
    assert (living(str(tmp_path)), holder(str(tmp_path))) == ("none", None)


def test_looking_makes_nothing_and_takes_nothing(tmp_path: Path) -> None:
    assert living(str(tmp_path / "zdm")) == "none"
    assert not (tmp_path / "zdm").exists()
    lock = tmp_path / "guard.lock"
    lock.write_text(f"{os.getpid()} resident\n")
    before = lock.stat()
    with lock.open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # looking does not wait for it
        assert living(str(tmp_path)) == "resident"
    assert (lock.stat().st_mtime_ns, lock.stat().st_size) == (before.st_mtime_ns, before.st_size)
