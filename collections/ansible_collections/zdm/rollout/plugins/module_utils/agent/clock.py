# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wall clock, for people."""

from __future__ import annotations

from datetime import datetime, timezone


def now() -> str:
    """In ISO 8601; never used to decide anything."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
