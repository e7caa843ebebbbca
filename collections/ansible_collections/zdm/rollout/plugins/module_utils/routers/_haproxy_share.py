# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The share map of a managed HAProxy: what a line of it says, and its file with one line changed.

Rules of this room: pure functions over text; no I/O.

    web blue:green:500            of 10,000 requests of service web 500 go to pool green, the others to blue
    web blue:green:500:green:     and those that match the service's rules (rules.py) to green as well
    web blue:green:0::green       those that preview it to green

HAProxy looks its service up for each request and throws a die. Both pools stand in the value, so that it means the
same to every process that reads it, whatever the age of its configuration: an old worker, a new one, one that starts
after a crash in between. The value is one word, so a change of it is one instant.
Keys that begin with the service's name and a dot are somebody else's, as are all other lines; they stay as they are.
"""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Optional

from .. import _split
from .api import Scale, Service
from .rules import MATCH, PREVIEW

SCALE = Scale(per="pool", top=10000)

VALUE = re.compile(r"([A-Za-z0-9._-]+):([A-Za-z0-9._-]+):(\d{1,5})(?::([A-Za-z0-9._-]*):([A-Za-z0-9._-]*))?\Z")
#: The sets of rules in the order of their words, and the place of the first.
SETS, FIRST_SET = (MATCH, PREVIEW), 4


def weights(service: Service, split: Mapping[str, float]) -> Dict[str, int]:
    """The part of each pool in 10,000 requests; ValueError where ``split`` is none, or one that this map cannot say."""
    unknown = sorted(set(split) - set(service.pools))
    if unknown:
        raise ValueError(
            "the split names pool %r: service %s has %s"
            % (unknown[0], service.name, " and ".join(sorted(service.pools)))
        )
    _split.check(split)
    parts = _split.parts({pool: split.get(pool, 0.0) for pool in sorted(service.pools)}, SCALE.top)
    if sum(1 for part in parts.values() if part) > 2:
        raise ValueError(
            "the split %s gives traffic to more than two pools at once, which a managed HAProxy cannot: expected at "
            "most two" % _split.describe(split)
        )
    return parts


def value(parts: Mapping[str, int], targets: Optional[Mapping[str, str]] = None) -> str:
    """The word for these parts, which sum to 10,000, and for where rules lead; pools in the order of their names."""
    taking = [pool for pool in sorted(parts) if parts[pool]]
    resting = [pool for pool in sorted(parts) if not parts[pool]]
    pair = sorted((taking + resting)[:2])
    first, second = pair[0], pair[-1]
    words = [first, second, "%d" % (parts[second] if first != second else 0)]
    return ":".join(words + ([targets.get(name, "") for name in SETS] if targets else []))


def parse_value(text: str) -> Optional[Dict[str, int]]:
    """The parts that a word says; None for one that is no share, which HAProxy takes for all to its default pool."""
    found = VALUE.match(text)
    if not found or int(found[3]) > SCALE.top:
        return None
    first, second, part = found[1], found[2], int(found[3])
    return {first: SCALE.top} if first == second else {first: SCALE.top - part, second: part}


def parse_targets(text: str) -> Dict[str, str]:
    """The pool that each set of rules leads to by a word."""
    found = VALUE.match(text)
    pools = [found[FIRST_SET], found[FIRST_SET + 1]] if found else []
    return {name: pool for name, pool in zip(SETS, pools) if pool}


def values(text: str, key: str) -> List[str]:
    """What the file's lines with this key say, in their order."""
    return [words[1] if len(words) > 1 else "" for words in map(_words, text.splitlines()) if words[:1] == [key]]


def with_value(text: str, key: str, word: str) -> str:
    """The file with one line for ``key``, in the place of the first that there is or at the end."""
    lines: List[str] = []
    line = "%s %s" % (key, word)
    placed = False
    for present in text.splitlines():
        if _words(present)[:1] != [key]:
            lines.append(present)
        elif not placed:
            lines.append(line)
            placed = True
    return "\n".join(lines if placed else [*lines, line]) + "\n"


def without(text: str, key: str) -> str:
    """The file without the lines of ``key``."""
    return "".join(line + "\n" for line in text.splitlines() if _words(line)[:1] != [key])


def shown(reply: str, key: str) -> List[str]:
    """The values of ``key`` in an answer to ``show map``, whose lines are ``0x55b6… KEY VALUE``."""
    rows = (line.split(None, 2) for line in reply.splitlines())
    return [(row[2] if len(row) > 2 else "").strip() for row in rows if len(row) > 1 and row[1] == key]


def _words(line: str) -> List[str]:
    """Key and value of a line; a comment has neither."""
    stripped = line.strip()
    return [] if stripped.startswith("#") else stripped.split(None, 1)
