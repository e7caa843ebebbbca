# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``--stdio``: a controller's connection, carried to the guard of this host; one is started where there is none.

Theory of operation. The guard outlives the connection, so it is a process of its own: in a session of its own, with no
stream of ours, in no directory. Bytes are carried as they come. Where no guard can be started, or the one that is there
does not answer (it is stopped, or hangs), the connection is served here: then nothing is lent any more, and all that
brings traffic back is still done.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from typing import Callable, List, Optional

from . import protocol
from .connection import address
from .kinds import GREETING, SESSION, SOCKET
from .record import RecordError, Store

#: How long a guard may take to begin, and one that is there to greet, in seconds.
BEGIN_SECONDS, GREET_SECONDS, AGAIN_SECONDS = 10.0, 2.0, 0.01
#: A guard that takes nothing for so long is stopped, or hangs.
TAKE_SECONDS = 10.0
CHUNK = 65536

GUARD_IS_GONE = 3


class NoGuard(Exception):
    """There is no guard that answers; the text says why."""


def serve(store: Store, program: List[str], log: Callable[[str], None], digest: str) -> int:
    """Carry this process's stdin and stdout; the exit code of the contract. ``program`` starts a guard."""
    for ignored in (signal.SIGHUP, signal.SIGINT):  # of a terminal; the controller's own end is the end of stdin
        signal.signal(ignored, signal.SIG_IGN)
    try:
        guard = reach(store, program)
    except NoGuard as error:
        log("served without a guard: %s" % error)
        return _serve_here(store, log, digest, str(error))
    with guard:
        return carry(0, 1, guard)


def reach(store: Store, program: List[str]) -> socket.socket:
    """A connection to the guard, which is started where there is none; NoGuard."""
    begun: Optional[subprocess.Popen[bytes]] = None
    deadline = time.monotonic() + BEGIN_SECONDS
    while True:
        found = _connect(store)
        if found is not None:
            return found
        if begun is None:
            begun = _begin(store, program)
        elif begun.poll() == 0:
            begun = None  # another one was there, and may be ending just now
        elif begun.poll() is not None:
            raise NoGuard(
                "a guard was started and ended with %s: see agent.log in %s" % (begun.poll(), store.directory)
            )
        if time.monotonic() >= deadline:
            raise NoGuard("a guard was started and did not begin within %g s" % BEGIN_SECONDS)
        time.sleep(AGAIN_SECONDS)


def _connect(store: Store) -> Optional[socket.socket]:
    """The guard's socket once it has greeted; None where nobody listens; NoGuard where somebody does and is silent."""
    guard = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    guard.settimeout(GREET_SECONDS)
    try:
        with address(store.directory, SOCKET) as path:
            guard.connect(path)
        if guard.recv(1) == GREETING:
            guard.settimeout(None)
            return guard
    except socket.timeout:
        guard.close()
        raise NoGuard("%s does not answer" % (store.guard_alive() or "the guard")) from None
    except OSError:
        pass  # nobody listens, or the one who did has just ended
    guard.close()
    return None


def _begin(store: Store, program: List[str]) -> subprocess.Popen[bytes]:
    try:
        os.makedirs(store.directory, mode=0o700, exist_ok=True)
        with open(os.path.join(store.directory, "agent.log"), "ab") as complaints:
            return subprocess.Popen(
                [*program, "--guard", SESSION],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                start_new_session=True,
                close_fds=True,
                cwd="/",
            )
    except OSError as error:
        raise NoGuard("a guard cannot be started: %s" % error) from None


def carry(source: int, sink: int, guard: socket.socket) -> int:
    """Bytes both ways until one side ends; which one, as an exit code."""
    guard.settimeout(TAKE_SECONDS)
    with selectors.DefaultSelector() as selector:
        selector.register(source, selectors.EVENT_READ)
        selector.register(guard, selectors.EVENT_READ)
        while True:
            for key, dummy in selector.select():
                try:
                    data = guard.recv(CHUNK) if key.fileobj is guard else os.read(source, CHUNK)
                except OSError:
                    data = b""
                if not data and key.fileobj is not guard:
                    return 0
                if not data:
                    sys.stderr.write("zdm-agent: the guard on this host is gone\n")
                    return GUARD_IS_GONE
                try:
                    if key.fileobj is not guard:
                        guard.sendall(data)
                    else:
                        _write(sink, data)
                except OSError:
                    return 0 if key.fileobj is guard else GUARD_IS_GONE


def _write(sink: int, data: bytes) -> None:
    while data:
        data = data[os.write(sink, data) :]


def _serve_here(store: Store, log: Callable[[str], None], digest: str, why: str) -> int:
    """No lease is taken here, so the end of the connection owes nothing."""
    from .guard import here

    session = here(store, log, digest, why)
    with contextlib.suppress(BrokenPipeError, RecordError), open(0, "rb", closefd=False) as source:
        while True:
            line = source.readline(protocol.LINE_LIMIT + 2)
            if not line:
                return 0
            if line.strip():
                _write(1, session.answer(line.decode("utf-8", "replace")).encode("utf-8"))
    return 0
