# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema of the spec says what the validator says: never more, and no less than a schema can."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ansible_collections.zdm.rollout.plugins.plugin_utils import _document, _spec_keys
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._rules import RULES
from ansible_collections.zdm.rollout.plugins.plugin_utils._spec import parse
from ansible_collections.zdm.rollout.tests.unit.plugins.plugin_utils.complete import PARTS, spec_of
from ansible_collections.zdm.rollout.tests.unit.plugins.plugin_utils.example import HERE as UNIT
from ansible_collections.zdm.rollout.tests.unit.plugins.plugin_utils.example import example
from ansible_collections.zdm.rollout.tests.unit.plugins.plugin_utils.mutations import SIGNS, VALUES, places
from tools.schema import TARGET, text
from tools.spec_reads import Reads, watched
from tools.spec_words import part, rows

ROOT = Path(__file__).resolve().parents[2]
SCHEMA: dict[str, Any] = json.loads(TARGET.read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def values_read() -> Iterator[Any]:
    """What the mutations of a spec put into its places, as far as it is YAML by itself."""
    for written in {**VALUES, **SIGNS}.values():
        try:
            yield _document.load(f"value: {written}".encode("utf-8", "surrogatepass"), "value")["value"]
        except SpecError:
            continue


VALUES_READ = list(values_read())
CASES: dict[str, dict[str, Any]] = {
    path.stem: _document.load(path.read_bytes(), path.name) for path in sorted((UNIT / "corpus").glob("*.yml"))
}
#: Refused before there is a document to hold against a schema.
BEFORE = {"file.spec", "yaml.syntax", "yaml.twice"}
#: Rules over several places of a spec, over what a text means, and over what only a controller knows. Whoever teaches
#: the schema one of them takes it off the list: the tests below say so.
BEYOND = {
    *("check.both", "check.bounds", "check.continuous", "check.crossed", "check.judge", "check.latency"),
    *("check.margin", "check.selector", "check.sequential", "check.series", "check.value"),
    *("freeze.order", "freeze.zone", "guard.close", "guard.hold", "guard.reflex"),
    *("lint.baseline", "lint.max", "lint.min", "lint.min_hold", "lint.no_hold", "lint.requests", "lint.slow"),
    *("lint.unused", "notify.long", "progression.long", "spec.ignored_twice", "spec.initial", "spec.release"),
    *("step.check", "step.last", "step.matched", "step.min_hold", "step.rising", "strategy.hold"),
}
#: Of rules that the schema has otherwise: cases that it cannot find.
BEYOND_CASES = {
    "check.expect",  # whether a text is a JMESPath expression
    "notify.url-user",  # a user in a URL
    "value.duration-lease",  # how long a text is, in seconds
    "value.duration-long",
    "value.share-fine",  # decimals: multipleOf of a binary fraction would refuse 0.07
}


def document_of(case: dict[str, Any]) -> Any:
    """The case's spec, as it is read from its file."""
    spec = case.get("text") or yaml.safe_dump(example(case.get("change"), tuple(case.get("without", ())))["spec"])
    return _document.load(spec.encode(), "web.yml")


def is_read(document: Any, release: str | None = None) -> bool:
    """Whether the validator makes a spec of it, whatever the inventory has."""
    try:
        parse(document, release)
    except SpecError:
        return False
    return True


def test_the_file_is_what_the_tool_writes() -> None:
    assert TARGET.read_text(encoding="utf-8") == text(), "run make schema"


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case["refused"]["rule"] not in BEFORE])
def test_the_schema_agrees_with_the_validator_about_a_case_of_the_corpus(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = document_of(CASES[name])
    beyond = name in BEYOND_CASES or CASES[name]["refused"]["rule"] in BEYOND
    accepted = beyond or is_read(document, CASES[name].get("release") or None)
    found = [error.message for error in VALIDATOR.iter_errors(document)]
    assert (not found) == accepted, found


def test_what_is_beyond_a_schema_is_in_the_corpus_and_has_no_other_rules() -> None:
    assert set(RULES) >= BEYOND
    assert set(CASES) >= set(BEYOND_CASES)
    beyond = [case for name, case in CASES.items() if case["refused"]["rule"] in BEYOND or name in BEYOND_CASES]
    assert not any(is_read(document_of(case)) for case in beyond)


def specs_of_the_docs() -> Iterator[tuple[str, Any]]:
    """Every piece of a spec that a page shows, laid over the whole one of the README."""
    shown = [
        (str(page.relative_to(ROOT)), yaml.safe_load(block))
        for page in [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    ]
    whole = next(block for dummy, block in shown if "version" in block)
    for page, block in shown:
        if set(block) <= set(_spec_keys.SPEC.known):
            others = {key: value for key, value in whole.items() if key != "progression" or "strategy" not in block}
            yield page, {**others, **block}
    yield "demo/web.yml", _document.load((ROOT / "demo/web.yml").read_bytes(), "web.yml")


@pytest.mark.parametrize(("page", "document"), list(specs_of_the_docs()))
def test_the_schema_accepts_what_the_docs_show(page: str, document: Any) -> None:
    assert is_read(document)
    assert list(VALIDATOR.iter_errors(document)) == []


def test_the_docs_show_as_many_specs_as_they_did() -> None:
    assert len(list(specs_of_the_docs())) >= 10


@pytest.mark.parametrize("part", PARTS)
def test_the_schema_accepts_every_spoiled_spec_that_the_validator_accepts(part: str) -> None:
    """So what the schema refuses the validator refuses too."""
    document = spec_of(part)
    taken = 0
    for at, value in ((at, value) for at in places(document) for value in VALUES_READ):
        spoiled = copy.deepcopy(document)
        place = spoiled
        for key in at[:-1]:
            place = place[key]
        place[at[-1]] = value
        if is_read(spoiled):
            taken += 1
            assert list(VALIDATOR.iter_errors(spoiled)) == [], at
    assert taken > 50


def properties() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(table, key, schema) of every key that means something."""
    for name, table in [("spec", SCHEMA), *SCHEMA["$defs"].items()]:
        for key, schema in table["properties"].items():
            if "not" not in schema:
                yield name, key, schema


def test_every_key_is_explained() -> None:
    explained = list(properties())
    assert len(explained) > 80
    assert not [found for found in explained if not (found[2].get("title") and len(found[2]["description"]) > 3)]


def test_every_default_is_one_of_the_values_that_it_stands_for() -> None:
    told = [(schema["default"], schema) for dummy, dummy2, schema in properties() if "default" in schema]
    assert len(told) > 30
    for default, schema in told:
        jsonschema.Draft202012Validator({"$defs": SCHEMA["$defs"], **schema}).validate(default)


def test_a_key_whose_time_has_not_come_says_so() -> None:
    later = 0
    for name, table in [("spec", SCHEMA), *SCHEMA["$defs"].items()]:
        for key in getattr(_spec_keys, name.upper()).not_yet:
            later += 1
            found = table["properties"][key]
            assert found["not"] == {} and "Not yet" in found["description"]
    assert later > 15


def test_every_key_of_every_table_of_the_spec_was_seen_to_be_read_or_is_told() -> None:
    reads = watched()
    known = {(table, key) for table in reads.keys for key in getattr(_spec_keys, table).known}
    seen = {(table, key) for table, keys in reads.keys.items() for key in keys}
    assert known - seen == {
        ("SPEC", "version"), ("ANY_CHECK", "expect"), ("STEP", "checks"), ("NOTIFY", "command")
    }  # fmt: skip
    assert seen <= known


def test_a_key_that_nobody_reads_is_an_error_of_the_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a key that is added to a table and forgotten everywhere else."""
    pool = _spec_keys.Keys((*_spec_keys.POOL.known, "colour"))
    monkeypatch.setattr(_spec_keys, "POOL", pool)
    with pytest.raises(ValueError, match=r"POOL\.colour is a key that the validator was never seen to read"):
        text()


def test_a_row_of_the_contracts_is_told_apart_by_the_keys_in_it() -> None:
    row = "`{path, port}` of a member: `path` is asked (`/`); `port` (the pool's). More"
    assert part(row, "path", ("path", "port")) == "`path` is asked (`/`)"
    assert part(row, "port", ("path", "port")) == "`port` (the pool's). More"
    assert part(row, "expect", ("path", "port", "expect")) == row
    assert rows("\n## 1. Spec\n\n| `a`, `b` | both (1) |\n| not yet | `c` |\n\n## 2. Other\n| `d` | no |") == {
        ("SPEC", "a"): "both (1)",
        ("SPEC", "b"): "both (1)",
    }


def test_reads_are_told_apart_by_what_decides() -> None:
    reads: Reads = watched()
    assert [read.default for read in reads.of("ANY_CHECK", "path", "metrics")] == ["/metrics"]
    assert [read.default for read in reads.of("ANY_CHECK", "path", "http")] == [None]
    assert reads.of("ANY_CHECK", "path", "router") == []


def test_where_a_file_names_the_schema_it_is() -> None:
    """As an editor finds it from a clone: relative to the file."""
    listed = subprocess.run(["git", "ls-files", "*.yml"], cwd=ROOT, check=True, capture_output=True, text=True)
    named = {
        name: found[1]
        for name in listed.stdout.split()
        if (
            found := re.match(
                r"\A---\n# yaml-language-server: \$schema=(\S+)\n", (ROOT / name).read_text(encoding="utf-8")
            )
        )
    }
    assert "demo/web.yml" in named
    assert {(ROOT / name).parent.joinpath(address).resolve() for name, address in named.items()} == {TARGET}
