# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selectors: which of the time series on a page of metrics are meant, by name and labels.

Rules of this room: pure. The grammar is the selector of PromQL without offsets and ranges.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_NAME = r"[A-Za-z_:][A-Za-z0-9_:]*"
_SELECTOR = re.compile(rf"({_NAME})\s*(?:\{{(.*)\}})?")
_MATCHER = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(,|$)')


@dataclass(frozen=True)
class Matcher:
    """What a label has to be; one that a series does not have is empty."""

    label: str
    operator: str
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        there = labels.get(self.label, "")
        same = bool(re.fullmatch(self.value, there)) if self.operator.endswith("~") else there == self.value
        return same is not self.operator.startswith("!")


@dataclass(frozen=True)
class Selector:
    """The series with this name and these labels."""

    name: str
    matchers: tuple[Matcher, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(matcher.matches(labels) for matcher in self.matchers)

    def __str__(self) -> str:
        within = ",".join(f'{each.label}{each.operator}"{each.value}"' for each in self.matchers)
        return f"{self.name}{{{within}}}" if within else self.name


def parse(text: str) -> Selector:
    """The selector that a text is; ValueError says what is wrong with it, for people."""
    whole = _SELECTOR.fullmatch(text.strip())
    if whole is None:
        raise ValueError("it is not a name with labels in braces")
    matchers: list[Matcher] = []
    rest = whole[2] or ""
    while rest.strip():
        found = _MATCHER.match(rest)
        if found is None:
            raise ValueError(f"{rest.strip()!r} does not begin with a label, one of = != =~ !~, and a value in quotes")
        matchers.append(_matcher(found[1], found[2], re.sub(r"\\(.)", r"\1", found[3])))
        rest = rest[found.end() :]
    return Selector(whole[1], tuple(matchers))


def _matcher(label: str, operator: str, value: str) -> Matcher:
    if operator.endswith("~"):
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from None
    return Matcher(label, operator, value)
