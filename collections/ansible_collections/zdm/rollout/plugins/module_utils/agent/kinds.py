# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of guards, and where the one of a host is found."""

from __future__ import annotations

#: Started by a rollout's first connection; kept by systemd; nobody is there.
SESSION, RESIDENT, NONE = "session", "resident", "none"

#: In the state directory, for its owner alone.
SOCKET = "agent.sock"
#: What a connection reads first, so that it knows that somebody is there.
GREETING = b"\n"
