# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watch and the agents take of their machines while a step is held."""

from __future__ import annotations

import threading

from bench.run import Run
from bench.table import Row
from bench.usage import resident, stretches
from demo.client import Client
from tests.support.fleet import Fleet
from tests.support.wait import until

#: Requests a second through the first router: its counters move, as they would.
RATE = 50.0
WATCH_SHARE, AGENT_SHARE, AGENT_MEMORY = 2.0, 1.0, 20.0


def rows(proxy: str, routers: int, seconds: float) -> list[Row]:
    """The shares of a core over so many ``seconds`` of a hold, and the memory at their end."""
    with Fleet(routers=routers, ssh=True, one_host=True, proxy=proxy) as fleet:
        fleet.spec["steps"] = [{"weight": 10, "hold": "10m"}, {"weight": 100}]
        client = Client(fleet.url(), rate=RATE, connections=4).start()
        try:
            with Run(fleet) as run:
                asking = threading.Thread(target=run.ask, args=("step",), kwargs={"index": 0}, daemon=True)
                asking.start()
                until(run.read_back, "all routers to be read back", 60)
                guards = [fleet.guard(router) for router in fleet.routers]
                carriers = fleet.processes("\0--stdio\0")
                watch, *others = stretches([run.watch, *guards, *carriers], seconds)
                memory = {pid: resident(pid) for pid in [run.watch, *guards, *carriers]}
        finally:
            client.stop()
    where = "%d ssh router%s, %s" % (routers, "" if routers == 1 else "s", proxy)
    over = "over %g s" % seconds
    guard = [took.share for took in others[: len(guards)]]
    carrier = [took.share for took in others[len(guards) :]]
    return [
        Row(
            "watch in a hold, %s" % where,
            "% of a core",
            [watch.share],
            WATCH_SHARE if proxy == "haproxy" else None,
            over,
        ),
        Row("watch, memory, %s" % where, "MB", [memory[run.watch]]),
        Row("guard in a hold, %s" % where, "% of a core", guard, AGENT_SHARE, over),
        Row("guard, memory, %s" % where, "MB", [memory[pid] for pid in guards], AGENT_MEMORY),
        Row("agent of a connection, %s" % where, "% of a core", carrier, AGENT_SHARE, over),
        Row("agent of a connection, memory, %s" % where, "MB", [memory[pid] for pid in carriers], AGENT_MEMORY),
    ]
