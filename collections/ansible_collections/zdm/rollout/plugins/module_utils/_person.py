# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is at the keyboard, for those who read it later."""

from __future__ import annotations

import getpass
import os


def person() -> str:
    """The user's name; ``uid 1000830`` where the system has none for the number, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # Python before 3.13, and since
        return "uid %d" % os.getuid()
