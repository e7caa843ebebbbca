# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Free ports of 127.0.0.1 that no other test takes, nor the kernel for a connection of its own.

They lie below the range that Linux gives to outgoing connections, and each is held by a lock file for the life of the
process, so that tests which run at the same time in several processes never get the same one.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile

RANGE = range(12000, 32000)

_held: list[int] = []


def free_port() -> int:
    """A port that nobody listens on now and no other caller of this function gets."""
    directory = os.path.join(tempfile.gettempdir(), "zdm-test-ports-%d" % os.getuid())
    os.makedirs(directory, exist_ok=True)
    for port in random.sample(RANGE, 200):
        lock = os.open(os.path.join(directory, str(port)), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        if _can_listen(port):
            _held.append(lock)
            return port
        os.close(lock)
    raise RuntimeError("no free port on 127.0.0.1 among 200 tried of %d-%d" % (RANGE.start, RANGE.stop - 1))


def _can_listen(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
