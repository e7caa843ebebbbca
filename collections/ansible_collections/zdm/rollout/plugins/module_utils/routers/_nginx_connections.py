# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TCP connections that a process has, as ``/proc`` tells them: which clients keep an old worker alive."""

from __future__ import annotations

import os
import socket
import struct
from typing import Iterator, List, NamedTuple, Set

ESTABLISHED, LISTENING = "01", "0A"
#: Of a pool whose connections shall be ended.
NO_CLOSE = "nginx has no order that ends what is under way at pool %s: it goes on until it or its member ends"


class _Socket(NamedTuple):
    inode: str
    state: str
    port: int
    peer: str


def listened(proc: str, pid: int) -> Set[int]:
    """The ports at which this process listens; none where its files may not be seen."""
    return {each.port for each in _of(proc, pid) if each.state == LISTENING}


def clients(proc: str, pid: int, ports: Set[int]) -> List[str]:
    """Who is connected to this process at one of these ports (address:port). Where it is nobody, everybody that it is
    connected with: a port that is listened at no more."""
    found = [each for each in _of(proc, pid) if each.state == ESTABLISHED]
    return sorted(each.peer for each in [each for each in found if each.port in ports] or found)


def _of(proc: str, pid: int) -> List[_Socket]:
    table = {each.inode: each for name in ("tcp", "tcp6") for each in _table("%s/%d/net/%s" % (proc, pid, name))}
    return [table[inode] for inode in _inodes("%s/%d/fd" % (proc, pid)) if inode in table]


def _inodes(directory: str) -> Iterator[str]:
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in names:
        try:
            target = os.readlink(os.path.join(directory, name))
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[len("socket:[") : -1]


def _table(path: str) -> Iterator[_Socket]:
    """The lines of ``/proc/net/tcp``: number, local, remote, state … inode (the tenth word)."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            lines = file.read().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        words = line.split()
        yield _Socket(words[9], words[3], int(words[1].rpartition(":")[2], 16), _endpoint(words[2]))


def _endpoint(text: str) -> str:
    """``0100007F:1F90`` is 127.0.0.1:8080: each four bytes are a number as this machine has numbers."""
    address, dummy, port = text.partition(":")
    packed = b"".join(struct.pack("=I", int(address[at : at + 8], 16)) for at in range(0, len(address), 8))
    if len(packed) == 4:
        return "%s:%d" % (socket.inet_ntop(socket.AF_INET, packed), int(port, 16))
    shown = socket.inet_ntop(socket.AF_INET6, packed)
    shown = shown[len("::ffff:") :] if shown.startswith("::ffff:") else "[%s]" % shown
    return "%s:%d" % (shown, int(port, 16))
