# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to all routers of a fleet, while something is done to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from demo.client import Client
from tests.support.fleet import Fleet


@contextmanager
def traffic(fleet: Fleet, rate: float) -> Iterator[list[Client]]:
    """A client for each router, ``rate`` requests a second each."""
    with ExitStack() as stack:
        clients = [Client(fleet.url(index), rate=rate, connections=4) for index in range(len(fleet.routers))]
        for client in clients:
            client.start()
            stack.callback(client.stop)
        yield clients
