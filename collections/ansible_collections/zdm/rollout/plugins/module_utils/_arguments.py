# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments that the modules share, and what they mean."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from .routers.api import Service

ROUTER: Dict[str, Any] = {"type": "dict", "required": True}
SERVICE: Dict[str, Any] = {
    "type": "dict",
    "required": True,
    "options": {
        "name": {"type": "str", "required": True},
        "environment": {"type": "str", "required": True},
        "pools": {"type": "dict", "required": True},
        "health": {"type": "dict"},
        "options": {"type": "dict", "default": {}},
    },
}


def service_of(params: Mapping[str, Any]) -> Service:
    """The module's ``service``; ValueError when its pools or members do not have the shape of the contract."""
    try:
        return Service.from_json(params["service"])
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            "service is %r: expected pools with lists of {name, address, port}, as zdm.rollout.plan returns it (%s)"
            % (params["service"], error)
        ) from None
