# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON Schema of the spec, for editors: made of what the validator reads and of what the contracts say of it.

python -m tools.schema: writes docs/spec.schema.json.

The schema is for an editor to complete, explain and underline while somebody writes; what counts is the validator. So
the schema never refuses what the validator accepts, and says nothing of rules that look at several places at once
(tests/repo/test_schema.py has the list of those).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.zdm.rollout.plugins.plugin_utils import _duration, _kinds, _spec, _spec_keys, _terms
from ansible_collections.zdm.rollout.plugins.plugin_utils._kinds import Kind
from ansible_collections.zdm.rollout.plugins.plugin_utils._rules import RULES
from ansible_collections.zdm.rollout.plugins.plugin_utils._spec_keys import Keys
from tools.spec_reads import DECIDING, Read, Reads, name_of, watched
from tools.spec_words import part, rows

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs/spec.schema.json"

Schema = dict[str, Any]

#: A printable line that is not blank, as far as one pattern says that in every editor.
LINE = r"^[^\u0000-\u001f\u007f]*[^\s\u0000-\u001f\u007f][^\u0000-\u001f\u007f]*$"


def of_kind(kind: Kind[Any]) -> Schema:
    """One kind of value."""
    bounds: Schema = {}
    if kind.low is not None:
        bounds["exclusiveMinimum" if kind.above else "minimum"] = kind.low
    if kind.high is not None:
        bounds["maximum"] = kind.high
    text: Schema = {"type": "string", "pattern": f"^(?:{kind.pattern})$" if kind.pattern else LINE}
    if kind.textual:
        return text
    if kind.pattern:
        return {"anyOf": [text, {"type": "number", **bounds}]}
    return {"type": "integer" if kind.rule == "value.whole" else "number", **bounds}


def any_of(schemas: list[Schema]) -> Schema:
    """Each of them once."""
    different = [schema for index, schema in enumerate(schemas) if schema not in schemas[:index]]
    return different[0] if len(different) == 1 else {"anyOf": different}


def _either(*kinds: Kind[Any]) -> Callable[[Schema], Schema]:
    return lambda dummy: {"anyOf": [of_kind(kind) for kind in kinds]}


def _or(other: Schema) -> Callable[[Schema], Schema]:
    return lambda read: {"anyOf": [other, read]}


def _and(other: Schema) -> Callable[[Schema], Schema]:
    return lambda read: {**read, **other}


#: Values that the validator takes apart by itself. What it is seen to read of them is not all, or nothing.
BY_ITSELF: dict[tuple[str, str], Callable[[Schema], Schema]] = {
    ("SPEC", "version"): lambda dummy: {"const": _spec.VERSION},
    ("SPEC", "pools"): _and({"minProperties": 2, "maxProperties": 2}),
    ("SPEC", "steps"): _and({"minItems": 1}),
    ("SPEC", "reflex"): _or({"enum": list(_spec_keys.REFLEX_WORDS.known)}),
    ("SPEC", "approve"): _or({"type": "boolean"}),
    ("STEP", "approve"): _or({"type": "boolean"}),
    ("STEP", "checks"): lambda dummy: {"type": "array", "items": of_kind(_kinds.TEXT)},
    ("ANY_CHECK", "expect"): lambda dummy: {"anyOf": [of_kind(_kinds.STATUS), {"type": "string"}]},
    ("SPEC", "match"): _and({"minItems": 1}),
    ("SPEC", "preview"): _and({"minItems": 1}),
    ("FREEZE", "days"): _and({"minItems": 1}),
    ("NOTIFY", "on"): _and({"minItems": 1}),
    ("NOTIFY", "command"): lambda dummy: {
        "type": "array",
        "prefixItems": [of_kind(_terms.PROGRAM)],
        "items": of_kind(_kinds.TEXT),
        "minItems": 1,
    },
}

#: Of the mappings of a table, or of those whose deciding key says so: which keys go with which others.
TOGETHER: dict[tuple[str, str], Schema] = {
    ("SPEC", "canary"): {"oneOf": [{"required": ["steps"]}, {"required": ["progression"]}]},
    ("PROGRESSION", ""): {"oneOf": [{"required": ["factor"]}, {"required": ["add"]}]},
    ("NOTIFY", ""): {"oneOf": [{"required": ["command"]}, {"required": ["url"]}]},
    ("FREEZE", ""): {"anyOf": [{"required": ["days"]}, {"required": ["from", "to"]}]},
    ("RULE", ""): {"oneOf": [{"required": ["header"]}, {"required": ["cookie"]}]},
    ("APPROVE", ""): {"dependentRequired": {"on_timeout": ["timeout"]}},
}


def forbidden(table: str, decided: str) -> set[str]:
    """Keys of the table that do not go with what its deciding key says."""
    if table == "SPEC":
        return set(_spec_keys.OF_OTHER_STRATEGIES[decided])
    of_all = {key for keys in _spec_keys.CHECK_OF_SIGNAL.values() for key in keys}
    return of_all - set(_spec_keys.CHECK_OF_SIGNAL[decided])


class Maker:
    """Makes the schema of all tables of what was read."""

    def __init__(self, reads: Reads, contracts: str) -> None:
        self._reads = reads
        self._rows = rows(contracts)

    def whole(self) -> Schema:
        definitions = sorted({child for dummy, dummy2, child in self._reads.children()})
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"zdm spec, version {_spec.VERSION}",
            "description": "What is rolled out, in which steps, and what turns it back: docs/contracts.md, section 1.",
            **self._table("SPEC"),
            "$defs": {child.lower(): self._table(child) for child in definitions},
        }

    def _table(self, table: str) -> Schema:
        keys: Keys = getattr(_spec_keys, table)
        required = self._reads.missing[table].get("", set())
        schema: Schema = {
            "type": "object",
            "properties": {
                **{key: self._property(table, key) for key in keys.known},
                **{key: _not_yet(key) for key in keys.not_yet},
            },
            **_required(keys, required),
            "additionalProperties": False,
            **TOGETHER.get((table, ""), {}),
        }
        if table in DECIDING:
            choices: Keys = self._reads.of(table, DECIDING[table])[0].what  # type: ignore[assignment]
            schema["allOf"] = [self._decided(table, each, keys, required) for each in choices.known]
        return schema

    def _decided(self, table: str, decided: str, keys: Keys, required: set[str]) -> Schema:
        """What holds where the deciding key says so."""
        properties: Schema = {}
        for key in keys.known:
            if key in forbidden(table, decided):
                properties[key] = False
            elif (now := self._value(table, key, decided)) and now != self._value(table, key):
                properties[key] = now
        needed = self._reads.missing[table].get(decided, set()) - required
        then = {"properties": properties, **_required(keys, needed), **TOGETHER.get((table, decided), {})}
        return {
            "if": {"properties": {DECIDING[table]: {"const": decided}}, **_required(keys, {DECIDING[table]})},
            "then": then,
        }

    def _property(self, table: str, key: str) -> Schema:
        reads = self._reads.of(table, key)
        value = self._value(table, key)
        if not value:
            raise ValueError(
                f"{table}.{key} is a key that the validator was never seen to read: open a door for it in"
                " tools/spec_reads.py, or say in BY_ITSELF what it reads there"
            )
        defaults = {json.dumps(_default(read)) for read in reads}
        default = json.loads(defaults.pop()) if len(defaults) == 1 else None
        # Where a reference stands in several places, what it means here is said beside it.
        return {
            "title": self._title(table, key),
            "description": self._description(table, key, reads),
            **value,
            **({} if default is None else {"default": default}),
        }

    def _value(self, table: str, key: str, decided: str | None = None) -> Schema:
        """What may stand at the key; empty where nobody read it."""
        reads = self._reads.of(table, key, decided)
        read = any_of([_of_read(each) for each in reads]) if reads else {}
        by_itself = BY_ITSELF.get((table, key))
        return by_itself(read) if by_itself else read

    def _title(self, table: str, key: str) -> str:
        above = next((found for found in self._reads.children() if found[2] == table), None)
        return f"{self._title(above[0], above[1])}: {key}" if above else key

    def _description(self, table: str, key: str, reads: list[Read]) -> str:
        kinds = [read.what for read in reads if isinstance(read.what, Kind)]
        expected = dict.fromkeys(RULES[kind.rule].expected.format(**kind.words) for kind in kinds)
        more = f". Expected: {', or '.join(expected)}" if expected else ""
        return f"{self._meaning(table, key)}{more}."

    def _meaning(self, table: str, key: str) -> str:
        if (table, key) in self._rows:
            return self._rows[table, key].rstrip(".")
        above = [found for found in self._reads.children() if found[2] == table]
        if not above:
            raise ValueError(f"docs/contracts.md has no row for {key}: every key is written there before it is read")
        siblings = getattr(_spec_keys, table).known
        told = [part(self._meaning(parent, at), key, siblings) for parent, at, dummy in above]
        named = [each for each in told if re.search(rf"\b{key}\b", each)]
        return min(named or told, key=len).rstrip(".")


def _required(keys: Keys, required: set[str]) -> Schema:
    return {"required": [key for key in keys.known if key in required]} if required else {}


def _of_read(read: Read) -> Schema:
    if isinstance(read.what, Kind):
        return of_kind(read.what)
    words = {"enum": list(read.what.known)}
    if read.form == "choice":
        return words
    if read.form == "words":
        return {"type": "array", "items": words}
    mapping = {"$ref": f"#/$defs/{name_of(read.what).lower()}"}
    if read.form == "list":
        return {"type": "array", "items": mapping}
    if read.form == "named":
        return {"type": "object", "propertyNames": of_kind(_kinds.NAME), "additionalProperties": mapping}
    return mapping


def _default(read: Read) -> Any:
    """A default as people write it; None where there is none, or none that is always the same."""
    if not isinstance(read.default, (str, int, float)) or read.default == "":
        return None
    if isinstance(read.what, Kind) and read.what.rule == "value.duration" and not isinstance(read.default, str):
        return _duration.text(read.default)
    whole = isinstance(read.default, float) and read.default.is_integer()
    return int(read.default) if whole else read.default


def _not_yet(key: str) -> Schema:
    """A key that is promised: refused, with a word why, and not offered by an editor that knows how not to."""
    words = "Not yet in zdm: a later version will know it."
    return {"title": key, "description": words, "not": {}, "doNotSuggest": True}


def text() -> str:
    """The whole file."""
    schema = Maker(watched(), (ROOT / "docs/contracts.md").read_text(encoding="utf-8")).whole()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
