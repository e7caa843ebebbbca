# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge's benchmark in full: the table for docs/judge.md on stdout, the plots beside that page.

python -m bench.judge [--part 1.0] DIRECTORY

Three seeds, derived from the commit, so that nobody chooses them; all judges see the same streams.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from tests.benchmarks.judge.cost import Cost, cost
from tests.benchmarks.judge.goals import GOALS, Goal, Result, measure
from tests.benchmarks.judge.latency import SLOWER, Slower, seconds
from tests.benchmarks.judge.plots import plot
from tests.benchmarks.judge.sweeps import SWEEPS, Sweep, line

SEEDS = 3
HEAD = ("goal", "dispersion", "runs", "wanted", "zdm", "Flagger's defaults", "Argo's defaults")
LATENCY_RUNS = 100


def seeds_of(commit: str) -> list[int]:
    return [int(hashlib.sha256(b"%s %d" % (commit.encode(), number)).hexdigest()[:8], 16) for number in range(SEEDS)]


def main() -> None:
    parser = argparse.ArgumentParser(description="the judge's benchmark")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--part", type=float, default=1.0, help="of the runs (1.0)")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "HEAD"], text=True, capture_output=True, check=True).stdout.strip()
    seeds = seeds_of(commit)
    print(f"Seeds {', '.join(map(str, seeds))}, of commit {commit[:12]}.\n")
    part = options.part
    with ProcessPoolExecutor(options.workers) as pool:
        goals = [(goal, [pool.submit(measure, goal, _runs(goal, part), seed) for seed in seeds]) for goal in GOALS]
        slower = [(each, pool.map(partial(seconds, each), _more(seeds, part))) for each in SLOWER]
        sweeps = [(sweep, pool.submit(line, sweep, seeds[0])) for sweep in SWEEPS]
        print(f"| {' | '.join(HEAD)} |\n{'|---' * len(HEAD)}|")
        for goal, jobs in goals:
            print(_row(goal, [job.result() for job in jobs]), flush=True)
        for each, found in slower:
            print(_slower(each, list(found)), flush=True)
        for measured in cost():
            print(_cost(measured), flush=True)
        for sweep, job in sweeps:
            _draw(options.directory, sweep, job.result())


def _runs(goal: Goal, part: float) -> int:
    return max(20, round(goal.runs * part / SEEDS))


def _more(seeds: Sequence[int], part: float) -> list[int]:
    return [seed + number for seed in seeds for number in range(max(7, round(LATENCY_RUNS * part)))]


def _row(goal: Goal, by_seed: list[list[Result]]) -> str:
    """One goal: all seeds together, and zdm's median of each."""
    together = [_joined([results[place] for results in by_seed]) for place in range(len(by_seed[0]))]
    ours = together[0]
    wanted, said = _wanted(goal), [_said(goal, result) for result in together]
    if goal.alarms is None:
        said[0] += " (by seed " + ", ".join(_number(results[0].median) for results in by_seed) + ")"
    said[0] += ": **missed**" if ours.missed else ""
    return f"| {goal.name} | {ours.dispersion:.3g} | {ours.runs:,} | {wanted} | {' | '.join(said)} |"


def _joined(results: list[Result]) -> Result:
    first = results[0]
    return Result(
        first.goal,
        first.judge,
        tuple(value for result in results for value in result.seconds),
        tuple(value for result in results for value in result.failures),
        sum(result.runs for result in results),
        max(result.dispersion for result in results),
    )


def _wanted(goal: Goal) -> str:
    if goal.alarms is not None:
        return f"at most {100 * goal.alarms:g} % turned back"
    parts = [f"{goal.seconds:g} s" if goal.seconds is not None else ""]
    parts.append(f"{goal.failures:g} failures" if goal.failures is not None else "")
    return ", ".join(part for part in parts if part)


def _said(goal: Goal, result: Result) -> str:
    if goal.alarms is not None:
        return f"{result.acted:,} ({100 * result.acted / result.runs:.3g} %)"
    if not isfinite(result.median):
        return f"not in {goal.scenario.seconds - goal.scenario.onset:,} s"
    return f"{_number(result.median)} s, {_number(result.leaked)} failures"


def _slower(each: Slower, found: list[float]) -> str:
    if each.seconds is None:
        said = f"{sum(map(isfinite, found))} turned back"
        return f"| {each.name} | 1 | {len(found)} | 0 | {said} | | |"
    median = statistics.median(found)
    missed = ": **missed**" if median > each.seconds else ""
    return f"| {each.name} | 1 | {len(found)} | {each.seconds:g} s | {_number(median)} s{missed} | | |"


def _cost(measured: Cost) -> str:
    missed = ": **missed**" if measured.value > measured.wanted else ""
    wanted, value = (f"{number:.4g} {measured.unit}" for number in (measured.wanted, measured.value))
    return f"| {measured.name} | | {measured.runs:,} | {wanted} | {value}{missed} | | |"


def _number(value: float) -> str:
    return "never" if not isfinite(value) else f"{value:.3g}"


def _draw(directory: Path, sweep: Sweep, found: dict[str, list[tuple[float, float, float]]]) -> None:
    """Two plots: seconds, and failed requests."""
    kinds: list[tuple[str, str, Callable[[Any], float]]] = [
        ("seconds", "seconds until it acts (median)", lambda point: point[1]),
        ("failures", "failed requests until then (median)", lambda point: point[2]),
    ]
    for kind, up, value in kinds:
        lines = {judge: [(point[0], value(point)) for point in points] for judge, points in found.items()}
        path = directory / f"judge-{sweep.name}-{kind}.svg"
        path.write_text(plot(up, sweep.axis, kind, lines), encoding="utf-8")
        print(f"{path}", file=sys.stderr)


if __name__ == "__main__":
    main()
