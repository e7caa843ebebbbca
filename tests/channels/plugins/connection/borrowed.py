# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that works, of a kind that zdm does not know: what containers, clouds and jails have."""

from __future__ import annotations

from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = """
name: borrowed
short_description: the local one by another name
description: [for tests]
author: the zdm authors (@zdm)
extends_documentation_fragment: [connection_pipelining]
options: {}
"""


class Connection(Local):  # type: ignore[misc]
    transport = "borrowed"
