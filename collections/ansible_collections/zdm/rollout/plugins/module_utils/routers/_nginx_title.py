# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``/proc`` tells of one process of nginx: its title, its parent, when it was started."""

from __future__ import annotations

import os
from typing import List, NamedTuple, Optional

MASTER, WORKER, GOING = "nginx: master process", "nginx: worker process", "nginx: worker process is shutting down"


class Title(NamedTuple):
    """A process. ``started``: seconds since boot, in hundredths. ``file``, ``prefix``: a master's ``-c`` and ``-p``."""

    pid: int
    parent: int
    text: str
    started: float
    file: Optional[str] = None
    prefix: Optional[str] = None

    @property
    def is_master(self) -> bool:
        return self.text == MASTER or self.text.startswith(MASTER + " ")

    @property
    def is_worker(self) -> bool:
        return self.text == WORKER

    @property
    def is_going(self) -> bool:
        return self.text == GOING


def title_of(proc: str, pid: int) -> Optional[Title]:
    """The process, if there is one (still) and it is nginx's."""
    try:
        with open("%s/%d/cmdline" % (proc, pid), "rb") as file:
            text = file.read(4096).rstrip(b"\0 ").replace(b"\0", b" ").decode("utf-8", "replace")
        if not text.startswith("nginx: "):
            return None
        with open("%s/%d/stat" % (proc, pid), encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    if not text.startswith(MASTER):
        return Title(pid, int(fields[1]), text, started)
    words = text[len(MASTER) :].split()
    return Title(pid, int(fields[1]), text, started, _file(words), _after(words, "-p"))


def _file(words: List[str]) -> Optional[str]:
    file = _after(words, "-c")
    return file and os.path.join(_after(words, "-p") or "", file)


def _after(words: List[str], flag: str) -> Optional[str]:
    """The value of an option, as its own word or right behind the flag."""
    for index, word in enumerate(words):
        if word == flag and index + 1 < len(words):
            return words[index + 1]
        if word.startswith(flag) and len(word) > len(flag):
            return word[len(flag) :]
    return None
