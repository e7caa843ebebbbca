# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a condition, with a deadline: the only way a test waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Seconds between two looks; the conditions cost more than the wait, and others run at the same time.
LOOK = 0.02


def until(condition: Callable[[], T], what: str, deadline: float = 30.0) -> T:
    """The first true value of ``condition``; AssertionError naming ``what`` when none comes within the deadline."""
    end = time.monotonic() + deadline
    while True:
        seen = condition()
        if seen:
            return seen
        if time.monotonic() > end:
            raise AssertionError("waited %g s for %s: the last value seen was %r" % (deadline, what, seen))
        time.sleep(LOOK)
