# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch's log, ``watch.log`` in the run's directory: what went wrong that the journal cannot tell."""

from __future__ import annotations

import contextlib
import sys


def log(text: str) -> None:
    """Write a line. A disk that does not take it, often the very reason for it, keeps no traffic from going back."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
