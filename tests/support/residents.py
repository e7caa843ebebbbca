# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resident guards at the routers of a fleet, as the role's unit runs them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ansible_collections.zdm.rollout.plugins.plugin_utils._build import build

from .fleet import Fleet
from .processes import Process
from .wait import until


@contextmanager
def residents(fleet: Fleet, agent: bytes | None = None) -> Iterator[list[Process]]:
    """A guard for each router, of this agent's file."""
    with ExitStack() as stack:
        guards = []
        for router in fleet.routers:
            router.state.mkdir(mode=0o700)
            program = router.state / "zdm-agent.pyz"
            program.write_bytes(agent or build())
            words = [sys.executable, str(program), "--state", str(router.state), "--guard", "resident"]
            guards.append(stack.enter_context(Process(words, fleet.directory / (router.name + ".log"))))
            until((router.state / "agent.sock").exists, "the guard of %s to begin" % router.name)
        yield guards
