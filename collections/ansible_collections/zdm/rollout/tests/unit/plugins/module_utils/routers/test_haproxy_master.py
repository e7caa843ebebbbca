# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the master's answers say, and the sums of what workers have counted."""

from __future__ import annotations

from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_master import (
    Processes,
    parse_processes,
    replies,
)
from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_totals import Totals
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Counters

PROCESSES = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
5984            master          2 [failed: 1]   0d00h00m32s     2.6.12
# workers
6253            worker          1               0d00h00m09s     2.6.12
# old workers
5987            worker          2               0d00h00m32s     2.6.12
# programs

"""


def test_old_workers_serve_too() -> None:
    found = parse_processes(PROCESSES)
    assert found == Processes(("6253",), ("5987",), failed=1)
    assert found.all == ("6253", "5987")
    assert parse_processes("") == Processes((), ())


def test_each_reply_ends_with_an_empty_line() -> None:
    assert replies("\n0x1 web a\n0x2 pay b\n\n") == ["", "0x1 web a\n0x2 pay b"]
    assert replies("no such thing.\n") == ["no such thing."]
    assert replies("") == []


def counted(requests: int, failures: int = 0) -> dict[str, Counters]:
    return {"a": Counters(requests, failures, {"http_5xx": failures})}


def test_a_reload_loses_nothing_and_counts_nothing_twice() -> None:
    totals = Totals()
    assert totals.add({"1": counted(100, 1)}) == counted(100, 1)
    assert totals.add({"1": counted(110, 2), "2": counted(5)}) == counted(115, 2)
    assert totals.add({"2": counted(50)}) == counted(160, 2)
    assert totals.add({"2": counted(60)}) == counted(170, 2)


def test_a_process_id_that_is_used_again_is_another_process() -> None:
    totals = Totals()
    totals.add({"1": counted(100)})
    assert totals.add({"1": counted(3)}) == counted(103)
