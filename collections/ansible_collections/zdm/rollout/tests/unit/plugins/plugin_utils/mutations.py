# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to spoil one place of a spec, each as the text of a file, as people and their editors would write it."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

#: Where a spoiled value is put into the text.
HERE = "ZDMPLACEHOLDER"
#: One of so many of SYNTAX, and of SIGNS, is put into a place.
EVERY_SYNTAX, EVERY_SIGN = 6, 3

#: What is written in the place of a value, by what it is, as YAML.
VALUES: dict[str, str] = {
    # Other types.
    "text": "text",
    "number": "5",
    "zero": "0",
    "fraction": "0.123456",
    "list": "[a, b]",
    "list of a mapping": "[{a: 1}]",
    "mapping": "{a: b}",
    "mapping of mappings": "{a: {b: {c: [d]}}}",
    "nothing": "",
    "null": "null",
    "tilde": "~",
    "true": "true",
    "false": "false",
    # Empty.
    "empty text": '""',
    "blank": '"  "',
    "empty list": "[]",
    "empty mapping": "{}",
    "list of nothing": "[null]",
    "mapping of nothing": "{a: }",
    # Sizes.
    "negative": "-1",
    "negative fraction": "-0.5",
    "negative duration": "-5s",
    "huge": "99999999999999999999999999999999",
    "huge fraction": "1e308",
    "beyond floats": "1" + "0" * 400,
    "more digits than Python turns into a number": "9" * 5000,
    "long duration": "999999999h",
    "infinite": ".inf",
    "negative infinite": "-.inf",
    "no number": ".nan",
    "long": "x" * 3000,
    # What YAML makes something else of.
    "trailing zero": "2.10",
    "clock": "1:30",
    "clock of hours": "190:20:30",
    "yes": "yes",
    "no": "no",
    "off": "off",
    "octal": "0o17",
    "old octal": "017",
    "hexadecimal": "0x1F",
    "underscores": "1_000",
    "exponent": "1e3",
    "date": "2026-12-20",
    "no date": "2026-02-30",
    "moment": "2026-12-20T18:00:00Z",
    "moment of a zone": "2026-12-20 18:00:00 +25:00",
    "early moment": "0001-01-01 00:00:00 +14:00",
    "value": "=",
    "merge": "<<",
    "bytes": "!!binary aGVsbG8=",
    "set": "!!set {a, b}",
    "pairs": "!!pairs [a: 1]",
    "forced text": "!!str 5",
    "anchor and alias": "[&a x, *a]",
    "itself": "&a [*a]",
    "itself within": "&a {a: *a}",
    "key of a number": "{5: b}",
    "key of null": "{~: b}",
}
#: Signs that are rare, of which each place has some.
SIGNS: dict[str, str] = {
    "umlauts": "größe",
    "other digits": "\u0665\u0665",
    "other digits with a unit": "\u0665m",
    "full width digits": "\uff11\uff12:\uff13\uff10",
    "right to left": "a\u202eb",
    "emoji": "\U0001f680",
    "no-break space": "\u00a0",
    "line separator": "a\u2028b",
    "next line": "a\u0085b",
    "zero width": "a\u200bb",
    "mark of order": "\ufeffx",
    "escaped line": r'"a\nb"',
    "escaped nothing": r'"a\0b"',
    "escaped bell": r'"\a"',
    "escaped terminal": r'"\e[31mred"',
    "half a pair": r'"\ud800"',
    "control": "a\x07b",
    "delete": "a\x7fb",
    "braces": '"{host"',
    "format": '"{key} {0} {reason!r}"',
}
#: What is no YAML, or YAML of others, wherever it stands: each is put into some of the places.
SYNTAX: dict[str, str] = {
    "no bytes": "!!binary ö",
    "ordered": "!!omap [a: 1]",
    "forced number": "!!int text",
    "forced fraction": "!!float text",
    "forced truth": "!!bool text",
    "forced null": "!!null text",
    "forced moment": "!!timestamp text",
    "forced mapping": "!!map text",
    "tag of an object": "!!python/object/apply:os.getcwd []",
    "tag of nobody": "!mine text",
    "vault": "!vault text",
    "alias of nothing": "*nowhere",
    "template": '"{{ release }}"',
    "template without quotes": "{{ release }}",
    "percent": "%x",
    "at": "@x",
    "half a list": "[a",
    "half a text": '"a',
    "tab": "\tx",
    "two documents": "x\n---\nversion: 1",
    "comment": "# nothing",
    "colon": "a: b: c",
    "key of a list": "{[a]: b}",
    "merge of nothing": "{<<: x}",
}


@dataclass(frozen=True)
class Mutation:
    """``path``: of the place, for people; ``key`` and ``typo`` of a key that is written with a slip."""

    path: str
    how: str
    text: str
    key: str = ""
    typo: str = ""


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in a document but itself."""
    items: Sequence[tuple[Any, Any]] = ()
    if isinstance(document, dict):
        items = list(document.items())
    elif isinstance(document, list):
        items = list(enumerate(document))
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def spoiled_values(document: dict[str, Any], at: tuple[Any, ...], number: int) -> Iterator[Mutation]:
    """Nothing at all in this place, each of VALUES, and some of SIGNS and SYNTAX, by the place's number."""
    name = ".".join(map(str, at))
    without = copy.deepcopy(document)
    del _place(without, at)[at[-1]]
    yield Mutation(name, "deleted", _text(without))
    with_mark = copy.deepcopy(document)
    _place(with_mark, at)[at[-1]] = HERE
    text = _text(with_mark)
    assert text.count(HERE) == 1
    signs = itertools.islice(SIGNS.items(), number % EVERY_SIGN, None, EVERY_SIGN)
    syntax = itertools.islice(SYNTAX.items(), number % EVERY_SYNTAX, None, EVERY_SYNTAX)
    for how, written in itertools.chain(VALUES.items(), signs, syntax):
        yield Mutation(name, how, text.replace(HERE, written))


def spoiled_keys(document: dict[str, Any], at: tuple[Any, ...]) -> Iterator[Mutation]:
    """The key of this place once more, with a slip of one letter; and once more as it is."""
    if isinstance(at[-1], int):
        return
    name, key = ".".join(map(str, at)), str(at[-1])
    middle = len(key) // 2
    slips = {
        "a letter less": key[:middle] + key[middle + 1 :],
        "a letter twice": key[:middle] + key[middle:][:1] * 2 + key[middle + 1 :],
        "another letter": key[:-1] + ("x" if key[-1] != "x" else "y"),
        "another case": key.upper(),
    }
    for how, typo in slips.items():
        twice = copy.deepcopy(document)
        place = _place(twice, at)
        place[HERE] = place[key]
        yield Mutation(name, how, _text(twice).replace(HERE, typo), key, typo)
    twice = copy.deepcopy(document)
    place = _place(twice, at)
    place[HERE] = place[key]
    yield Mutation(name, "twice", _text(twice).replace(HERE, key))


def _place(document: Any, at: tuple[Any, ...]) -> Any:
    for key in at[:-1]:
        document = document[key]
    return document


def _text(document: Any) -> str:
    return yaml.dump(
        document, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, allow_unicode=True
    )
