# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at a HAProxy of somebody's own: asks its runtime socket, and reads the files that it was started with.

Nothing is changed. Where the files cannot be read the description says so, and what only they tell stays unknown. What
runs may be older than the files: who has changed them without a reload knows it.
"""

from __future__ import annotations

import os
from typing import Any, Mapping

from ..adoption.description import Found
from . import _haproxy_describe as describe
from . import _haproxy_process as process
from ._haproxy_socket import RuntimeSocket
from .api import Unsupported
from .haproxy import SOCKET

#: Seconds; with thousands of servers an answer takes its time.
TIMEOUT = 5.0


def look(definition: Mapping[str, Any], proc: str = process.PROC) -> Found:
    """What is there. Unreachable where nobody answers at the socket."""
    path = str(definition.get("socket") or _socket(proc))
    runtime = RuntimeSocket(path, TIMEOUT)
    answers = {question: runtime.ask([question]) for question in describe.QUESTIONS}
    pid = next((line[len("Pid: ") :] for line in answers[describe.INFO].splitlines() if line.startswith("Pid: ")), "")
    files, written, why = process.configuration(pid, proc)
    return describe.describe(path, answers, written, files, why, definition.get("log"))


def _socket(proc: str) -> str:
    """The usual socket; where it is not there the one that a HAProxy of this machine has, of several that of level
    admin. Unsupported where it is not clear which."""
    if os.path.exists(SOCKET):
        return SOCKET
    found = process.sockets(proc)
    admin = [path for path, level in found.items() if level == "admin"]
    if len(admin or found) > 1:
        raise Unsupported(
            "there are several runtime sockets of HAProxy (%s): name one as zdm_router.socket"
            % ", ".join(admin or found)
        )
    return next(iter(admin or found), SOCKET)
