# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with something that a person wrote: the thing, its value, what was expected, what to do next.

Rules of this room: shapes and their text; nothing of a spec, no I/O.
A reader of the spec, the inventory or the live routers collects problems and raises them together, so that
a person mends a file once and not one line after the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: A value longer than this is cut in a message.
SHOWN = 80


class _Hidden:
    """What stands in a message for a value that may be a secret."""

    def __str__(self) -> str:
        return "a value that is not shown"


HIDDEN = _Hidden()


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    ``key`` is the path that was written (``checks.errors.every``), ``value`` what stands there (None: nothing),
    ``rule`` the id of the rule that it breaks (see ``_rules``).
    """

    key: str
    value: Any
    expected: str
    next_step: str
    rule: str = ""

    def text(self) -> str:
        """The whole message in one line."""
        return f"{self.key}: {shown(self.value)}, expected {self.expected}; {self.next_step}"


class SpecError(Exception):
    """What the user asked for is refused before anything is touched; ``problems`` holds every reason."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.text() for problem in self.problems))


def shown(value: Any) -> str:
    """A value in a message: scalars as JSON, of anything larger only what it is."""
    if value is None:
        return "nothing"
    if value is HIDDEN:
        return str(value)
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number beyond all bounds"
    if not isinstance(value, (str, int, float)):
        value = str(value)
    text = json.dumps(value, ensure_ascii=False)
    if not text.isprintable():
        text = json.dumps(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def hidden(value: Any) -> Any:
    """What a message may have of a value that can hold a secret: that it is a mapping, a list, or something."""
    if isinstance(value, Mapping):
        return {}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return []
    return None if value is None else HIDDEN


def printable(text: str) -> str:
    """A key or name in a message: one line, and nothing that a terminal would obey."""
    return text if text.isprintable() else ascii(text)[1:-1]
