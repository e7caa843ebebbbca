# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: requests that go to a pool whatever the shares are, known by a header or a cookie of theirs.

Rules of this room: pure; nothing of one proxy, no I/O.

Theory of operation. There are two sets of rules. ``match`` says who sees the new release first: in force while a
rollout has armed a split, until canary has everything. ``preview`` reaches the pool that has no traffic, at all times,
for whoever wants to look at it. Which pool each set leads to follows from the split alone, so nothing else has to be
ordered, recorded or brought back: a revert takes ``match`` away because nothing is armed any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Sequence, Tuple

MATCH, PREVIEW = "match", "preview"
HEADER, COOKIE = "header", "cookie"


@dataclass(frozen=True)
class Rule:
    """Requests whose ``kind`` (HEADER or COOKIE) of this name has exactly this value."""

    kind: str
    name: str
    value: str

    def to_json(self) -> Dict[str, str]:
        return {self.kind: self.name, "value": self.value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Rule:
        kind = HEADER if HEADER in data else COOKIE
        return cls(kind, str(data[kind]), str(data["value"]))


#: The rules of each set, of which any is enough.
Rules = Mapping[str, Tuple[Rule, ...]]


def read(data: Mapping[str, Sequence[Mapping[str, Any]]]) -> Dict[str, Tuple[Rule, ...]]:
    """Rules from their JSON."""
    return {name: tuple(Rule.from_json(rule) for rule in listed) for name, listed in data.items()}


def targets(rules: Rules, split: Mapping[str, float], stable: str, armed: bool) -> Dict[str, str]:
    """The pool that each set leads to, by the set's name; a set that is not in force is left out.

    ``armed``: a rollout has this split in its hands. Only for two pools, as a service has.
    """
    others = [pool for pool in split if pool != stable]
    if len(others) != 1:
        return {}
    found = {}
    if rules.get(PREVIEW):
        found[PREVIEW] = stable if split[stable] <= 0 else others[0]
    if rules.get(MATCH) and armed and split[stable] > 0:
        found[MATCH] = others[0]
    return found


def kept(rules: Rules, split: Mapping[str, float], shown: Mapping[str, str]) -> Dict[str, str]:
    """The targets where a service is made known again: as ``shown``, which a rollout may have in its hands."""
    leading = shown.get(MATCH) or shown.get(PREVIEW)
    favoured = max(split, key=lambda pool: split[pool])
    if leading in split and 0 < split[favoured] < 100:
        favoured = next((pool for pool in split if pool != leading), favoured)
    return targets(rules, split, favoured, MATCH in shown)
