# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to the guard: lines in, lines out, and never a wait for a peer that is slow.

What the peer does not read is kept, up to a limit; above half of it nothing more is read from the peer. One that is
slower than that, or sends a line without an end, is cut off: others have their leases here too.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from typing import Iterator, List

from . import protocol

READ_BYTES = 65536
#: How many bytes of replies are kept for a peer that does not read.
UNREAD_LIMIT = 4 * 1024 * 1024


class Gone(Exception):
    """The connection is over; the text says how."""


class Connection:
    """Over a socket that was accepted. ``send`` may be called from any thread."""

    def __init__(self, peer: socket.socket) -> None:
        self.socket = peer
        self.socket.setblocking(False)
        self._read = b""
        self._unread = bytearray()
        self._sending = threading.Lock()

    def receive(self) -> List[str]:
        """The lines that came; Gone when no more will."""
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return []
        except OSError as error:
            raise Gone("it broke: %s" % error) from None
        if not data:
            raise Gone("the other side ended it")
        lines = (self._read + data).split(b"\n")
        self._read = lines.pop()
        if len(self._read) > protocol.LINE_LIMIT:
            raise Gone("it sent a line without an end")
        return [line.decode("utf-8", "replace") for line in lines if line.strip()]

    def send(self, line: str) -> None:
        """Queue a reply; it goes out with the next ``flush``."""
        with self._sending:
            self._unread += line.encode("utf-8")

    def flush(self) -> None:
        """Send what the peer takes now; Gone when it is gone, or too slow."""
        with self._sending:
            try:
                while self._unread:
                    sent = self.socket.send(self._unread[:READ_BYTES])
                    del self._unread[:sent]
            except BlockingIOError:
                pass
            except OSError as error:
                raise Gone("it broke: %s" % error) from None
            if len(self._unread) > UNREAD_LIMIT:
                raise Gone("it does not read its replies")

    @property
    def unread(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._unread)

    @property
    def takes_more(self) -> bool:
        """Whether the peer reads fast enough to be asked for more."""
        return len(self._unread) < UNREAD_LIMIT // 2


def is_ours(peer: socket.socket) -> bool:
    """Whether the process at the other end runs as the guard's own user, or as root."""
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    dummy, user, dummy = struct.unpack("3i", credentials)
    return user in (0, os.geteuid())


@contextlib.contextmanager
def address(directory: str, name: str) -> Iterator[str]:
    """The path of a socket in a directory. The kernel takes 107 bytes; a longer one goes by the directory's handle."""
    path = os.path.join(directory, name)
    if len(os.fsencode(path)) <= 107:
        yield path
        return
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield "/proc/self/fd/%d/%s" % (handle, name)
    finally:
        os.close(handle)
