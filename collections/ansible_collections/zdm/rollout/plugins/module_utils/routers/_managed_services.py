# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a service before anything of a managed proxy is written: its pools, and where it listens."""

from __future__ import annotations

import socket
from typing import Any, Mapping

from .api import Refused, Service, Unsupported


def refuse_no_pool(service: Service, initial: str) -> None:
    """Unsupported where ``initial`` is none of the service's pools."""
    if initial not in service.pools:
        raise Unsupported(
            "initial is %r: expected a pool of service %s, which are %s"
            % (initial, service.name, ", ".join(sorted(service.pools)))
        )


def refuse_shared_address(router: Mapping[str, Any], service: Service, outcome: str) -> None:
    """Unsupported where another service of the ``router`` listens at the same address; ``outcome`` is what would come
    of it."""
    mine = service.options.get("listen")
    for name, other in (router.get("services") or {}).items():
        if name != service.name and isinstance(other, Mapping) and mine and other.get("listen") == mine:
            raise Unsupported(
                "zdm_router.services.%s and %s both listen at %s, so that %s: give each an address or a port of its own"
                % (name, service.name, mine, outcome)
            )


def refuse_taken_address(proxy: str, address: str) -> None:
    """Refused where ``proxy`` could not listen at this address (IP:port), as far as this user can tell."""
    host, _colon, port = address.rpartition(":")
    with socket.socket(socket.AF_INET6 if host.startswith("[") else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except PermissionError:
            return  # the proxy may have a right that we do not
        except OSError as error:
            raise Refused(
                "%s could not listen at %s, so nothing was changed: %s" % (proxy, address, error.strerror)
            ) from error
