# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pump: carries lines between a connection and its session, keeps the beat of the samples, knows how to die.

Theory of operation. One thread owns the session and everything that changes the router. Requests come from
stdin; a probe may take seconds, so it is answered from a thread of its own and the router is watched meanwhile.
The pump ends when stdin does (the controller or the network is gone), on SIGTERM, or when nobody reads the
replies; in each case what is armed is reverted first, and tried again for a while when the proxy does not answer.
"""

from __future__ import annotations

import os
import selectors
import signal
import threading
import time
from typing import Any, Callable, List

from . import protocol
from .session import Session

SAMPLE_SECONDS = 0.2
#: How long a revert that could not be carried out is tried again after the connection ended.
REVERT_SECONDS = 60.0
REVERT_AGAIN_SECONDS = 0.5


class Pump:
    """Serves one session over two file descriptors; ``log`` takes lines for people."""

    def __init__(self, session: Session, source: int, sink: int, log: Callable[[str], None]) -> None:
        self._session = session
        self._source = source
        self._sink = sink
        self._log = log
        self._buffer = b""
        self._ended = ""
        self._writing = threading.Lock()
        self._wake_read, self._wake_write = os.pipe()

    def run(self) -> int:
        """Serve until the connection ends; the exit code says whether everything that was owed was done."""
        signal.signal(signal.SIGTERM, self._terminated)
        for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)
        try:
            self._serve()
        finally:
            # A defect of ours must not keep the traffic from going back either.
            self._ended = self._ended or "the agent failed"
            code = self._close()
        return code

    def _serve(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._source, selectors.EVENT_READ)
        selector.register(self._wake_read, selectors.EVENT_READ)
        due = time.monotonic()
        while not self._ended:
            timeout = max(0.0, due - time.monotonic()) if self._session.holds else None
            for key, dummy in selector.select(timeout):
                if key.fd == self._source:
                    self._receive()
            if self._session.holds and time.monotonic() >= due:
                self._session.sample()
                due = time.monotonic() + SAMPLE_SECONDS

    def _terminated(self, number: int, frame: Any) -> None:
        self._ended = "the agent was told to end (signal %d)" % number
        os.write(self._wake_write, b".")

    def _receive(self) -> None:
        # Never O_NONBLOCK: sshd gives one socket for both directions, and a long reply would find it full.
        try:
            data = os.read(self._source, protocol.LINE_LIMIT)
        except OSError as error:
            data = b""
            self._log("the connection broke: %s" % error)
        if not data:
            self._ended = self._ended or "the controller's connection ended"
            return
        self._buffer += data
        lines = self._buffer.split(b"\n")
        self._buffer = lines.pop()
        if len(self._buffer) > protocol.LINE_LIMIT:
            self._ended = "a line without an end"
        for line in self._ready(lines):
            self._send(self._session.answer(line))

    def _ready(self, lines: List[bytes]) -> List[str]:
        """The lines to answer here and now, in order; probes go to threads of their own."""
        texts = [line.decode("utf-8", "replace") for line in lines if line.strip()]
        for text in texts:
            if _is_probe(text):
                threading.Thread(target=lambda text=text: self._send(self._session.answer(text)), daemon=True).start()
        return [text for text in texts if not _is_probe(text)]

    def _send(self, line: str) -> None:
        data = line.encode("utf-8")
        with self._writing:
            try:
                while data:
                    data = data[os.write(self._sink, data) :]
            except OSError as error:
                self._ended = self._ended or "nobody reads the replies: %s" % error

    def _close(self) -> int:
        deadline = time.monotonic() + REVERT_SECONDS
        while True:
            owed = self._session.close(self._ended)
            if not owed:
                self._log("session ended: %s" % self._ended)
                return 0
            self._log("REVERT NOT DONE, tried again: %s" % owed)
            if time.monotonic() > deadline:
                return 1
            time.sleep(REVERT_AGAIN_SECONDS)


def _is_probe(text: str) -> bool:
    try:
        return bool(protocol.parse(text)["op"] == "probe")
    except protocol.ProtocolError:
        return False
