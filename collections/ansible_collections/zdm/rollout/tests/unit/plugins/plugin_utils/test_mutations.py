# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every key of the key table, spoiled in every way: the file comes to a plan, or to a refusal that says what to do.

Never to anything else that is raised, never to a word that a terminal would obey. And one mistake is told once: who is
told that a value cannot be read is not told of others what follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.zdm.rollout.plugins.plugin_utils import _spec_keys
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._reader import Reader
from ansible_collections.zdm.rollout.plugins.plugin_utils._rules import RULES
from ansible_collections.zdm.rollout.plugins.plugin_utils._spec_keys import Keys

from .complete import PARTS, refusal, spec_of
from .mutations import SIGNS, SYNTAX, VALUES, Mutation, places, spoiled_keys, spoiled_values

#: Tables of the inventory, of words, and what ANY_CHECK has together.
OTHERS = {"CHECK", "SEQUENTIAL", "ANY_ROUTER", "ROUTER", "ROUTER_LOG"}
#: Mappings with names instead of keys: a slip in one is another name.
NAMED = ("pools", "checks")
#: What puts other checks into the place of those that steps name: two mistakes.
RENAMED = ("mapping", "itself within", "mapping of mappings", "mapping of nothing", "key of null")


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("deploy.yml").write_text("[]\n", encoding="utf-8")


def refused(text: str) -> SpecError | None:
    path = Path("web.yml")
    path.write_text(text, encoding="utf-8")
    return refusal(path)


def value_at(document: Any, at: tuple[Any, ...]) -> Any:
    for key in at:
        document = document[key]
    return document


def places_of(part: str) -> Iterator[tuple[Any, ...]]:
    """The places of a complete spec that are in no other one before it."""
    document = spec_of(part)
    before = [spec_of(name) for name in list(PARTS)[: list(PARTS).index(part)]]
    seen = {(at, repr(value_at(other, at))) for other in before for at in places(other)}
    return (at for at in places(document) if (at, repr(value_at(document, at))) not in seen)


def mutations_of(part: str) -> Iterator[tuple[tuple[Any, ...], Mutation]]:
    document = spec_of(part)
    for number, at in enumerate(places_of(part)):
        for mutation in (*spoiled_values(document, at, number), *spoiled_keys(document, at)):
            yield at, mutation


@pytest.mark.parametrize("part", PARTS)
def test_a_complete_spec_is_planned(part: str) -> None:
    assert refused(yaml.safe_dump(spec_of(part))) is None


def test_the_complete_specs_have_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that is added tomorrow: it has to be put into complete.py, and is spoiled here."""
    tables = {name: keys for name, keys in vars(_spec_keys).items() if isinstance(keys, Keys) and name not in OTHERS}
    seen: dict[str, set[str]] = {}
    opened = Reader.__init__

    def watched(reader: Reader, document: Any, path: str, keys: Keys | None, *more: Any, **words: Any) -> None:
        opened(reader, document, path, keys, *more, **words)
        for name, table in tables.items():
            if table is keys and isinstance(document, Mapping):
                seen.setdefault(name, set()).update(document)

    monkeypatch.setattr(Reader, "__init__", watched)
    for part in PARTS:
        assert refused(yaml.safe_dump(spec_of(part))) is None
    assert len(seen) >= 14
    assert {name: set(tables[name].known) - keys for name, keys in seen.items() if set(tables[name].known) - keys} == {}


@pytest.mark.parametrize("part", PARTS)
def test_a_spoiled_spec_is_planned_or_refused_with_what_to_do(part: str) -> None:
    read = told = 0
    for at, mutation in mutations_of(part):
        where = f"{mutation.path}, {mutation.how}"
        error = refused(mutation.text)
        read += 1
        if error is None:
            assert mutation.how != "twice", where
            assert not mutation.typo or at[-2:-1] == ("checks",), where
            continue
        told += 1
        assert error.problems, where
        for problem in error.problems:
            assert problem.rule in RULES and problem.key and problem.next_step.strip(), where
            assert problem.text().isprintable(), where
        if mutation.typo and (len(at) < 2 or at[-2] not in NAMED):
            assert [problem.rule for problem in error.problems] == ["key.unknown"], where
            assert error.problems[0].next_step == f"did you mean {mutation.key}?", where
        if mutation.path == "checks" and mutation.how in RENAMED:
            continue
        here = [problem.rule for problem in error.problems if is_within(mutation.path, problem.key)]
        assert len(here) in (0, len(error.problems)), f"{where}: one mistake, and yet {error}"
    assert read > told > read / 2


def is_within(place: str, key: str) -> bool:
    """Whether a problem's key is at a place or under it."""
    return (re.sub(r"\[(\d+)\]", r".\1", key) + ".").startswith(place + ".")


def test_there_is_as_much_of_it_as_there_was() -> None:
    every = [mutation for part in PARTS for dummy, mutation in mutations_of(part)]
    assert len(every) > 11000
    assert {mutation.how for mutation in every} > {*VALUES, *SIGNS, *SYNTAX}
