# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of faults: what each run found, and the medians of all runs (``make faults``)."""

from __future__ import annotations

import json
import os
import statistics
import sys
from pathlib import Path

#: How often each fault is run; where the runs are noted (nowhere in the reduced suite).
RUNS = int(os.environ.get("ZDM_FAULT_RUNS", "1"))
NOTES = os.environ.get("ZDM_FAULT_NOTES", "")


def note(fault: str, proxy: str, bound: str, seconds: float | None, failed: int, control: str = "") -> None:
    """One run: seconds from the fault until the last router was back (None: nothing had to go back)."""
    if not NOTES:
        return
    entry = {"fault": fault, "proxy": proxy, "bound": bound, "seconds": seconds, "failed": failed, "control": control}
    with open(NOTES, "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def table(notes: Path) -> str:
    """The notes as a table in Markdown."""
    runs: dict[tuple[str, str, str], list[dict[str, object]]] = {}
    controls: dict[tuple[str, str], str] = {}
    for line in notes.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["control"]:
            controls[(entry["fault"], entry["proxy"])] = entry["control"]
        else:
            runs.setdefault((entry["fault"], entry["proxy"], entry["bound"]), []).append(entry)
    lines = [
        "| fault | proxy | n | median, s | worst, s | bound | requests failed | without the protection |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (fault, proxy, bound), entries in runs.items():
        seconds = [float(str(entry["seconds"])) for entry in entries if entry["seconds"] is not None]
        median = "%.3f" % statistics.median(seconds) if seconds else "stays"
        worst = "%.3f" % max(seconds) if seconds else "stays"
        failed = sum(int(str(entry["failed"])) for entry in entries)
        control = controls.get((fault, proxy), "")
        lines.append(f"| {fault} | {proxy} | {len(entries)} | {median} | {worst} | {bound} | {failed} | {control} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table(Path(sys.argv[1])))
