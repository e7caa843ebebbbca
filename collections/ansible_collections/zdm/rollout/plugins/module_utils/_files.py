# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that is written whole: after a crash at any instant either the old or the new one is there."""

from __future__ import annotations

import os


def write_whole(path: str, text: str, mode: int, directory_mode: int) -> None:
    """Write beside it, sync, rename, sync the directory (made where it is missing). OSError; the old one stays then."""
    directory, name = os.path.split(path)
    os.makedirs(directory, mode=directory_mode, exist_ok=True)
    beside = os.path.join(directory, ".%s.new" % name)
    with open(beside, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(beside, mode)
    os.rename(beside, path)
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
