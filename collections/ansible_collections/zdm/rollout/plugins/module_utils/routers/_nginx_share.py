# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The share of a service at a managed nginx: names of empty files in a directory, and what they say.

Rules of this room: pure functions over names; no I/O.

    split/web/current -> green=50      the directory that is in force: a symbolic link
    split/web/green=50/0.green … 49.green
    split/web/green=50/match.green     requests that match the service's rules (rules.py) go to green as well
    split/web/green=50/preview.green   and those that preview it

nginx throws each request into one of 1,000 buckets and looks whether ``current/<bucket>.<second>`` is there, where
``second`` is the second pool by name. Who is in no such bucket goes to the first. So the meaning depends neither on
who is canary nor on the age of the configuration that asks, a greater share takes buckets to those that it has, and a
change of split and rules together is one rename. What a directory is called is for people; what is in it counts.
"""

from __future__ import annotations

import re
from typing import AbstractSet, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

from .. import _split
from .api import Scale, Service
from .rules import MATCH, PREVIEW

SCALE = Scale(per="pool", top=1000)
SETS = (MATCH, PREVIEW)
BUCKET = re.compile(r"(0|[1-9]\d{0,2})\.(.+)\Z")


def pair(pools: Sequence[str]) -> Tuple[str, str]:
    """The first and the second pool by name, which are the same where there is one; ValueError for more than two."""
    if not 1 <= len(pools) <= 2:
        raise ValueError("a managed nginx splits between two pools, and these are %d: %s" % (len(pools), list(pools)))
    return min(pools), max(pools)


def weights(service: Service, split: Mapping[str, float]) -> Dict[str, int]:
    """The part of each pool in 1,000 requests; ValueError where ``split`` is none, or one that cannot be said here."""
    unknown = sorted(set(split) - set(service.pools))
    if unknown:
        raise ValueError(
            "the split names pool %r: service %s has %s"
            % (unknown[0], service.name, " and ".join(sorted(service.pools)))
        )
    _split.check(split)
    pair(list(service.pools))
    return _split.parts({pool: split.get(pool, 0.0) for pool in sorted(service.pools)}, SCALE.top)


def files(parts: Mapping[str, int], targets: Mapping[str, str]) -> FrozenSet[str]:
    """The names of the files that say these parts, which sum to 1,000, and where rules lead."""
    first, second = pair(list(parts))
    buckets = range(parts[second]) if first != second else range(0)
    return frozenset(["%d.%s" % (bucket, second) for bucket in buckets] + ["%s.%s" % item for item in targets.items()])


def name(parts: Mapping[str, int], targets: Mapping[str, str]) -> str:
    """What the directory of these files is called: ``green=50,match=green``."""
    first, second = pair(list(parts))
    told = ["%s=%d" % (second, parts[second] if first != second else SCALE.top)]
    return ",".join(told + ["%s=%s" % (each, targets[each]) for each in SETS if each in targets])


def parts_of(names: AbstractSet[str], pools: Sequence[str]) -> Dict[str, int]:
    """The part of each pool that these files say."""
    first, second = pair(pools)
    taken = len(buckets_of(names, second)) if first != second else SCALE.top
    return {first: SCALE.top - taken, second: taken}


def targets_of(names: AbstractSet[str], pools: Sequence[str]) -> Dict[str, str]:
    """The pool that each set of rules leads to by these files."""
    return {each: pool for each in SETS for pool in sorted(pools) if "%s.%s" % (each, pool) in names}


def buckets_of(names: AbstractSet[str], second: str) -> List[int]:
    """The buckets that go to the second pool, in order."""
    found = (BUCKET.match(each) for each in names)
    return sorted(int(match[1]) for match in found if match and match[2] == second)


def edges(buckets: Sequence[int]) -> Tuple[Optional[int], Optional[int]]:
    """The last bucket of the second pool, and the first of the other: where a share would be seen to be another."""
    taken = set(buckets)
    return (
        buckets[-1] if buckets else None,
        next((bucket for bucket in range(SCALE.top) if bucket not in taken), None),
    )
