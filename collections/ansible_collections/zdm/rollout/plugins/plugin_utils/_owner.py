# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner: the ansible-playbook process that a watch works for, and how the watch learns of its end."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

POLL_SECONDS = 0.1
STOPPED_POLL_SECONDS = 0.25


def start_time(pid: int) -> str | None:
    """When a process began, in the kernel's ticks; with the pid it names a process for good. None: it is gone.

    A zombie counts as gone: it does nothing any more, though its number still answers.
    """
    fields = _fields(pid)
    return None if not fields or fields[0] in "ZX" else fields[19]


def _state(pid: int) -> str:
    return (_fields(pid) or [""])[0]


def _fields(pid: int) -> list[str]:
    """What the kernel says of a process after its name; empty for none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


async def stopped(pid: int, patience: float) -> None:
    """Return when the process has been stopped (SIGSTOP, Ctrl-Z) for ``patience`` seconds on end."""
    since: float | None = None
    while since is None or time.monotonic() - since < patience:
        await asyncio.sleep(STOPPED_POLL_SECONDS)
        if _state(pid) not in ("T", "t"):
            since = None
        elif since is None:
            since = time.monotonic()


async def gone(pid: int, started: str) -> None:
    """Return when the process has ended, however it did."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:  # gone already, or a kernel before 5.3
        while start_time(pid) == started:  # noqa: ASYNC110 (there is nothing to wait on)
            await asyncio.sleep(POLL_SECONDS)
        return
    try:
        # The number may have been given to another process before it was opened.
        if start_time(pid) != started:
            return
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(handle, ended.set)
        await ended.wait()
        loop.remove_reader(handle)
    finally:
        os.close(handle)
