# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at an nginx of somebody's own: who runs, and what ``nginx -T`` says of its files.

Nothing is changed and nothing is signalled. What runs may be older than the files: who has changed them without a
reload knows it.
"""

from __future__ import annotations

from typing import Any, Mapping

from ..adoption.description import Found
from ._nginx_describe import describe
from ._nginx_process import NginxProcess


def look(definition: Mapping[str, Any]) -> Found:
    """What is there. Unreachable where no nginx runs, Refused where its files are not in order."""
    process = NginxProcess.of(definition)
    workers = len(process.workers())
    return describe(process.dump(), process.version(), workers, definition.get("log"))
