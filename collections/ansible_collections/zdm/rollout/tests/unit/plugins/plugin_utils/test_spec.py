# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a spec may say, what it may not say yet, and that nothing a person can write brings its reader down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example as also
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Health
from ansible_collections.zdm.rollout.plugins.plugin_utils import _document, _spec_keys
from ansible_collections.zdm.rollout.plugins.plugin_utils._checks import Policy
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._spec import Check, IgnoredRouter, PoolSpec, Spec, parse
from ansible_collections.zdm.rollout.plugins.plugin_utils._spec_keys import Keys

from .example import EXAMPLE, TEXT, example, spec_of


def problems_of(document: Any, release: str | None = None) -> list[tuple[str, str]]:
    """(rule, key) of every problem; none for a document that is a spec."""
    try:
        parse(document, release)
    except SpecError as error:
        return [(problem.rule, problem.key) for problem in error.problems]
    return []


def test_a_spec_is_read_into_plain_values_with_its_defaults() -> None:
    spec = spec_of()
    assert (spec.service, spec.environment, spec.release) == ("web", "production", "2.4.0")
    assert spec.pools == {"blue": PoolSpec("web", 8081, "{host}-blue"), "green": PoolSpec("web", 8082, "{host}-green")}
    assert spec.health == Health(path="/health", port=None, expect=None, timeout=2.0)
    assert (spec.no_data_deadline, spec.error_deadline, spec.progress_deadline) == (300.0, 300.0, 600.0)
    assert (spec.initial, spec.on_inconclusive, spec.deploy_tasks, spec.routers_ignore) == (None, None, None, ())
    assert spec.checks["errors"] == Check(
        "errors",
        "router",
        "errors",
        "stable",
        Policy(1.25, 0.1, 60.0, 1.0, None, None),
        None,
        None,
        None,
        None,
        2.0,
        None,
        None,
        None,
        5.0,
        1,
    )
    assert spec.checks["ready"] == Check(
        "ready", "http", None, None, None, None, None, "/ready", None, 2.0, "status == 'ok'", "router", None, 5.0, 1
    )


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        ({"initial": "green"}, "initial", "green"),
        ({"on_inconclusive": "rollback"}, "on_inconclusive", "rollback"),
        ({"hooks": {"deploy": {"tasks": "deploy.yml"}}}, "deploy_tasks", "deploy.yml"),
        ({"routers_ignore": [{"router": "p2", "reason": "dead"}]}, "routers_ignore", (IgnoredRouter("p2", "dead"),)),
        ({"no_data_deadline": "1h30m"}, "no_data_deadline", 5400.0),
        ({"error_deadline": 90}, "error_deadline", 90.0),
        ({"progress_deadline": "0.5s"}, "progress_deadline", 0.5),
        ({"release": "2.10"}, "release", "2.10"),
        ({"release": "1:30"}, "release", "1:30"),
        ({"health": {"port": 9000, "expect": 204, "timeout": "0.5s"}}, "health", Health("/", 9000, 204, 0.5)),
    ],
)
def test_a_spec_may_say(change: Mapping[str, Any], name: str, value: Any) -> None:
    assert getattr(spec_of(change), name) == value


def test_all_problems_come_at_once() -> None:
    document = example({"spec.strategy": "waves", "spec.health.port": 0, "spec.mirror": 10}, ("spec.routers",))
    assert sorted(problems_of(document["spec"])) == [
        ("key.missing", "routers"),
        ("key.not_yet", "mirror"),
        ("value.not_yet", "strategy"),
        ("value.whole", "health.port"),
    ]


@pytest.mark.parametrize(
    ("written", "given_release", "read"),
    [("2.4.0", None, "2.4.0"), ("2.4.0", "2.5.0", "2.5.0"), (None, "2.5.0", "2.5.0")],
)
def test_the_release_of_the_command_line_wins(written: str | None, given_release: str | None, read: str) -> None:
    document = {**EXAMPLE["spec"], "release": written}
    if written is None:
        del document["release"]
    assert parse(document, given_release).release == read


@pytest.mark.parametrize("release", ["", " ", "2.5.0\n"])
def test_a_release_of_the_command_line_that_is_none_is_refused_under_its_name(release: str) -> None:
    assert problems_of(EXAMPLE["spec"], release) == [("value.text", "zdm_release")]


#: Each table of keys with a place where they may stand.
PLACES: list[tuple[Keys, str]] = [
    (_spec_keys.SPEC, ""),
    (_spec_keys.STEP, "steps.0."),
    (_spec_keys.RULE, "match.0."),
    (_spec_keys.HOOKS, "hooks."),
    (_spec_keys.HOOK, "hooks.deploy."),
    (_spec_keys.ANY_CHECK, "checks.errors."),
]
CHOICES: list[tuple[Keys, str]] = [
    (_spec_keys.STRATEGIES, "strategy"),
    (_spec_keys.SIGNALS, "checks.ready.signal"),
]


def put(path: str, value: Any) -> Any:
    """The example's spec with a value at a path that may lead through a list."""
    match = [{"header": "x-canary", "value": "1"}]
    document = example({"spec.hooks": {"deploy": {"tasks": "deploy.yml"}}, "spec.match": match})["spec"]
    *parents, key = path.split(".")
    place = document
    for parent in parents:
        place = place[int(parent)] if parent.isdigit() else place[parent]
    place[key] = value
    return document


@pytest.mark.parametrize("path", [place + key for keys, place in PLACES for key in keys.not_yet])
def test_a_key_whose_time_has_not_come_is_refused_as_such(path: str) -> None:
    with pytest.raises(SpecError, match="is not yet in zdm") as refusal:
        parse(put(path, "anything"))
    assert [problem.rule for problem in refusal.value.problems] == ["key.not_yet"]


@pytest.mark.parametrize(("path", "word"), [(path, word) for keys, path in CHOICES for word in keys.not_yet])
def test_a_choice_whose_time_has_not_come_is_refused_as_such(path: str, word: str) -> None:
    with pytest.raises(SpecError, match="is not yet in zdm") as refusal:
        parse(put(path, word))
    assert [problem.rule for problem in refusal.value.problems] == ["value.not_yet"]


def test_every_table_with_keys_to_come_has_a_place_here() -> None:
    """A key that moves to not_yet in a table of its own is not forgotten by the two tests above."""
    tables = {keys for keys in vars(_spec_keys).values() if isinstance(keys, Keys) and keys.not_yet}
    without_a_place = {_spec_keys.CHECK, _spec_keys.ROUTER_TYPES}  # part of ANY_CHECK; of the inventory, see test_fleet
    assert tables - without_a_place == {keys for keys, dummy in PLACES + CHOICES}


@pytest.mark.parametrize(
    ("before", "after", "rule", "key"),
    [
        (b'release: "2.4.0"', b"release: 2.10", "value.quote", "release"),
        (b'release: "2.4.0"', b"release: 2026-02-03", "value.quote", "release"),
        (b'release: "2.4.0"', b"release: 0777", "value.quote", "release"),
        (b"environment: production", b"environment: no", "value.quote", "environment"),
        (b"weight: 5, hold: 5m", b"weight: 5, hold: 1:30", "value.clock", "steps[0].hold"),
        (b"weight: 5, hold: 5m", b"weight: 5, hold: 1:30:00", "value.clock", "steps[0].hold"),
        (b"weight: 5, hold: 5m", b'weight: 5, hold: "1:30"', "value.clock", "steps[0].hold"),
    ],
)
def test_what_yaml_would_mangle_is_to_be_quoted(before: bytes, after: bytes, rule: str, key: str) -> None:
    assert TEXT.count(before) == 1
    document = _document.load(TEXT.replace(before, after), "web.yml")["spec"]
    with pytest.raises(SpecError, match="quote it") as refusal:
        parse(document)
    assert [(problem.rule, problem.key) for problem in refusal.value.problems] == [(rule, key)]


# Anything that YAML or JSON can hold, with many a key and value that the spec knows.
WORDS = sorted({word for keys in vars(_spec_keys).values() if isinstance(keys, Keys) for word in keys.known})
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.dates()
    | st.binary(max_size=4)
    | st.sampled_from([*WORDS, "5m", "1:30", "/x", "a.b == `1`", 100, 10**400, "{host}", "blue", "errors"])
)
NAMES = st.sampled_from(WORDS) | SCALARS
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
PATHS = st.sampled_from(
    [f"{place}{key}" for keys, place in PLACES for key in keys.known]
    + ["pools.blue", "pools.red", "pools.green.port", "health.expect", "checks.ready", "checks.ready.expect"]
)


@given(DOCUMENTS, st.none() | st.text(max_size=5))
@settings(max_examples=100)
def test_any_document_is_a_spec_or_refused(document: Any, release: str | None) -> None:
    assert problems_of(document, release) or isinstance(parse(document, release), Spec)


@given(PATHS, DOCUMENTS)
@also("checks.ready.expect", "(" * 5000 + "a" + ")" * 5000)
@also("checks.ready.expect", f"a[{'9' * 5000}]")
@also("checks.ready.expect", "&a")
@settings(max_examples=150)
def test_any_value_at_any_place_is_read_or_refused_with_a_text_for_each(path: str, value: Any) -> None:
    try:
        parse(put(path, value))
    except SpecError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.key and problem.rule and problem.text().isprintable()
