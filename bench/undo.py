# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an undo takes: the whole command beside a plain ``ansible -m ping``, and from the order to the last read-back.

It is a switch of the whole traffic by one order on many routers, as blue-green makes it: how far apart the routers are
in it, and what becomes of the requests meanwhile, is measured along.
"""

from __future__ import annotations

import os
import subprocess
import time

from bench.run import moment
from bench.table import WORST, Row
from tests.support.fleet import Fleet
from tests.support.playbook import ROOT
from tests.support.programs import need
from tests.support.traffic import traffic

#: Requests a second to each router.
RATE = 50


def rows(proxy: str = "haproxy", routers: int = 10, switches: int = 20) -> list[Row]:
    """Order to verified, the routers' spread, the requests that failed; and the command, in pings of the same hosts."""
    verified: list[float] = []
    spread: list[float] = []
    commands: list[float] = []
    pings: list[float] = []
    with Fleet(routers=routers, ssh=True, one_host=True, proxy=proxy) as fleet:
        fleet.spec.update(steps=[{"weight": 100}], checks={}, rollback_window=20)
        _promoted(fleet, "rollout")
        with traffic(fleet, RATE) as clients:
            for number in range(switches):
                pings.append(_ping(fleet))
                release = "before v2" if number % 2 == 0 else "v2"
                began = time.monotonic()
                _promoted(fleet, "undo", "-e", "zdm_release='%s'" % release)
                commands.append(time.monotonic() - began)
                ordered, seen = _times(fleet)
                verified.append(1000.0 * (max(seen) - ordered))
                spread.append(1000.0 * (max(seen) - min(seen)))
        failed = [float(sum(client.result.failed for client in clients))]
        requests = sum(client.result.requests for client in clients)
    where = "%d ssh routers, %s" % (routers, proxy)
    ratios = [command / ping for command, ping in zip(commands, pings, strict=True)]
    return [
        Row(
            "undo, %s: order to verified" % where,
            "ms",
            verified,
            150,
            "from the intention to the last router read back",
        ),
        Row("the same: first to last router", "ms", spread, 100, "as read back: a switch of a blue-green pair"),
        Row("the same: failed requests", "", failed, 0, "of %d, while it was switched" % requests, judged=WORST),
        Row("the same: the whole command", "s", commands, None, "with the plan, the agents and the channels"),
        Row("the same, in pings", "", ratios, 2, "beside `ansible -m ping` of the same hosts just before"),
    ]


def _promoted(fleet: Fleet, playbook: str, *arguments: str) -> None:
    ended = fleet.play(playbook, *arguments)
    if ended.code != 0:
        raise AssertionError("expected a release that is promoted: %s" % ended.output)


def _times(fleet: Fleet) -> tuple[float, list[float]]:
    """When the last run ordered the switch, and when each router was read back."""
    events = fleet.events()
    (ordered,) = [moment(event) for event in events if event["event"] == "intended" and "weight" in event]
    return ordered, [moment(event) for event in events if event["event"] == "observed" and "share" in event]


def _ping(fleet: Fleet) -> float:
    """Seconds of a plain ping of all routers."""
    inventory, dummy = fleet.write()
    command = [need("ansible"), "-i", str(inventory), "routers", "-m", "ansible.builtin.ping"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "TMPDIR": str(fleet.directory)}
    began = time.monotonic()
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began
