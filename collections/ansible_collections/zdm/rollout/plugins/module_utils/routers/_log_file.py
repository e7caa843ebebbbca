# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A log file that another program writes: its lines from now on, through rotation. What a line says is nothing of
this file.

Theory of operation. The first look begins at the file's end. Each further one reads what came since, whole lines only:
the beginning of a line waits for its rest.

Rotation by rename: a writer goes on with the old file until it opens the new one, and several do so one after the
other. So the old file is read on, beside the new one, until nothing has come for LINGER_SECONDS. A file that is gone
for a moment is waited for. Two rotations between two looks lose what stood in the file between them.

Rotation by truncation (copytruncate): the last bytes that were read no longer stand where they stood, so it is noticed
even when the file has grown beyond that place again, and it is read from its beginning. What was written after the
last look and before the truncation is lost; a file renamed loses nothing.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import Callable, Iterator, List, Optional

#: How much is read at once; a line that is longer comes in pieces, of which only the last has an end.
BLOCK = 1 << 20
#: So many of the last bytes that were read are compared: more than one line, which has its time in it.
MARK = 512
#: How long a file that was renamed may be silent before nobody writes to it any more, in seconds.
LINGER_SECONDS = 60.0

#: Says whether a file may be followed, by raising what it likes; called with every look.
Examine = Callable[[os.stat_result], None]


def _any(dummy: os.stat_result) -> None:
    pass


class LogFile:
    """The lines that come to ``path``. Not for several threads at once."""

    def __init__(self, path: str, examine: Examine = _any, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._examine = examine
        self._clock = clock
        self._opened: List[_Opened] = []  # by age; the last one had the name when it was last looked at

    def read(self) -> Iterator[bytes]:
        """Blocks of whole lines that came since the last look; the first look yields none.

        OSError where a file cannot be read, also where none was there yet, and whatever ``examine`` raises.
        """
        if not self._opened:
            newest = self._open(self._path)
            newest.seek_end()
            self._opened.append(newest)
            return
        # The old ones first. What comes to the old one while the new one is read comes with the next look.
        for one in self._opened:
            yield from one.read(self._clock())
        newest_or_none = self._successor()
        if newest_or_none is not None:
            self._opened.append(newest_or_none)
            yield from newest_or_none.read(self._clock())
        self._leave_silent()

    def close(self) -> None:
        """The next look is a first one."""
        for one in self._opened:
            one.close()
        self._opened = []

    def _open(self, path: str) -> _Opened:
        one = _Opened(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), self._examine, self._clock())
        with ExitStack() as opened:
            opened.callback(one.close)
            one.stat()
            opened.pop_all()
        return one

    def _successor(self) -> Optional[_Opened]:
        """The file that has the name now, where it is none of those that are open."""
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return None  # it was moved, and its successor is not there yet
        for index, one in enumerate(self._opened):
            if os.path.samestat(one.stat(), there):
                self._opened.append(self._opened.pop(index))
                return None
        try:
            return self._open(self._path)
        except FileNotFoundError:
            return None

    def _leave_silent(self) -> None:
        *old, newest = self._opened
        silent = [one for one in old if self._clock() - one.grown_at >= LINGER_SECONDS]
        for one in silent:
            one.close()
        self._opened = [one for one in old if one not in silent] + [newest]


class _Opened:
    """One file. ``grown_at``: when lines last came, on the monotonic clock."""

    def __init__(self, handle: int, examine: Examine, t: float) -> None:
        self._handle = handle
        self._examine = examine
        self._position = 0  # always the beginning of a line, but within one that is longer than a block
        self._mark = b""
        self.grown_at = t

    def close(self) -> None:
        os.close(self._handle)

    def stat(self) -> os.stat_result:
        stat = os.fstat(self._handle)
        self._examine(stat)
        return stat

    def seek_end(self) -> None:
        """Go to the end of the last whole line."""
        size = self.stat().st_size
        start = max(0, size - BLOCK)
        before = os.pread(self._handle, size - start, start)
        end = before.rfind(b"\n") + 1
        self._position, self._mark = start + end, before[:end][-MARK:]

    def read(self, t: float) -> Iterator[bytes]:
        """What came up to now; not what comes while it is read, or a busy writer would never let it end."""
        size = self.stat().st_size
        while True:
            wanted = len(self._mark) + min(BLOCK, max(0, size - self._position))
            read = os.pread(self._handle, wanted, self._position - len(self._mark))
            if not read.startswith(self._mark):  # it was cut
                self._position, self._mark, size = 0, b"", self.stat().st_size
                continue
            end = read.rfind(b"\n") + 1
            if end <= len(self._mark):
                if len(read) < len(self._mark) + BLOCK:
                    return
                end = len(read)
            lines = read[len(self._mark) : end]
            self._position += len(lines)
            self._mark = read[:end][-MARK:]
            self.grown_at = t
            yield lines
            if self._position >= size:
                return
