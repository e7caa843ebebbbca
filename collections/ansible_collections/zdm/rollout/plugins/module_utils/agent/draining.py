# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Until when members without traffic are left alone, so that what is under way there can end."""

from __future__ import annotations

import time
from typing import Callable, Optional

#: How often it is looked again, in seconds.
AGAIN_SECONDS = 0.5


def over(left: Optional[int], waited: float, patience: float) -> bool:
    """Whether there is nothing to wait for: nothing is under way, nobody can say what is, or it took too long."""
    return not left or waited >= patience


def drain(look: Callable[[], Optional[int]], patience: float) -> int:
    """Wait for it; how many requests and connections are under way in the end. ``patience`` in seconds."""
    begun = time.monotonic()
    while True:
        left = look()
        if over(left, time.monotonic() - begun, patience):
            return left or 0
        time.sleep(AGAIN_SECONDS)
