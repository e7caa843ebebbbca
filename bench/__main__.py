# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m bench [NAME ...]: measure, print the table; without names all of it (about a quarter of an hour).

It is made for a machine that does nothing else meanwhile. Traffic goes to 127.0.0.1 only.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial

import pytest

from bench import access_log, crowd, load, reflex, revert, step, switch, throughput, undo
from bench.machine import machine
from bench.table import Row, markdown

#: Runs where nothing else is asked for: of a rollout that the reflex ends, of one that it may not, of a verdict.
REFLEX_RUNS, OFF_RUNS, VERDICT_RUNS = 10, 5, 20
#: How long processes are looked at, in seconds, and how many agents one watch has to hold.
STRETCH, AGENTS = 20.0, 1000
#: How many lines of a log are read at once.
LINES = 500_000
PROXIES = ("haproxy", "envoy", "nginx")
#: How often a share is changed, for how long it is seen what a proxy reaches, in seconds, and how often.
FLIPS, REACHED_SECONDS, ROUNDS = 50, 5, 5


def benches(runs: int | None) -> dict[str, list[Callable[[], list[Row]]]]:
    """By name, what measures it; ``runs`` instead of the ordinary numbers."""
    fired, off, verdicts = runs or REFLEX_RUNS, runs or OFF_RUNS, runs or VERDICT_RUNS
    return {
        "reflex": [
            partial(reflex.rows, proxy, failing, fired if on else off, on)
            for proxy in PROXIES
            for failing, on in ((1.0, True), (0.2, True), (1.0, False), (0.2, False))
        ],
        "revert": [
            partial(revert.rows, proxy, routers, verdicts)
            for proxy, routers in (
                ("haproxy", 1),
                ("haproxy", 10),
                ("haproxy", 30),
                ("envoy", 1),
                ("envoy", 10),
                ("nginx", 1),
                ("nginx", 10),
            )
        ],
        "step": [step.rows],
        "undo": [partial(undo.rows, proxy, 10, verdicts) for proxy in PROXIES],
        "load": [
            partial(load.rows, "haproxy", 30, STRETCH),
            partial(load.rows, "envoy", 1, STRETCH),
            partial(load.rows, "nginx", 1, STRETCH),
        ],
        "crowd": [partial(crowd.rows, AGENTS, STRETCH)],
        "switch": [partial(switch.rows, proxy, runs or FLIPS) for proxy in (*PROXIES, "haproxy-managed")],
        "throughput": [partial(throughput.rows, runs or ROUNDS, REACHED_SECONDS)],
        "log": [partial(access_log.rows, LINES, STRETCH)],
    }


def main() -> int:
    """0; with --judge 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="which of %s (all)" % ", ".join(benches(None)))
    parser.add_argument("--runs", type=int, help="how often each rollout is run, instead of the ordinary numbers")
    parser.add_argument("--judge", action="store_true", help="end with 1, naming the rows, when a target was missed")
    options = parser.parse_args()
    known = benches(options.runs)
    unknown = sorted(set(options.names) - set(known))
    if unknown:
        parser.error("%s is not a bench: expected some of %s" % (unknown[0], ", ".join(known)))
    began, measured_on = time.monotonic(), machine()
    rows: list[Row] = []
    for name in options.names or known:
        for measure in known[name]:
            rows += _measured(measure)
    print("%d rows in %.0f s" % (len(rows), time.monotonic() - began), file=sys.stderr)
    sys.stdout.write(markdown(rows, measured_on))
    missed = [row for row in rows if row.missed]
    for row in missed:
        print("missed: %s" % " · ".join(row.cells()), file=sys.stderr)
    return 1 if missed and options.judge else 0


def _measured(measure: Callable[[], list[Row]]) -> list[Row]:
    """The rows of one measurement; none, said aloud, where a program is missing."""
    try:
        rows = measure()
    except pytest.skip.Exception as skipped:
        print("not measured: %s" % skipped, file=sys.stderr)
        return []
    for row in rows:
        print(" · ".join(cell for cell in row.cells() if cell), file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
