# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's log, a line for each request: how long the servers took.

Theory of operation. The user's own configuration writes the lines (contracts, section 1.2); they are read from a ring
over the runtime socket, from a file, or from a UDP port of 127.0.0.1. A thread follows them as long as somebody asks
for what it has counted; after IDLE_SECONDS without a question it ends, and the next question begins anew. HAProxy
gives whole milliseconds.

Where a line cannot be read it is passed over: a log has others too. A ring that ends (HAProxy was restarted) is
followed again from its new beginning.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from ._log_bins import bin_of
from ._log_file import LogFile
from .api import Bin, Unreachable

IDLE_SECONDS = 30.0
#: How long a source may be silent before the thread looks whether it is still wanted, in seconds.
LOOK_SECONDS = 0.2
#: Seconds until a source that is gone is opened anew.
AGAIN_SECONDS = 0.2
CHUNK, LONGEST = 65536, 1 << 20

#: Server's time in milliseconds of a request, its backend and server.
Line = Tuple[str, str, int]


def parse(line: str) -> Optional[Line]:
    """What one line says; None for one that says something else, or of a request without an answer."""
    _before, brace, rest = line.partition("{")
    try:
        said = json.loads(brace + rest)
        found = (str(said["b"]), str(said["s"]), int(said["tr"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if found[2] >= 0 else None


class Follower:
    """Counts the lines of one source. ``log`` is that of ``zdm_router``; ``path`` the runtime socket's."""

    def __init__(self, log: Mapping[str, Any], path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = _source(log, path)
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Dict[Tuple[str, str], Dict[Tuple[float, float], int]] = {}
        self._thread: Optional[threading.Thread] = None
        self._asked = 0.0
        self._failure = ""

    def times(self, backend: str, servers: List[str]) -> List[Bin]:
        """What these servers took, in the time that this follower runs. Unreachable where its source cannot be read."""
        with self._lock:
            self._asked = self._clock()
            if self._thread is None:
                self._counts = {}
                self._failure = ""
                self._thread = threading.Thread(target=self._follow, daemon=True)
                self._thread.start()
            if self._failure:
                raise Unreachable(self._failure)
            total: Dict[Tuple[float, float], int] = {}
            for server in servers:
                for place, count in self._counts.get((backend, server), {}).items():
                    total[place] = total.get(place, 0) + count
        return [(low, high, count) for (low, high), count in sorted(total.items())]

    def _follow(self) -> None:
        while self._is_wanted():
            try:
                for line in self._source(self._is_wanted):
                    self._count(line)
            except OSError as error:
                with self._lock:
                    self._failure = "HAProxy's log cannot be read: %s" % error
            time.sleep(AGAIN_SECONDS)

    def _is_wanted(self) -> bool:
        with self._lock:
            if self._clock() - self._asked < IDLE_SECONDS:
                return True
            self._thread = None
            return False

    def _count(self, text: bytes) -> None:
        line = parse(text.decode("utf-8", "replace"))
        with self._lock:
            self._failure = ""
            if line is not None:
                backend, server, milliseconds = line
                bins = self._counts.setdefault((backend, server), {})
                place = bin_of(milliseconds)
                bins[place] = bins.get(place, 0) + 1


Wanted = Callable[[], bool]
#: Yields lines as long as they are wanted; OSError, or an end, where there are no more for now.
Source = Callable[[Wanted], Iterator[bytes]]


def _source(log: Mapping[str, Any], path: str) -> Source:
    if log.get("ring"):
        return lambda wanted: _of_ring(path, str(log["ring"]), wanted)
    if log.get("file"):
        return lambda wanted: _of_file(str(log["file"]), wanted)
    return lambda wanted: _of_port(int(log["udp"]), wanted)


def _lines(read: bytes) -> Tuple[List[bytes], bytes]:
    """The whole lines of what was read, and what is left; of one without end no more than LONGEST."""
    *lines, rest = read.split(b"\n")
    return lines, rest[-LONGEST:]


def _of_ring(path: str, ring: str, wanted: Wanted) -> Iterator[bytes]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(LOOK_SECONDS)
        connection.connect(path)
        connection.sendall(("show events %s -w -n\n" % ring).encode())
        first, rest = b"", b""
        while wanted():
            try:
                chunk = connection.recv(CHUNK)
            except socket.timeout:
                continue
            if not chunk:  # it was idle for too long, or HAProxy has ended
                if first and b"{" not in first:
                    raise OSError("ring %s: %s" % (ring, first.decode("utf-8", "replace").strip()))
                return
            first = first or chunk
            lines, rest = _lines(rest + chunk)
            yield from lines


def _of_file(path: str, wanted: Wanted) -> Iterator[bytes]:
    """From the end of the file that is there, through its rotation."""
    file = LogFile(path)
    try:
        while wanted():
            for lines in file.read():
                yield from lines.splitlines()
            time.sleep(LOOK_SECONDS)
    finally:
        file.close()


def _of_port(port: int, wanted: Wanted) -> Iterator[bytes]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.settimeout(LOOK_SECONDS)
        listener.bind(("127.0.0.1", port))
        while wanted():
            with contextlib.suppress(socket.timeout):
                yield listener.recv(CHUNK)
