# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources are short, and say under which licence they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tools.rules.finding import Finding

ROOMS = ("bench", "collections", "demo", "inventories", "playbooks", "tests", "tools")
KINDS = {".py", ".sh", ".yml", ".yaml"}
LONGEST = 400
LICENCE = "SPDX-License-Identifier: GPL-3.0-or-later"


def check(root: Path) -> Iterator[Finding]:
    """All sources of the repository at ``root`` that are too long or without a licence."""
    for room in ROOMS:
        for path in sorted((root / room).rglob("*")):
            if path.suffix in KINDS and path.is_file() and "tests/output" not in str(path):
                yield from _check(path)


def _check(path: Path) -> Iterator[Finding]:
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) > LONGEST:
        yield Finding(path, LONGEST + 1, "%d lines: expected at most %d, one idea a file" % (len(lines), LONGEST))
    if path.suffix == ".py" and lines and not any(LICENCE in line for line in lines[:4]):
        yield Finding(path, 1, "no licence in the first lines: expected %r" % LICENCE)
