# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a table into a page, between ``<!-- make NAME -->`` and ``<!-- end -->``: what is measured is not retyped.

python -m tools.paste PAGE NAME < TABLE
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def pasted(page: str, name: str, table: str) -> str:
    """The page with the table in its place; ValueError where it has no place for it."""
    begin, end = f"<!-- make {name} -->\n", "<!-- end -->"
    found = re.search(re.escape(begin) + "(.*?)" + re.escape(end), page, re.DOTALL)
    if not found:
        raise ValueError(f"no {begin.strip()} with a later {end}: expected both in the page")
    return page[: found.start(1)] + "\n" + table.strip() + "\n\n" + page[found.end(1) :]


def main() -> None:
    path, name = Path(sys.argv[1]), sys.argv[2]
    table = sys.stdin.read()
    if "|" not in table:
        raise SystemExit(f"{path} stays as it is: there is no table to put into it")
    path.write_text(pasted(path.read_text(encoding="utf-8"), name, table), encoding="utf-8")


if __name__ == "__main__":
    main()
