# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in."""

from __future__ import annotations

from typing import Collection, Dict, List

from .api import Bin, Counters


class AccessLog:
    def __init__(self, path: str, service: str, owners: Collection[int] = ()) -> None:
        self._path, self._service = path, service

    def read(self) -> None:
        return

    def counters(self) -> Dict[str, Counters]:
        return {}

    def times(self) -> Dict[str, List[Bin]]:
        return {}
