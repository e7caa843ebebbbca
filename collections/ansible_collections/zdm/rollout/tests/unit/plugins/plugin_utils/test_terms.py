# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The terms that a spec gives a lease: what may be written, and what each guard is told of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils import _notify
from ansible_collections.zdm.rollout.plugins.module_utils.agent.protocol import LINE_LIMIT
from ansible_collections.zdm.rollout.plugins.plugin_utils import _spec_keys
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._spec import Notify, Reflex
from ansible_collections.zdm.rollout.plugins.plugin_utils._terms import NOTIFY_BYTES, terms

from .example import spec_of

ALL_BUT_PROMOTED = ("rolled_back", "stuck", "held", "paused", "refused", "reverted")
SECRET = "T0PSECRET"


def test_without_a_word_a_lease_has_these_terms() -> None:
    spec = spec_of()
    assert (spec.lease, spec.guard, spec.on_abandon, spec.on_foreign_change) == (
        10.0,
        "session",
        "rollback",
        "rollback",
    )
    assert spec.reflex == Reflex(alpha=0.0005, dispersion=2.0, min_failures=5)
    assert spec.notify == ()


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        ({"lease": "3s"}, "lease", 3.0),
        ({"lease": "5m"}, "lease", 300.0),
        ({"lease": 30}, "lease", 30.0),
        ({"guard": "resident"}, "guard", "resident"),
        ({"guard": "none", "on_abandon": "hold"}, "guard", "none"),
        ({"guard": "none", "on_abandon": "hold", "reflex": "disabled"}, "reflex", None),
        ({"on_abandon": "hold"}, "on_abandon", "hold"),
        ({"on_foreign_change": "pause"}, "on_foreign_change", "pause"),
        ({"reflex": "enabled"}, "reflex", Reflex()),
        ({"reflex": "disabled"}, "reflex", None),
        ({"reflex": {}}, "reflex", Reflex()),
        ({"reflex": {"alpha": 0.1, "dispersion": 1, "min_failures": 1}}, "reflex", Reflex(0.1, 1.0, 1)),
        ({"reflex": {"alpha": 1e-9, "dispersion": 1000, "min_failures": 1000}}, "reflex", Reflex(1e-9, 1000.0, 1000)),
        ({"notify": [{"command": ["page"]}]}, "notify", (Notify(("page",), None, ALL_BUT_PROMOTED),)),
        (
            {"notify": [{"url": "http://[::1]:8080/a?b=c", "on": ["promoted", "stuck", "promoted"]}]},
            "notify",
            (Notify(None, "http://[::1]:8080/a?b=c", ("promoted", "stuck")),),
        ),
        (
            {"notify": [{"command": ["/opt/page", "a b", "ü"], "on": ["held"]}, {"url": "https://h.example"}]},
            "notify",
            (
                Notify(("/opt/page", "a b", "ü"), None, ("held",)),
                Notify(None, "https://h.example", ALL_BUT_PROMOTED),
            ),
        ),
    ],
)
def test_a_spec_may_say(change: Mapping[str, Any], name: str, value: Any) -> None:
    assert getattr(spec_of(change), name) == value


def wrong(change: Mapping[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(SpecError) as refusal:
        spec_of(change)
    return [(problem.rule, problem.key) for problem in refusal.value.problems]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example/x",
        "//hooks.example/x",
        "https:///x",
        "https://",
        "file:///etc/passwd",
        "https://a b/",
        "https://hooks.example/a b",
        "https://hooks.example/ü",
        "https://hooks.example\t/",
        "https://me@hooks.example/",
        "https://hooks.example:0/",
        "https://hooks.example:99999/",
        "https://hooks.example:x/",
        "https://[::1/",
        "https://hooks.example/" + "x" * 2000,
        7,
        ["https://hooks.example/"],
    ],
)
def test_what_is_no_url_that_can_be_told_is_refused(url: Any) -> None:
    rule = "value.quote" if url == 7 else "notify.url"
    assert wrong({"notify": [{"url": url}]}) == [(rule, "notify[0].url")]


@pytest.mark.parametrize("word", ["", " ", "bin/page", "./page", "~/page", "page now", "/opt/page now", "/", "a\nb"])
def test_what_is_no_program_is_refused(word: str) -> None:
    assert wrong({"notify": [{"command": [word, "x"]}]}) == [("notify.program", "notify[0].command[0]")]


@pytest.mark.parametrize("word", ["", " ", "a\nb", "a\0b", ["a"], {"a": 1}])
def test_what_is_no_word_is_refused(word: Any) -> None:
    assert wrong({"notify": [{"command": ["page", word]}]}) == [("value.text", "notify[0].command[1]")]


def test_a_guard_that_cannot_be_read_brings_no_second_problem() -> None:
    assert wrong({"guard": "none", "on_abandon": "keep"}) == [("value.choice", "on_abandon")]


def test_the_events_are_those_that_are_sent() -> None:
    """The spec's table stands for itself, beside the two senders'."""
    assert set(_spec_keys.EVENTS.known) == set(_notify.WATCH_EVENTS) | set(_notify.GUARD_EVENTS) == set(_notify.NEXT)
    assert set(_notify.DEFAULT_EVENTS) == set(_spec_keys.EVENTS.known) - {"promoted"}


def test_a_secret_is_not_in_what_python_prints_of_a_spec() -> None:
    notify = [{"command": ["page", SECRET]}, {"url": f"https://hooks.example/{SECRET}"}]
    spec = spec_of({"notify": notify})
    assert SECRET not in repr(spec)
    assert json.dumps([entry.to_json() for entry in spec.notify]).count(SECRET) == 2, "it is there"


# --- what a guard is told


def test_a_guard_is_told_in_the_words_of_the_protocol() -> None:
    assert terms(spec_of(), 1) == {
        "ttl": 10.0,
        "on_expiry": "revert",
        "guard": "session",
        "reflex": {"alpha": 0.00025, "dispersion": 2.0, "min_failures": 5},
        "on_foreign_change": "rollback",
        "notify": [],
    }


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        ({"lease": "1m"}, "ttl", 60.0),
        ({"on_abandon": "hold"}, "on_expiry", "hold"),
        ({"guard": "resident"}, "guard", "resident"),
        ({"on_foreign_change": "pause"}, "on_foreign_change", "pause"),
        ({"reflex": "disabled"}, "reflex", None),
        ({"guard": "none", "on_abandon": "hold"}, "reflex", None),
    ],
)
def test_a_guard_is_told_what_the_spec_says(change: Mapping[str, Any], name: str, value: Any) -> None:
    assert terms(spec_of(change), 2)[name] == value


@pytest.mark.parametrize("guards", [1, 2, 30])
def test_all_guards_together_have_half_of_alpha(guards: int) -> None:
    """The other half is the watch's."""
    one = terms(spec_of({"reflex": {"alpha": 0.01}}), guards)["reflex"]["alpha"]
    assert one * guards == pytest.approx(0.005)


def test_only_what_a_guard_sends_goes_to_it_and_only_to_one_that_outlives_the_run() -> None:
    notify = [
        {"url": "https://a.example/", "on": ["rolled_back", "promoted", "paused", "refused"]},
        {"command": ["page"], "on": ["promoted", "reverted"]},
        {"url": "https://b.example/", "on": ["held"]},
        {"command": ["mail"]},
    ]
    told = terms(spec_of({"notify": notify, "guard": "resident"}), 2)["notify"]
    assert told == [notify[1], notify[2], {"command": ["mail"], "on": list(ALL_BUT_PROMOTED)}]
    assert terms(spec_of({"notify": notify}), 2)["notify"] == []
    assert terms(spec_of({"notify": notify, "guard": "none", "on_abandon": "hold"}), 2)["notify"] == []


def test_the_terms_of_the_longest_notifications_fit_into_a_line() -> None:
    word = "ü" * 100  # six bytes each in JSON
    most = next(count for count in range(1, 100) if 630 * (count + 1) > NOTIFY_BYTES)
    spec = spec_of({"notify": [{"command": ["page", *[word] * (most - 1)]}], "guard": "resident"})
    assert NOTIFY_BYTES / 2 < len(json.dumps(terms(spec, 1))) < LINE_LIMIT / 2
