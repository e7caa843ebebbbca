# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard of a router's host as it is seen from outside: by its lock.

Rules of this room: looking changes nothing. No file is made, and no lock is taken, not even for an instant: a guard
that starts in it would take us for another one.
"""

from __future__ import annotations

import os
from typing import Optional

from .agent import locks
from .agent.kinds import NONE, RESIDENT, SESSION

KINDS = (RESIDENT, SESSION)


def holder(state: str) -> Optional[locks.Holder]:
    """The process that is the guard of this state directory, or None."""
    return locks.holder(_path(state))


def living(state: str) -> str:
    """The kind of the guard of this state directory: ``resident``, ``session``, or ``none``.

    A guard writes its process id and its kind into its lock's file (contracts, section 3). What a dead one left there
    says nothing: the process that has the lock now must be the one that wrote it.
    """
    try:
        with open(_path(state), encoding="ascii", errors="replace") as file:
            pid, kind = file.read(100).split()
    except (OSError, ValueError):
        return NONE
    found = holder(state)
    return kind if found is not None and str(found.pid) == pid and kind in KINDS else NONE


def _path(state: str) -> str:
    return os.path.join(state, "guard.lock")
