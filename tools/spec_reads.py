# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the spec's validator reads: each key of each of its tables, as what kind of value, and with which default.

Nobody retypes it: the validator is watched while it reads specs that open every door (each strategy, each signal, an
entry in each list). What it asks for is what there is; a key of a table that it never asked for is an error of whoever
added the key, and of the doors below.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from ansible_collections.zdm.rollout.plugins.plugin_utils import _spec_keys
from ansible_collections.zdm.rollout.plugins.plugin_utils._kinds import Kind
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._reader import Reader
from ansible_collections.zdm.rollout.plugins.plugin_utils._spec import parse
from ansible_collections.zdm.rollout.plugins.plugin_utils._spec_keys import Keys

#: The key that decides which others a mapping of this table has.
DECIDING = {"SPEC": "strategy", "ANY_CHECK": "signal"}


@dataclass(frozen=True)
class Read:
    """One way in which a key is read. ``form``: ``kind`` (of ``what``), ``choice`` (a word of it), ``words`` (a list of
    those), ``mapping`` (with the keys ``what``), ``named`` (such mappings by name) or ``list`` (of such mappings)."""

    form: str
    what: Kind[Any] | Keys
    default: Any = None


@dataclass
class Reads:
    """``keys``: table -> key -> what its deciding key said -> the ways in which it was read.

    ``missing``: table -> what its deciding key said -> keys without which it is refused.
    """

    keys: dict[str, dict[str, dict[str, list[Read]]]] = field(default_factory=lambda: defaultdict(dict))
    missing: dict[str, dict[str, set[str]]] = field(default_factory=lambda: defaultdict(dict))

    def of(self, table: str, key: str, decided: str | None = None) -> list[Read]:
        """The ways in which a key is read, each once; where it was decided so, if anything is said of that."""
        by = self.keys[table].get(key, {})
        found = [read for said, reads in by.items() if decided in (None, said) for read in reads]
        return [read for index, read in enumerate(found) if read not in found[:index]]

    def children(self) -> Iterator[tuple[str, str, str]]:
        """(table, key, the table of the mappings that stand there), without end where tables contain themselves."""
        for table, keys in self.keys.items():
            for key in keys:
                for read in self.of(table, key):
                    if read.form in ("mapping", "named", "list") and isinstance(read.what, Keys):
                        yield table, key, name_of(read.what)


def name_of(keys: Keys) -> str:
    """What the validator calls this table."""
    return next(name for name, table in vars(_spec_keys).items() if table is keys)


def doors() -> Iterator[dict[str, Any]]:
    """Specs, not one of them in order, in which everything that may stand in a spec is read."""
    yield {"checks": {"undecided": {}}}
    for strategy in _spec_keys.STRATEGIES.known:
        ways: list[dict[str, Any]] = [{"steps": [{"hold": 60}, {"approve": {}}]}, {"progression": {}}]
        for way in ways:
            yield {
                "strategy": strategy,
                "pools": {"blue": {}},
                "health": {},
                "hooks": {"deploy": {}, "retire": {}},
                "match": [{"header": ""}, {"cookie": ""}],
                "preview": [{}],
                "reflex": {},
                "approve": {},
                "routers_ignore": [{}],
                "notify": [{"on": []}],
                "freeze": [{"from": "", "to": ""}, {"days": []}],
                "checks": dict(_checks()),
                **way,
            }


def _checks() -> Iterator[tuple[str, Any]]:
    for signal in _spec_keys.SIGNALS.known:
        for written in ({}, {"compare": "stable"}, *({key: "x"} for keys in _spec_keys.SERIES for key in keys)):
            yield f"{signal} {' '.join(written)}", {"signal": signal, **written}


def watched() -> Reads:
    """All that the validator reads."""
    return _Watch().reads


class _Watch:
    """Stands between the validator and its Reader while it reads what lies behind the doors."""

    def __init__(self) -> None:
        self.reads = Reads()
        self._tables: dict[int, tuple[Reader, str]] = {}
        with ExitStack() as patches:
            for name, watch in self._watches().items():
                patches.enter_context(mock.patch.object(Reader, name, _around(getattr(Reader, name), watch)))
            for document in doors():
                try:
                    parse(document, "any")
                except SpecError:
                    continue
                raise AssertionError("expected a spec with nothing but doors to be refused: it lacks required keys")

    def _watches(self) -> dict[str, Callable[..., None]]:
        return {
            "__init__": self._opened,
            "optional": lambda reader, key, kind, default: self._note(reader, key, Read("kind", kind, default)),
            "required": self._required,
            "choice": lambda reader, key, choices, default, **dummy: self._note(
                reader, key, Read("choice", choices, default)
            ),
            "words": lambda reader, key, choices: self._note(reader, key, Read("words", choices)),
            "mapping": self._mapping,
            "mappings": lambda reader, key, keys, **dummy: self._note(reader, key, Read("list", keys)),
            "entries": self._entries,
            "note": self._noted,
        }

    def _opened(self, reader: Reader, document: Any, path: str, keys: Keys | None, *more: Any, **dummy: Any) -> None:
        if keys is not None:
            # The reader is kept so that no other one gets its identity.
            self._tables[id(reader)] = (reader, name_of(keys))

    def _required(self, reader: Reader, key: str, kind: Kind[Any], instead: Any) -> None:
        """It was read as if it had a default, which is nobody's."""
        table, decided = self._place(reader)
        ways = self.reads.keys[table][key]
        ways[decided] = [*(read for read in ways[decided] if read.what is not kind), Read("kind", kind)]

    def _mapping(self, reader: Reader, key: str, keys: Keys | None) -> None:
        if keys is not None:
            self._note(reader, key, Read("mapping", keys))

    def _entries(self, reader: Reader, keys: Keys) -> None:
        """Of a mapping of names, which stands in the spec itself."""
        self._write("SPEC", reader.path, "", Read("named", keys))

    def _noted(self, reader: Reader, rule: str, key: str, *dummy: Any, **more: Any) -> None:
        table, decided = self._place(reader)
        if rule == "key.missing" and table:
            self.reads.missing[table].setdefault(decided, set()).add(key)

    def _note(self, reader: Reader, key: str, read: Read) -> None:
        table, decided = self._place(reader)
        if table:
            self._write(table, key, decided, read)

    def _write(self, table: str, key: str, decided: str, read: Read) -> None:
        ways = self.reads.keys[table].setdefault(key, {}).setdefault(decided, [])
        if read not in ways:
            ways.append(read)

    def _place(self, reader: Reader) -> tuple[str, str]:
        """The reader's table, and what its deciding key says."""
        dummy, table = self._tables.get(id(reader), (reader, ""))
        return table, str(reader.raw(DECIDING[table]) or "") if table in DECIDING else ""


def _around(original: Callable[..., Any], watch: Callable[..., None]) -> Callable[..., Any]:
    """``original``, of which ``watch`` is told afterwards: then a new reader has what it reads from."""

    def called(reader: Reader, *words: Any, **more: Any) -> Any:
        result = original(reader, *words, **more)
        watch(reader, *words, **more)
        return result

    return called
