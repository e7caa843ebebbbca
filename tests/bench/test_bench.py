# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench itself, with everything as small as it goes: that it measures, not what comes of it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from functools import partial

import pytest

from bench import __main__ as command
from bench import access_log, crowd, load, reflex, revert, step, switch, throughput, undo
from bench.machine import machine
from bench.table import HEAD, Row
from demo.client import Client
from tests.support.fleet import Fleet
from tests.support.wait import until

# They count what a client sees, or what a process takes.
pytestmark = pytest.mark.xdist_group("bench")

SMALL: dict[str, tuple[Callable[[], list[Row]], list[str]]] = {
    "revert": (partial(revert.rows, "haproxy", 2, 1), ["ms"]),
    "step": (partial(step.rows, 1, (10, 20)), ["s", "ms"]),
    "undo": (partial(undo.rows, "haproxy", 2, 1), ["ms", "ms", "", "s", ""]),
    "load": (partial(load.rows, "haproxy", 1, 0.5), ["% of a core", "MB"] * 3),
    "crowd": (partial(crowd.rows, 10, 1.5), ["s", "% of a core", "MB"]),
    "switch": (partial(switch.rows, "nginx", 4), ["ms", "ms"]),
    "throughput": (partial(throughput.rows, 1, 1), ["requests/s", "requests/s", "%"]),
    "log": (partial(access_log.rows, 5000, 0.5, 200.0), ["lines/s", "lines/s", "% of a core"]),
}


@pytest.mark.parametrize("name", SMALL)
def test_each_measures(name: str) -> None:
    measure, units = SMALL[name]
    rows = measure()
    assert [row.unit for row in rows] == units
    assert all(value >= 0 for row in rows for value in row.values)
    # What a process took may be nothing, two routers may follow in one millisecond, and no request may have failed.
    some = [row for row in rows if row.unit != "% of a core" and not row.what.endswith(("requests", "to last router"))]
    assert all(max(row.values) > 0 for row in some), rows


def test_the_client_counts_less_with_the_reflex_than_without() -> None:
    with Fleet() as fleet:
        fleet.spec.update({**reflex.spec(True), "checks": {"ready": step.READY}})
        turned = reflex.turn(fleet, 1.0, 200.0)
        assert turned.by == "guard"
        assert turned.failed >= 5 and turned.seconds > 0
        assert turned.rate > turned.canary_rate > 0

        fleet.spec.update(reflex.spec(False))  # the control: now nobody looks at what users get
        running = fleet.start("rollout")
        running.says("read back")
        client = Client(fleet.url(), rate=200.0, connections=32).start()
        try:
            fleet.members["green"].behave(fail=1.0)
            until(lambda: client.result.failed > 3 * turned.failed, "many more requests to fail", 60)
            assert fleet.shares() == [pytest.approx(reflex.WEIGHT, abs=0.6)]
        finally:
            client.stop()


def a_row(*values: float, judged: str = "median") -> Row:
    return Row("a figure", "ms", values, 20.0, "of a test", judged)


@pytest.mark.parametrize(
    ("row", "missed"),
    [
        (a_row(19, 20, 500), False),
        (a_row(1, 21, 22), True),
        (a_row(1, 1, 21, judged="worst"), True),
        (a_row(1, 1, 20, judged="worst"), False),
        (Row("a figure", "ms", [500.0]), False),
        (Row("a figure", "lines/s", [19.0, 21.0, 30.0], 20.0, more=True), False),
        (Row("a figure", "lines/s", [19.0, 19.0, 30.0], 20.0, more=True), True),
        (Row("a figure", "lines/s", [19.0, 21.0, 30.0], 20.0, judged="worst", more=True), True),
    ],
)
def test_a_missed_target_is_named_and_ends_with_1_when_it_is_judged(
    row: Row, missed: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "benches", lambda runs: {"one": [lambda: [row]]})
    for arguments, code in ((["one"], 0), (["one", "--judge"], int(missed))):
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        assert command.main() == code
        told = capsys.readouterr()
        assert ("missed: a figure" in told.err) is missed
        table = [line for line in told.out.splitlines() if line.startswith("|")]
        assert [line.count("|") for line in table] == [len(HEAD) + 1] * 3
        assert ("**missed**" in table[2]) is missed


def test_nothing_measured_is_no_row() -> None:
    with pytest.raises(ValueError, match="a figure: nothing was measured"):
        a_row()


def test_the_machine_is_told_by_its_kind_alone() -> None:
    found = machine()
    assert {"cores", "Linux", "Python", "HAProxy", "Envoy", "nginx", "OpenSSH"} <= set(found)
    assert not any(socket.gethostname() in text for text in found.values())
