# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations as people write them: ``30s``, ``15m``, ``2h``, ``1h30m``, or a number of seconds.

Rules of this room: text to seconds and back, to the millisecond; no clock.
"""

from __future__ import annotations

import re
from decimal import Decimal

_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,3})?")
_WRITTEN = re.compile(rf"(?=.)(?:([0-9]{{1,9}})h)?(?:([0-9]{{1,9}})m)?(?:({_SECONDS.pattern})s)?")
#: Every text that is a duration, and no other.
PATTERN = rf"{_SECONDS.pattern}|{_WRITTEN.pattern}"


def parse(text: str) -> float:
    """Seconds of ``1h30m``, ``90s``, ``0.5s`` or ``90``; ValueError for anything else."""
    if _SECONDS.fullmatch(text):
        return float(Decimal(text))
    match = _WRITTEN.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a duration like 30s, 15m, 2h or 1h30m")
    hours, minutes, seconds = (Decimal(part or 0) for part in match.groups())
    return float(hours * 3600 + minutes * 60 + seconds)


def text(seconds: float) -> str:
    """The shortest way to write so many seconds, rounded to the millisecond: ``1h30m``, ``0.25s``, ``0s``."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    written = (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "")
    if rest or milliseconds:
        return written + f"{rest}.{milliseconds:03d}".rstrip("0").rstrip(".") + "s"
    return written or "0s"
