# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bins of how long requests took, for logs that give whole milliseconds.

The bins are those, and from 100 ms on two digits of them, which a tenth is well above.
"""

from __future__ import annotations

from typing import Tuple


def bin_of(milliseconds: int) -> Tuple[float, float]:
    """The bin of a time, in seconds."""
    width = 1
    while milliseconds >= 100 * width:
        width *= 10
    low = milliseconds // width * width
    return low / 1e3, (low + width) / 1e3
