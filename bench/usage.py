# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process takes of the machine: its share of a core over a stretch of time, and its memory."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.wait import until

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Seconds of a core that a process has had so far, in steps of the kernel's tick (10 ms)."""
    fields = Path("/proc/%d/stat" % pid).read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid: int) -> float:
    """The memory that a process has resident now, in MB (of 1,000,000 bytes)."""
    for line in Path("/proc/%d/status" % pid).read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError("process %d has no memory: it has ended" % pid)


def waited(pid: int) -> float:
    """Seconds that a process was ready to run and had no core, because others had them all."""
    return int(Path("/proc/%d/schedstat" % pid).read_text(encoding="ascii").split()[1]) / 1e9


@dataclass(frozen=True)
class Stretch:
    """What a process took over a stretch of time, in percent of it: ``share`` of a core, ``waited`` for one."""

    share: float
    waited: float


def stretches(pids: Sequence[int], seconds: float) -> list[Stretch]:
    """What each process takes over the next ``seconds``."""
    began, before = time.monotonic(), [(cpu_seconds(pid), waited(pid)) for pid in pids]
    until(lambda: time.monotonic() - began >= seconds, "the stretch to be over", seconds + 10)
    percent = 100.0 / (time.monotonic() - began)
    return [
        Stretch(percent * (cpu_seconds(pid) - had), percent * (waited(pid) - stood))
        for pid, (had, stood) in zip(pids, before, strict=True)
    ]
