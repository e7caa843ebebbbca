# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard: the one process on a router's host that minds its leases, whoever started it.

Theory of operation. One thread, one loop: connections come over a Unix socket that only its owner can open, their
requests are answered in turn (a probe may take seconds and has a thread of its own), and ten times a second the
tenures tick as long as there is something to mind. A ``session`` guard is started by the first connection and ends
when nobody is connected and nothing is left to mind; a ``resident`` one is started by systemd and stays. It begins by
bringing to its end whatever a guard before it left behind; told to end, or at a defect of its own, it takes back
what is on loan before it goes.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import threading
import time
from typing import Any, Callable, Dict, List, Mapping

from .. import _notify
from . import protocol, service_manager
from .clock import now
from .connection import Connection, Gone, address, is_ours
from .gate import Gate
from .kinds import GREETING, NONE, RESIDENT, SESSION, SOCKET
from .record import Record, Store
from .session import Session
from .tenure import Means
from .tenures import Tenures

TICK_SECONDS = 0.1
#: How long a session guard waits for its first connection, and how long a guard that ends tries to take things back.
FIRST_SECONDS, END_SECONDS = 10.0, 60.0
#: How many probes are under way at once (a controller asks for one a member and check), and how many connections.
MOST_PROBES, MOST_CONNECTIONS = 64, 256


def boottime() -> float:
    """Seconds since boot, on a clock that runs on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Guard:
    """Minds the leases in ``store``. ``log`` takes lines for people."""

    def __init__(self, store: Store, kind: str, log: Callable[[str], None], digest: str = "") -> None:
        self.kind = kind
        self._store = store
        self._log = log
        self._digest = digest
        self.tenures = Tenures(Means(store, Gate(), boottime, now, log, self._page))
        self._selector = selectors.DefaultSelector()
        self._sessions: Dict[Connection, Session] = {}
        self._ended = ""
        self._probes = threading.BoundedSemaphore(MOST_PROBES)
        self._voices: List[threading.Thread] = []
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)

    def run(self) -> int:
        """Serve until nothing is left to do; 0, also where another guard lives already."""
        lock = self._store.guard(self.kind)
        if lock is None:
            return 0
        signal.signal(signal.SIGTERM, self._terminated)
        for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)
        self._log("a %s guard has begun" % self.kind)
        try:
            self.tenures.adopt()
            listener = self._listen()
            service_manager.tell("READY=1")
            self._serve(listener, lock)
        finally:
            # A defect of ours must not keep the traffic from going back either.
            self._ended = self._ended or "the guard failed"
            code = self._close(lock)
        return code

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            with address(self._store.directory, SOCKET) as path:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                listener.bind(path)
        finally:
            os.umask(before)
        listener.listen(64)
        listener.setblocking(False)
        return listener

    def _serve(self, listener: socket.socket, lock: int) -> None:
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        due = boottime()
        first = due + FIRST_SECONDS
        while not self._ended:
            for key, ready in self._selector.select(self._pause(due)):
                if key.fileobj is listener:
                    self._accept(listener)
                elif key.fd == self._wake_read:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_read, 4096)
                elif ready & selectors.EVENT_READ:
                    self._attend(key.data)
            for connection in list(self._sessions):
                self._flush(connection)
            if boottime() >= due:
                self.tenures.tick()
                service_manager.tell("WATCHDOG=1")
                due = boottime() + TICK_SECONDS
                if not self._store.is_guard(lock):
                    self._ended = "the state directory was removed"
            first = due if self._sessions else first
            if self.kind == SESSION and not self._sessions and not self.tenures.minded and boottime() >= first:
                self._ended = "nothing is left to mind"

    def _pause(self, due: float) -> float:
        """Until the next tick; with nothing to mind only the service manager waits for one."""
        if self.tenures.minded:
            return max(0.0, due - boottime())
        return TICK_SECONDS if self.kind == SESSION and not self._sessions else 1.0

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            peer, dummy = listener.accept()
            refusal = "" if is_ours(peer) else "a connection of another user was refused"
            if len(self._sessions) >= MOST_CONNECTIONS:
                refusal = "a connection was refused: there are %d" % MOST_CONNECTIONS
            if refusal:
                self._log(refusal)
                peer.close()
                return
            with contextlib.suppress(OSError):
                peer.send(GREETING)
            connection = Connection(peer)
            self._sessions[connection] = Session(self.tenures, self.kind, self._digest)
            self._selector.register(peer, selectors.EVENT_READ, connection)

    def _attend(self, connection: Connection) -> None:
        try:
            lines = connection.receive()
        except Gone as gone:
            self._part(connection, str(gone))
            return
        session = self._sessions[connection]
        for line in lines:
            if protocol.is_probe(line):
                self._probe(session, connection, line)
            else:
                connection.send(session.answer(line))

    def _probe(self, session: Session, connection: Connection, line: str) -> None:
        if not self._probes.acquire(blocking=False):
            connection.send(protocol.refusal_to(line, "router", "%d probes are under way: ask later" % MOST_PROBES))
            return

        def probe() -> None:
            try:
                connection.send(session.answer(line))
            finally:
                self._probes.release()
                self._wake()

        threading.Thread(target=probe, daemon=True).start()

    def _flush(self, connection: Connection) -> None:
        try:
            connection.flush()
        except Gone as gone:
            self._part(connection, str(gone))
            return
        events = selectors.EVENT_READ if connection.takes_more else 0
        events |= selectors.EVENT_WRITE if connection.unread else 0
        self._selector.modify(connection.socket, events, connection)

    def _part(self, connection: Connection, how: str) -> None:
        session = self._sessions.pop(connection)
        self._selector.unregister(connection.socket)
        connection.socket.close()
        session.close()

    def _terminated(self, number: int, frame: Any) -> None:
        self._ended = "the guard was told to end (signal %d)" % number
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b".")

    def _page(self, record: Record, event: str) -> None:
        """Tell people, where the watch is not there to do it; it is not waited for."""
        if self.kind != RESIDENT:
            return
        lease, who = record.lease, (record.name, record.environment, record.lease.release, record.lease.run)
        message = _notify.message(event, *who, socket.gethostname(), lease.reason, "guard", now())
        for entry in _notify.wanted(record.terms.get("notify") or [], event):
            voice = threading.Thread(target=self._tell, args=(entry, message))
            voice.start()
            self._voices.append(voice)

    def _tell(self, entry: Mapping[str, Any], message: Mapping[str, Any]) -> None:
        failure = _notify.send(entry, message)
        if failure:
            self._log("notify: %s" % failure)

    def _close(self, lock: int) -> int:
        """Take back what is on loan; 1 when that could not be done in time."""
        service_manager.tell("STOPPING=1")
        with contextlib.suppress(OSError):  # nothing is in the way of the traffic, not even a disk that takes nothing
            if self._store.is_guard(lock):
                os.unlink(os.path.join(self._store.directory, SOCKET))
        deadline = boottime() + END_SECONDS
        self.tenures.end(self._ended)
        while True:
            self.tenures.tick()
            if not self.tenures.minded or boottime() >= deadline:
                break
            time.sleep(TICK_SECONDS)  # the connections are no longer attended, and may have much to say
        for voice in self._voices:
            voice.join(_notify.TIMEOUT_SECONDS)
        self._log("the guard has ended: %s" % self._ended)
        return 1 if self.tenures.minded else 0


def here(store: Store, log: Callable[[str], None], digest: str, why: str) -> Session:
    """A session for a host without a guard: it reads and reverts, and takes no lease. ``why`` there is none."""
    means = Means(store, Gate(), boottime, now, log, lambda record, event: None)
    return Session(Tenures(means), NONE, digest, minding=False, why=why)
