# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the guard that a way's connection starts outlives it: it takes back what is on loan, with nobody there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from typing import Any

from ansible_collections.zdm.rollout.plugins.plugin_utils._channel import Channel
from tests.support.wait import until

from .handed import HandedOver

OPEN_SECONDS = 20.0
#: A lease lasts a second longer than its connection; this is for what a busy machine adds.
REVERT_SECONDS = 6.0
RUN = {"run": "r1", "owner": "tests", "release": "v2", "stable": "blue", "canary": "green"}
SHARE = 25.0


def outlives(handed: HandedOver, way: str) -> None:
    """Lend canary a share over this way, cut the connection without a word, and see the guard bring it back.

    AssertionError when nobody does.
    """
    guard = asyncio.run(_lent_and_cut(handed, way))
    until(lambda: handed.share() == 0.0, "the guard to bring traffic back", REVERT_SECONDS)
    until(lambda: guard not in handed.agents(way), "the guard to end with its lease")
    record = json.loads((handed.ways.state(way) / "test" / "web.json").read_text(encoding="utf-8"))
    assert (record["state"], record["ended_by"]) == ("reverted", "guard")


def does_not_without_guard(handed: HandedOver, way: str) -> None:
    """The same with the guard killed beside its connection. The next one that is started brings traffic back."""
    guard = asyncio.run(_lent_and_cut(handed, way, guard_too=True))
    assert guard not in handed.agents(way)
    try:
        until(lambda: handed.share() == 0.0, "anybody to bring traffic back", REVERT_SECONDS / 2)
    finally:
        asyncio.run(_visited(handed, way))
        until(lambda: handed.share() == 0.0, "the next guard to bring traffic back")


async def _lent_and_cut(handed: HandedOver, way: str, guard_too: bool = False) -> int:
    """The guard's process id; when this returns nothing of the connection is left on either side."""
    channel = await Channel.open(handed.command(way), OPEN_SECONDS)
    service: dict[str, Any] = handed.service
    named = {"name": service["name"], "environment": service["environment"]}
    wanted = {"split": {"blue": 100.0 - SHARE, "green": SHARE}, "stable": "blue"}
    acquired = await channel.ask("acquire", OPEN_SECONDS, service=service, **RUN)
    await channel.ask("arm", OPEN_SECONDS, epoch=acquired["epoch"], wanted=wanted, **named)
    assert handed.share() == SHARE
    guard = int((handed.ways.state(way) / "guard.lock").read_text(encoding="utf-8").split()[0])
    carriers = set(handed.agents(way)) - {guard}
    assert carriers, "the guard itself was what carried the connection"
    if guard_too:
        os.kill(guard, signal.SIGKILL)
    carrying = channel._process
    assert isinstance(carrying, subprocess.Popen)
    os.kill(carrying.pid, signal.SIGKILL)
    await channel.close()
    await asyncio.to_thread(until, lambda: not carriers & set(handed.agents(way)), "the connection to be gone")
    return guard


async def _visited(handed: HandedOver, way: str) -> None:
    await (await Channel.open(handed.command(way), OPEN_SECONDS)).close()
