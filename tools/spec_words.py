# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each key of the spec means, in the words of the contracts' own tables (docs/contracts.md, sections 1 and 1.1).

A key that has no row of its own is told in the row of the key that it stands under: by the part of it that begins with
the key, where one does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Table of the validator -> the section of the contracts that has a row for each of its keys.
SECTIONS = {"SPEC": "\n## 1. Spec", "ANY_CHECK": "\n### 1.1 A check"}


def rows(contracts: str) -> dict[tuple[str, str], str]:
    """(table, key) -> its meaning. Of what is promised for later a row says no more than that."""
    found: dict[tuple[str, str], str] = {}
    for table, title in SECTIONS.items():
        section = re.split(r"\n##", contracts.partition(title)[2])[0]
        for keys, meaning in re.findall(r"^\| (`[^|]*) \| (.*) \|$", section, re.MULTILINE):
            found.update({(table, key): meaning for key in re.findall(r"`(\w+)`", keys)})
    return found


def part(meaning: str, key: str, siblings: Iterable[str]) -> str:
    """The part of a row that is about one of the keys that stand under the row's own; else all of it."""
    names = "|".join(map(re.escape, siblings))
    word = rf"(?:(?<=[;.,:)] )|(?<=, and )|(?<=; and ))`(?:{names})`"
    begins = [found.start() for found in re.finditer(word, meaning)]
    for begin, end in zip(begins, [*begins, len(meaning)][1:], strict=False):
        told = meaning[begin:end].removesuffix("and ").strip(" ;,.")
        if re.match(rf"`{re.escape(key)}`.*\w", told) and told != f"`{key}`":
            return told
    return meaning
