# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routers zdm can drive: one file a proxy, and this table of them.

Each is imported when it is opened, so that a guard has in its memory what its router needs and no more. The imports
are static: Ansible ships to a host only what it finds by reading them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Tuple

from .api import Driver, Unsupported

if TYPE_CHECKING:
    from ..adoption.description import Found


def _envoy(definition: Mapping[str, Any]) -> Driver:
    from .envoy import EnvoyManaged

    return EnvoyManaged(definition)


def _haproxy(definition: Mapping[str, Any]) -> Driver:
    from .haproxy import HaproxyServers

    return HaproxyServers(definition)


def _haproxy_managed(definition: Mapping[str, Any]) -> Driver:
    from .haproxy_managed import HaproxyManaged

    return HaproxyManaged(definition)


def _nginx(definition: Mapping[str, Any]) -> Driver:
    from .nginx import NginxServers

    return NginxServers(definition)


def _nginx_managed(definition: Mapping[str, Any]) -> Driver:
    from .nginx_managed import NginxManaged

    return NginxManaged(definition)


DRIVERS: Dict[Tuple[str, str], Callable[[Mapping[str, Any]], Driver]] = {
    ("envoy", "managed"): _envoy,
    ("haproxy", "managed"): _haproxy_managed,
    ("haproxy", "servers"): _haproxy,
    ("nginx", "managed"): _nginx_managed,
    ("nginx", "servers"): _nginx,
}


def open_router(definition: Mapping[str, Any]) -> Driver:
    """The driver for a router's definition (``zdm_router`` of the inventory); Unsupported when there is none."""
    kind = (str(definition.get("type")), str(definition.get("mode")))
    if kind not in DRIVERS:
        raise Unsupported(
            "zdm_router: type %r with mode %r is not one that zdm drives: expected %s"
            % (kind[0], kind[1], " or ".join("%s/%s" % known for known in sorted(DRIVERS)))
        )
    return DRIVERS[kind](definition)


def describe_router(definition: Mapping[str, Any]) -> Found:
    """What the proxy of somebody's own configuration has; Unsupported for one that zdm configures itself."""
    kind = str(definition.get("type") or _seen(definition))
    if kind == "haproxy":
        from ._haproxy_look import look

        return look(definition)
    if kind == "nginx":
        from ._nginx_look import look as look_at_nginx

        return look_at_nginx(definition)
    raise Unsupported(
        "zdm_router.type is %r: only a haproxy or nginx of your own configuration is described; for %s name a service"
        % (kind, kind)
    )


def _seen(definition: Mapping[str, Any]) -> str:
    """The proxy of this machine, where nobody has said which: nginx where it runs and no HAProxy does."""
    from . import _haproxy_process, haproxy
    from ._nginx_process import KEYS, NginxProcess

    if any(definition.get(key) for key in KEYS):
        return "nginx"
    if definition.get("socket") or os.path.exists(haproxy.SOCKET) or _haproxy_process.sockets():
        return "haproxy"
    try:
        return "nginx" if NginxProcess.of(definition).running() else "haproxy"
    except Unsupported:  # there are several
        return "nginx"
