# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks between processes on one host: who has one, and what becomes of one whose holder is stopped.

A process that was stopped (SIGSTOP, a debugger) keeps its locks and cannot be asked. Were it to go on later, it would
write to the router what was decided long ago; so whoever needs the lock ends it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from dataclasses import dataclass
from typing import Iterator, List, Optional, Tuple

AGAIN_SECONDS = 0.02
TABLE, CHUNK = "/proc/locks", 65536
#: A lock that is not in a table of several pages is looked for so often: others may have moved it between two of them.
LOOKS = 10


class Unlockable(Exception):
    """The lock's file can be neither opened nor made."""


class Busy(Exception):
    """Somebody else has it, and does not give it back in time."""


@dataclass(frozen=True)
class Holder:
    """A process that has a lock; ``state`` is the kernel's letter (T: stopped)."""

    pid: int
    state: str

    @property
    def stopped(self) -> bool:
        return self.state in ("T", "t")

    def __str__(self) -> str:
        return "process %d%s" % (self.pid, " (stopped)" if self.stopped else "")


def take(path: str) -> Optional[int]:
    """The lock's file descriptor, or None if somebody else has it; Unlockable."""
    handle = _open(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


@contextlib.contextmanager
def held(path: str, patience: float) -> Iterator[None]:
    """With the lock, waited for ``patience`` seconds; a holder that is stopped is then ended. Unlockable, Busy."""
    handle = _wait(path, patience)
    if handle is None:
        found = holder(path)
        if found is None or not found.stopped:
            raise Busy("%s is held by %s" % (path, found or "somebody"))
        if not _has_open(found.pid, path):
            raise Busy("%s is held by %s, as far as can be seen" % (path, found))
        try:
            os.kill(found.pid, signal.SIGKILL)
        except PermissionError:
            raise Busy("%s is held by %s, of another user: end it" % (path, found)) from None
        except ProcessLookupError:
            pass  # it has ended by itself
        handle = _wait(path, patience)
        if handle is None:
            raise Busy("%s is held by %s, which was ended" % (path, found))
    try:
        yield
    finally:
        os.close(handle)


def holder(path: str) -> Optional[Holder]:
    """Who has the lock, as the kernel says; None when nobody has it, or it does not say."""
    for dummy in range(LOOKS):
        try:
            wanted = os.stat(path).st_ino
            lines, whole = _table()
        except OSError:
            return None
        for line in lines:
            if line[1] == "FLOCK" and line[5].rpartition(":")[2] == str(wanted):
                return Holder(int(line[4]), _state(int(line[4])))
        if whole:
            break
    return None


def _table() -> Tuple[List[List[str]], bool]:
    """The kernel's table of locks, and whether it is of one moment: it is read in pages, and can change between two."""
    table = os.open(TABLE, os.O_RDONLY | os.O_CLOEXEC)
    pages = []
    try:
        while True:
            page = os.read(table, CHUNK)
            if not page:
                break
            pages.append(page)
    finally:
        os.close(table)
    return [line.split() for line in b"".join(pages).decode("ascii").splitlines()], len(pages) < 2


def _state(pid: int) -> str:
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def _has_open(pid: int, path: str) -> bool:
    """The kernel's table names a lock by its inode alone; nobody is ended for a lock on another disk."""
    directory = "/proc/%d/fd" % pid
    with contextlib.suppress(OSError):
        return any(os.path.samefile(os.path.join(directory, name), path) for name in os.listdir(directory))
    return False


def _wait(path: str, patience: float) -> Optional[int]:
    deadline = time.monotonic() + patience
    while True:
        handle = take(path)
        if handle is not None or time.monotonic() >= deadline:
            return handle
        time.sleep(AGAIN_SECONDS)


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        with contextlib.suppress(OSError):  # one that is there can be locked on a disk that takes nothing
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        raise Unlockable("lock %s cannot be opened: %s" % (path, error)) from None
