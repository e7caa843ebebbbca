# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One mapping of the spec, read key by key: the path of each value is known, problems are collected.

Rules of this room: nothing of a particular key. A reader never raises for what was written: it notes the problem and
hands back what it was told to put in its place, so that the rest is read too and all problems come at once.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, overload

from ._kinds import CLOCK, Kind
from ._problem import Problem, hidden
from ._rules import RULES, problem
from ._spec_keys import Keys

T = TypeVar("T")
D = TypeVar("D")

#: What YAML makes of a text that lacks its quotes.
_MANGLED = (bool, int, float, datetime.date)


class Reader:
    """A mapping at ``path``, with the keys that are allowed in it (None: any name, such as the pools').

    ``secret``: its values may be secrets, so no problem shows one.
    """

    def __init__(
        self, document: Any, path: str, keys: Keys | None, problems: list[Problem], *, secret: bool = False
    ) -> None:
        self.path = path
        self.problems = problems
        self._secret = secret
        self._document: dict[str, Any] = {}
        #: False where something else stands in the mapping's place; then the reader is empty.
        self.is_mapping = isinstance(document, Mapping)
        if not isinstance(document, Mapping):
            problems.append(problem("value.mapping", path or "the spec", self._told(document)))
            return
        for key, value in document.items():
            if not isinstance(key, str):
                self.note("key.quote", str(key), key, written=key)
            elif keys is not None and key in keys.not_yet:
                self.note("key.not_yet", key, key)
            elif keys is not None and key not in keys.known:
                # YAML makes a key of {url:https://…}, without a blank: a secret one is named by its mapping alone.
                place = path if secret else self.at(key)
                words = {"known": ", ".join(keys.known), "hint": nearest(key, keys.known)}
                problems.append(problem("key.unknown", place, self._told(key), **words))
            elif value is None:
                self.note("key.empty", key)
                self._document[str(key)] = None
            else:
                self._document[str(key)] = value

    def at(self, key: str) -> str:
        """The path of ``key``; of one that nobody would see it has its quotes."""
        key = key if key.strip() else f'"{key}"'
        return f"{self.path}.{key}" if self.path else key

    def note(self, rule: str, key: str, value: Any = None, **words: object) -> None:
        """One more problem, at ``key`` of this mapping."""
        self.problems.append(problem(rule, self.at(key), self._told(value), **words))

    def _told(self, value: Any) -> Any:
        return hidden(value) if self._secret else value

    def has(self, key: str) -> bool:
        """Whether ``key`` was written."""
        return key in self._document

    def sound(self, key: str) -> bool:
        """Whether nothing is wrong so far with what was written at ``key``: then more can be made of it."""
        at = self.at(key)
        return not any(found.key == at or found.key.startswith((f"{at}.", f"{at}[")) for found in self.problems)

    def raw(self, key: str) -> Any:
        """What was written at ``key``, unread; None for nothing."""
        return self._document.get(key)

    def keys(self) -> Iterable[str]:
        """The keys that were written, in their order."""
        return self._document.keys()

    def required(self, key: str, kind: Kind[T], instead: D) -> T | D:
        """The value at ``key``; a problem and ``instead`` where it is missing or wrong."""
        if not self.has(key):
            self.note("key.missing", key, what=RULES[kind.rule].expected.format(**kind.words))
        return self.optional(key, kind, instead)

    def optional(self, key: str, kind: Kind[T], default: D) -> T | D:
        """The value at ``key``; ``default`` where it is missing, and with a problem where it is wrong."""
        value = self.raw(key)
        if value is None:
            return default
        return read(kind, value, self.at(key), default, self.problems, secret=self._secret)

    @overload
    def choice(self, key: str, choices: Keys, default: str) -> str: ...

    @overload
    def choice(self, key: str, choices: Keys, default: None, *, required: bool = False) -> str | None: ...

    def choice(self, key: str, choices: Keys, default: str | None, *, required: bool = False) -> str | None:
        """One word of ``choices``; those whose time has not come are refused as such."""
        value = self.raw(key)
        known = " or ".join(choices.known)
        if value is None:
            if required and not self.has(key):
                self.note("key.missing", key, what=known)
            return default
        if isinstance(value, _MANGLED):
            self.note("value.quote", key, value, what=known)
        elif not isinstance(value, str) or value not in choices.known + choices.not_yet:
            self.note("value.choice", key, value, known=known)
        elif value in choices.not_yet:
            self.note("value.not_yet", key, value, known=known)
        else:
            return str(value)
        return default

    def words(self, key: str, choices: Keys) -> Sequence[str]:
        """Those words in the list at ``key`` that are among ``choices``; any other is a problem."""
        items = self.list(key)
        for path, item in items:
            if item not in choices.known:
                self.problems.append(problem("value.choice", path, item, known=" or ".join(choices.known)))
        return [str(item) for dummy, item in items if item in choices.known]

    def mapping(self, key: str, keys: Keys | None) -> Reader:
        """The mapping at ``key``; an empty one where there is none."""
        value = self.raw(key)
        return Reader({} if value is None else value, self.at(key), keys, self.problems)

    def entries(self, keys: Keys) -> Iterator[tuple[str, Reader]]:
        """The mappings that stand in this one, by name; what is no mapping is a problem and left out."""
        for name, value in self._document.items():
            if value is not None:
                entry = Reader(value, self.at(name), keys, self.problems)
                if entry.is_mapping:
                    yield name, entry

    def mappings(self, key: str, keys: Keys, *, secret: bool = False) -> Iterator[Reader]:
        """The mappings in the list at ``key``; what is no mapping is a problem and left out."""
        for path, item in self.list(key, secret=secret):
            entry = Reader(item, path, keys, self.problems, secret=secret)
            if entry.is_mapping:
                yield entry

    def list(self, key: str, *, secret: bool = False) -> list[tuple[str, Any]]:
        """The items at ``key`` with their paths; none where there is no list."""
        value = self.raw(key)
        if value is None:
            return []
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            self.note("value.list", key, hidden(value) if secret else value)
            return []
        return [(f"{self.at(key)}[{index}]", item) for index, item in enumerate(value)]


def read(kind: Kind[T], value: Any, path: str, instead: D, problems: list[Problem], *, secret: bool = False) -> T | D:
    """One value of ``kind``; a problem (which does not show a ``secret`` one) and ``instead`` where it is not."""
    try:
        return kind.read(value)
    except ValueError:
        told = hidden(value) if secret else value
        clock = CLOCK.fullmatch(value) if isinstance(value, str) and kind.rule == "value.duration" else None
        if clock:
            first, second = int(clock[1]), int(clock[2])
            problems.append(
                problem("value.clock", path, told, minutes=f"{first}m{second}s", hours=f"{first}h{second}m")
            )
        elif kind.textual and isinstance(value, _MANGLED):
            problems.append(problem("value.quote", path, told, what=RULES[kind.rule].expected.format(**kind.words)))
        else:
            problems.append(problem(kind.rule, path, told, **kind.words))
        return instead


def nearest(word: str, known: Iterable[str]) -> str:
    """The next step for a word that nobody knows."""
    lower = {name.lower(): name for name in known}
    # Of a word of two letters one that is right is close.
    close = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.5 if len(word) == 2 else 0.6)
    return f"did you mean {lower[close[0]]}?" if close else "remove it"
