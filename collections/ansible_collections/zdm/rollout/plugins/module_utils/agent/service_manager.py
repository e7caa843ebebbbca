# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd is told by the process that it started (sd_notify): ready, alive, stopping."""

from __future__ import annotations

import contextlib
import os
import socket


def tell(state: str) -> None:
    """One datagram to the service manager, where there is one; whether it listens is its own business."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
        line.setblocking(False)
        line.sendto(state.encode(), "\0" + path[1:] if path.startswith("@") else path)
