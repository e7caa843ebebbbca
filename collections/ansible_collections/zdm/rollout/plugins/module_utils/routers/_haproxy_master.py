# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's master socket: which processes serve, what each of them answers, and a reload.

After a reload the old worker goes on with the connections that it has, by the map that it has: an order counts only
when every process got it, so everything here is asked of each. What an answer means is none of this file's business.
The master closes a connection only after ours was closed for writing, and while it reloads nobody listens at its
socket, for a tenth of a second, and who was connected gets no answer: both are asked again, which does no harm, since
every order says what shall be and not what shall become different.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

from ._haproxy_socket import read_to_end
from .api import NotInForce, Refused, Unreachable

#: How long nobody may listen because the master begins anew, in seconds.
RELOAD_SILENCE = 0.5
#: How often HAProxy may be reloaded while it is asked.
TRIES = 3
#: Until a reload has made a worker or failed, in seconds. One that cannot listen is tried for two seconds.
DEADLINE = 30.0
LOOK = 0.02

GONE = "Can't find the target PID"


class NotRunning(Unreachable):
    """Nobody listens at the master socket, or it is not there."""


class Gone(Exception):
    """The process was there when the master was asked, and is not any more."""


@dataclass(frozen=True)
class Processes:
    """The workers: those that take new connections, and the old ones that finish what they have. ``failed`` counts
    the reloads that failed since one went well."""

    new: Tuple[str, ...]
    old: Tuple[str, ...]
    failed: int = 0

    @property
    def all(self) -> Tuple[str, ...]:
        return self.new + self.old


def parse_processes(text: str) -> Processes:
    """The answer to ``show proc``: sections of processes, each ``PID TYPE RELOADS UPTIME VERSION``."""
    found: Dict[str, List[str]] = {"# workers": [], "# old workers": []}
    section, failed = "", 0
    for line in text.splitlines():
        words = line.split()
        if line.startswith("#"):
            section = line.strip()
        elif words[1:2] == ["worker"] and section in found:
            found[section].append(words[0])
        elif words[1:2] == ["master"] and "[failed:" in words:
            failed = int(words[words.index("[failed:") + 1].rstrip("]"))
    return Processes(tuple(found["# workers"]), tuple(found["# old workers"]), failed)


class Master:
    """The socket at ``path``; ``timeout`` in seconds is for one exchange."""

    def __init__(self, path: str, timeout: float = 2.0) -> None:
        self.path = path
        self.timeout = timeout

    def processes(self) -> Processes:
        answer = self._exchange("show proc\n")
        found = parse_processes(answer)
        if not found.new:
            raise Unreachable(
                "HAProxy's master at %s has no worker: see why in its log. It says %r" % (self.path, answer.strip())
            )
        return found

    def ask(self, pid: str, commands: Sequence[str]) -> List[str]:
        """The replies of one worker, one for each of ``commands``. Gone, Unreachable."""
        answer = self._exchange("".join("%s\n" % line for line in ["@!%s" % pid, *commands]))
        found = replies(answer)
        if answer.startswith(GONE) or len(found) < len(commands):  # it may end while it answers
            raise Gone(pid)
        return found

    def ask_all(self, commands: Sequence[str]) -> Tuple[str, Dict[str, List[str]]]:
        """The worker that takes new connections, and what each of all that serve replies."""
        for dummy in range(TRIES):
            processes = self.processes()
            answers: Dict[str, List[str]] = {}
            for pid in processes.all:
                answered = self._of_one(pid, commands)
                if answered is not None:
                    answers[pid] = answered
            if all(pid in answers for pid in processes.new):
                return processes.new[0], answers
        raise Unreachable("HAProxy was reloaded again and again while it was asked: ask again")

    def reload(self) -> None:
        """Have the configuration on disk read; returns when a worker with it serves. Refused where there is none."""
        before = self.processes()
        end = time.monotonic() + DEADLINE
        with suppress(OSError):  # the reply is empty, whatever comes of it, and not worth a second order
            self._once("reload\n", time.monotonic() + self.timeout)
        while time.monotonic() < end:
            time.sleep(LOOK)
            try:
                now = self.processes()
            except Unreachable:  # it begins anew
                continue
            if now.failed > before.failed:
                raise Refused(
                    "HAProxy did not come up with the configuration on disk, its log says why (an address that is "
                    "taken passes its check); the worker that served before goes on with what it had"
                )
            if not set(now.new) & set(before.new):
                return
        raise NotInForce("HAProxy has no new worker %g s after its reload, see its log" % DEADLINE)

    def _of_one(self, pid: str, commands: Sequence[str]) -> Optional[List[str]]:
        try:
            return self.ask(pid, commands)
        except Gone:
            return None

    def _exchange(self, text: str) -> str:
        deadline = time.monotonic() + self.timeout
        silence = time.monotonic() + RELOAD_SILENCE
        while True:
            try:
                answer = self._once(text, deadline)
                if answer:
                    return answer
                raise ConnectionResetError("it closed the connection without an answer")
            except ConnectionRefusedError as error:
                if time.monotonic() > silence:
                    raise NotRunning(
                        "nobody listens at HAProxy's master socket %s: HAProxy is not running" % self.path
                    ) from error
            except (ConnectionResetError, BrokenPipeError) as error:
                if time.monotonic() > silence:
                    raise Unreachable("HAProxy's master socket %s: %s" % (self.path, error)) from error
            except FileNotFoundError as error:
                raise NotRunning(
                    "HAProxy's master socket %s does not exist: start HAProxy with the role zdm.rollout.router, or "
                    "name the socket it has (its argument -S) as zdm_router.master" % self.path
                ) from error
            except PermissionError as error:
                raise Unreachable(
                    "HAProxy's master socket %s may not be opened by this user: run the agent as root or as HAProxy's "
                    "user" % self.path
                ) from error
            except socket.timeout as error:
                raise Unreachable(
                    "HAProxy did not answer at its master socket %s within %g s" % (self.path, self.timeout)
                ) from error
            except OSError as error:
                raise Unreachable("HAProxy's master socket %s: %s" % (self.path, error)) from error
            time.sleep(LOOK)

    def _once(self, text: str, deadline: float) -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self.timeout)
            connection.connect(self.path)
            connection.sendall(text.encode())
            connection.shutdown(socket.SHUT_WR)
            return read_to_end(connection, deadline)


def replies(text: str) -> List[str]:
    """An answer to several commands, each reply of which ends with an empty line."""
    found: List[str] = []
    lines: List[str] = []
    for line in text.splitlines():
        if line:
            lines.append(line)
        else:
            found.append("\n".join(lines))
            lines = []
    return found + (["\n".join(lines)] if lines else [])
