# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard that lives on this host, asked by another process that is about to write a record here: will it keep that?

Theory of operation. Whoever writes a record writes it whole, in the keys that he knows. A guard lives longer than its
file, so it may be of an older zdm than whoever leaves an order now, and would drop what it does not know with the next
thing that it writes: a lock that is gone within a second, and nobody hears of it. Every guard says which keys it keeps
beside those of the first agents (``LATER``); one that says nothing keeps none.
"""

from __future__ import annotations

import json
import socket
from typing import Optional, Sequence

from .. import _guard_lock
from . import protocol
from .connection import address
from .kinds import GREETING, RESIDENT, SOCKET
from .orders import FINISH, LOCK
from .record import LATER, RecordError, Store

#: What an order writes that not every guard keeps.
WRITES = {LOCK: LATER[0], FINISH: LATER[1]}
#: A guard that says nothing for so long is stopped, or hangs: it writes nothing either.
ANSWER_SECONDS = 2.0
CHUNK = 65536


def refuse_forgotten(store: Store, verb: str) -> None:
    """RecordError where the guard here would drop what this order writes; the text has the way out."""
    written = WRITES.get(verb)
    guard = store.guard_alive()
    if written is None or guard is None:
        return
    kept = _kept(store)
    if kept is None or written in kept:
        return
    ends = "it ends with its rollout: do this again then"
    if _guard_lock.living(store.directory) == RESIDENT:
        ends = "apply the role router, which starts the present one, and do this again"
    raise RecordError(
        "the guard here, %s, is of an older zdm that does not know %r and would drop it from its record; %s"
        % (guard, verb, ends)
    )


def _kept(store: Store) -> Optional[Sequence[str]]:
    """The later keys that the guard keeps; None where it does not say, nor anything else."""
    line = protocol.compact({"id": 1, "op": "status"}).encode()
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as guard:
            guard.settimeout(ANSWER_SECONDS)
            with address(store.directory, SOCKET) as path:
                guard.connect(path)
            if guard.recv(len(GREETING)) != GREETING:
                return None
            guard.sendall(line)
            while not answer.endswith(b"\n"):
                more = guard.recv(CHUNK)
                if not more:
                    return None
                answer += more
        reply = json.loads(answer.decode("utf-8"))
    except (OSError, ValueError):
        return None
    # One that cannot read its records says why to those who look; it would write none of them either.
    return tuple(reply.get("keeps") or ()) if reply.get("ok") else None
