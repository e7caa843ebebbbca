# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backends as people have them, for the tests of this directory."""

from __future__ import annotations

from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.adoption.description import Found, FoundBackend, FoundServer


def server(name: str, endpoint: str = "10.0.0.1:80", weight: int = 1, **words: Any) -> FoundServer:
    address, dummy, port = endpoint.rpartition(":")
    known: dict[str, Any] = {"configured": weight, "health": "up", "status": "UP", **words}
    return FoundServer(name, address, int(port), weight, **known)


def backend(*servers: FoundServer, name: str = "web", **words: Any) -> FoundBackend:
    known: dict[str, Any] = {"mode": "http", "algorithm": "roundrobin", "check": "http", "path": "/health", **words}
    return FoundBackend(name, servers=servers, **known)


def found(*backends: FoundBackend, **words: Any) -> Found:
    known: dict[str, Any] = {
        "type": "haproxy",
        "mode": "servers",
        "socket": "/run/haproxy/admin.sock",
        "level": "admin",
        "proxy": "HAProxy 2.6.12",
        "threads": 2,
        "processes": 1,
        "files": ("/etc/haproxy/haproxy.cfg",),
        "state_file": "",
        **words,
    }
    return Found(backends=backends, **known)


#: The members of both pools on the same machines, the usual way.
TWO_PORTS = (
    server("vm1-blue", "10.0.0.1:8081", 100),
    server("vm2-blue", "10.0.0.2:8081", 100),
    server("vm1-green", "10.0.0.1:8082", 0),
    server("vm2-green", "10.0.0.2:8082", 0),
)
