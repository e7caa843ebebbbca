# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change as a module returns it: for ``actions``, and in the shape that Ansible shows with --diff. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Dict, Iterable

from .routers.api import Change


def differences(changes: Iterable[Change]) -> Dict[str, Any]:
    """``changed``, ``actions`` and ``diff`` of a module's result."""
    told = list(changes)
    return {
        "changed": bool(told),
        "actions": [asdict(change) for change in told],
        "diff": [_difference(change) for change in told],
    }


def _difference(change: Change) -> Dict[str, str]:
    return {
        "before_header": change.thing,
        "after_header": change.thing,
        "before": change.before,
        "after": change.after,
    }
