# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: the append-only record of a run, one JSON event a line, each synced before anything follows from it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..module_utils._files import write_whole
from ._log import log

VERSION = 1
EVENTS = ("planned", "locked", "intended", "observed", "judged", "ordered", "hooked", "reverted", "finished")


class Journal:
    """Written by the watch alone. ``directory`` is the run's own and is made, readable by its owner only."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = directory / "journal.jsonl"
        self._handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._sequence = 0

    def append(self, event: str, data: Mapping[str, Any]) -> None:
        """Write one event and sync it; OSError when the disk does not take it.

        Who decided it is ``data["actor"]``, the watch unless it says otherwise.
        """
        if event not in EVENTS:
            raise ValueError(f"journal event {event!r}: expected one of {', '.join(EVENTS)}")
        self._sequence += 1
        entry = {"version": VERSION, "seq": self._sequence, "time": wall_clock(), "event": event}
        line = (json.dumps({"actor": "watch", **data, **entry}, sort_keys=True) + "\n").encode()
        written = os.write(self._handle, line)
        if written < len(line):  # what a disk does that is nearly full
            os.ftruncate(self._handle, os.fstat(self._handle).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        os.fsync(self._handle)

    def conclude(self, outcome: Mapping[str, Any]) -> None:
        """Write the outcome beside the journal; what a disk does not take is in the log."""
        try:
            text = json.dumps(outcome, indent=1, sort_keys=True) + "\n"
            write_whole(str(self.path.with_name("outcome.json")), text, 0o600, 0o700)
        except OSError as error:
            log(f"outcome: {error}")


def wall_clock() -> str:
    """The time for people; nothing is decided by it."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def read(path: Path) -> list[dict[str, Any]]:
    """The events of a journal; a last line that a crash cut short is left out."""
    events = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            break
    return events
