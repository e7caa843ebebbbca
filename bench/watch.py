# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A watch whose agents are at the other end of sockets that somebody else made, instead of programs that it starts.

Run as ``python -m bench.watch`` with one JSON line on standard input: the watch's ``config``, and for each router the
descriptors (requests, replies, complaints). All else is the product's: desk, keepers, judging, journal.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass, field
from typing import IO

from ansible_collections.zdm.rollout.plugins.plugin_utils._channel import ChannelLost, Command
from ansible_collections.zdm.rollout.plugins.plugin_utils._line import Line
from ansible_collections.zdm.rollout.plugins.plugin_utils._watch import Watch


class Streams:
    """An agent at three descriptors, in place of a process: it has ended once nobody asks it any more."""

    def __init__(self, requests: int, replies: int, complaints: int) -> None:
        self.stdin: IO[bytes] = os.fdopen(requests, "wb", buffering=0)
        self.stdout: IO[bytes] = os.fdopen(replies, "rb", buffering=0)
        self.stderr: IO[bytes] = os.fdopen(complaints, "rb", buffering=0)

    def poll(self) -> int | None:
        return 0 if self.stdin.closed else None

    def terminate(self) -> None:
        """There is no process."""


@dataclass(frozen=True)
class Held(Command):
    """A command that starts nothing, once: its agent is there."""

    descriptors: list[tuple[int, int, int]] = field(default_factory=list)

    def start(self) -> Streams:
        if not self.descriptors:
            raise ChannelLost("a simulated agent has one connection, and it was lost")
        return Streams(*self.descriptors.pop())


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    watch = Watch(asked["config"])
    for name, descriptors in asked["agents"].items():
        watch.ways.lines[name] = Line(Held((), {}, watch.fleet.routers[name], descriptors=[tuple(descriptors)]))
    asyncio.run(watch.run())


if __name__ == "__main__":
    main()
