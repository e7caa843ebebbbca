# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a file nginx runs: open-source nginx does not say, so it is worked out.

Theory of operation. Beside the file zdm keeps a note of what it last brought into force: the text, and the workers that
came with it. As long as one of them lives the text is what runs, whatever the file says by now. Once all are others,
somebody else has reloaded or restarted nginx: what runs is the file, if it is older than the workers; if it is not, it
was changed since, and nobody knows what it said before.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from .._files import write_whole
from ._nginx_process import Generation
from .api import Unsupported

VERSION = 1


@dataclass(frozen=True)
class Note:
    """``parts``: each server's part of its pool, by endpoint, as it was before zdm's weights."""

    text: str
    workers: Tuple[Tuple[int, float], ...]
    parts: Mapping[str, int]


@dataclass(frozen=True)
class Shown:
    """``file``: what the file says; ``running``: what nginx runs, None where nobody knows; ``note``: zdm's, if any."""

    file: str
    running: Optional[str]
    note: Optional[Note]

    @property
    def in_force(self) -> bool:
        return self.running == self.file


def shown(path: str, generation: Generation) -> Shown:
    """The file and what runs; Unsupported where the file cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        status = os.stat(path)
    except (OSError, UnicodeDecodeError) as error:
        raise Unsupported(
            "the file of nginx's servers %s cannot be read: %s. Write the upstream's `server` lines into it and "
            "`include %s;` in their place" % (path, getattr(error, "strerror", error), path)
        ) from error
    note = _noted(_beside(path))
    if note and set(note.workers) & set(generation):
        return Shown(text, note.text, note)
    changed = max(status.st_mtime, status.st_ctime)
    return Shown(text, text if changed < _born(generation) else None, note)


def keep(path: str, note: Note) -> None:
    """OSError where the disk does not take it."""
    data = {"version": VERSION, "text": note.text, "workers": note.workers, "parts": dict(note.parts)}
    write_whole(_beside(path), json.dumps(data) + "\n", 0o644, 0o755)


def _born(generation: Sequence[Tuple[int, float]]) -> float:
    """When the oldest worker was started, as files have times; 0 where there is none."""
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return min((boot + started for dummy, started in generation), default=0.0)


def _beside(path: str) -> str:
    """A name that no ``include *.conf`` takes in."""
    directory, name = os.path.split(path)
    return os.path.join(directory, ".%s.zdm" % name)


def _noted(path: str) -> Optional[Note]:
    """None where there is none, or one that this zdm does not understand: then it is worked out without."""
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        if data["version"] != VERSION:
            return None
        workers: List[Tuple[int, float]] = [(int(pid), float(started)) for pid, started in data["workers"]]
        parts: Dict[str, int] = {str(name): int(part) for name, part in data["parts"].items()}
        return Note(str(data["text"]), tuple(workers), parts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
