# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds every rule against the tree: prints what it finds, ends with 1 if there is anything."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.rules import detached, house, portable

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = ROOT / "collections/ansible_collections/zdm/rollout"


def main() -> int:
    findings = [*portable.check(COLLECTION), *detached.check(COLLECTION), *house.check(ROOT)]
    for finding in findings:
        print(finding.located(ROOT))
    print("rules: %s" % ("%d broken" % len(findings) if findings else "all kept"))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
