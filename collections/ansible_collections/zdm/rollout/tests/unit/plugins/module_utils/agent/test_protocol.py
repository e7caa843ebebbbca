# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Request lines: what is understood, and what a refusal says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.zdm.rollout.plugins.module_utils.agent.protocol import (
    DEPTH_LIMIT,
    LINE_LIMIT,
    OPERATIONS,
    TERMS,
    ProtocolError,
    compact,
    is_probe,
    ok,
    parse,
    refusal,
    refusal_to,
    terms,
    version,
)


def arm(**other: Any) -> str:
    return compact({"id": 1, "op": "arm", "epoch": 1, "wanted": {}, **other})


def long(length: int) -> str:
    """A request of so many bytes."""
    line = compact({"id": 1, "op": "renew", "epoch": 1, "t": 1.5, "note": ""})
    return line.replace('""', '"%s"' % ("x" * (length - len(line))))


REFUSED = {
    "nothing": ("", "not JSON"),
    "no JSON": ("GET / HTTP/1.1", "not JSON"),
    "half a line": ('{"id": 1, "op": "arm"', "not JSON"),
    "too deep": ("[" * 60000, "not JSON"),
    "a list": ('["arm"]', "expected an object with 'id' and 'op'"),
    "no op": ('{"id": 1}', "expected an object with 'id' and 'op'"),
    "an op that is no text": ('{"op": ["arm"]}', "expected an object with 'id' and 'op'"),
    "an unknown op": ('{"op": "fire"}', "op 'fire' is not known: expected one of acquire, arm, disarm"),
    "a key missing": ('{"op": "arm", "epoch": 1}', "arm: 'wanted' is missing"),
    "an unknown key": (
        arm(force=True),
        "arm: 'force' is not known: expected environment, epoch, max_hold, name, wanted",
    ),
    "a wrong type": (arm(wanted=[]), "arm: 'wanted' is []: expected dict"),
    "a text for a number": (arm(epoch="1"), "arm: 'epoch' is '1': expected int"),
    "a flag for a number": (arm(epoch=True), "arm: 'epoch' is True: expected int"),
    "a text for seconds": (arm(max_hold="5m"), "arm: 'max_hold' is '5m': expected float"),
    "a number for seconds that is none": (arm(max_hold=float("inf")), "arm: 'max_hold' is inf: expected float"),
    "nor this": (arm(max_hold=float("nan")), "arm: 'max_hold' is nan: expected float"),
    "deeper than it can be kept": (
        arm(wanted=json.loads('{"a":' * DEPTH_LIMIT + "1" + "}" * DEPTH_LIMIT)),
        "nested deeper than 64",
    ),
    "too long": (long(LINE_LIMIT + 1), "a line of 65537 bytes: expected at most 65536"),
}


@pytest.mark.parametrize(("line", "because"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_said(line: str, because: str) -> None:
    with pytest.raises(ProtocolError) as error:
        parse(line)
    assert error.value.code == "bad_request"
    assert because in error.value.text


def test_a_line_of_exactly_the_limit_is_read() -> None:
    assert len(long(LINE_LIMIT)) == LINE_LIMIT
    assert parse(long(LINE_LIMIT))["op"] == "renew"


VALUES = {str: "x", int: 3, float: 0.5, dict: {"a": 1}, list: [1], bool: True, object: None}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_operation_is_read_with_all_its_keys_and_with_those_it_needs(operation: str) -> None:
    required, optional = OPERATIONS[operation]
    for keys in (required, {**required, **optional}):
        request = {"id": 1, "op": operation, **{key: VALUES[kind[0]] for key, kind in keys.items()}}
        assert parse(compact(request)) == request


@given(some.text() | some.recursive(some.none() | some.integers() | some.text(), some.lists).map(json.dumps))
def test_garbage_is_never_more_than_refused(line: str) -> None:
    with pytest.raises(ProtocolError):
        parse(line)


@pytest.mark.parametrize("offered", [[1], [1, 2], [3, 2, 1]])
def test_the_newest_version_in_common_is_taken(offered: list[int]) -> None:
    assert version(offered) == 1


@pytest.mark.parametrize("offered", [[2, 3], [], ["1"]])
def test_with_none_in_common_both_sides_are_named_and_the_way_out(offered: list[Any]) -> None:
    with pytest.raises(ProtocolError) as error:
        version(offered)
    assert error.value.code == "version"
    assert "versions %s were offered, this agent knows [1]" % offered in error.value.text
    assert "install the agent of the controller's collection" in error.value.text


@given(some.text())
def test_a_reply_is_one_line_whatever_is_in_it(text: str) -> None:
    for line in (ok(7, said=text), refusal(7, "router", text)):
        assert line.count("\n") == 1
        assert line.endswith("\n")
        assert json.loads(line)["id"] == 7
    assert json.loads(refusal(7, "router", text)) == {"id": 7, "ok": False, "error": {"code": "router", "text": text}}
    assert json.loads(ok(7, said=text)) == {"id": 7, "ok": True, "said": text}


def test_a_probe_is_told_from_the_rest_and_from_junk() -> None:
    probe = compact({"id": 5, "op": "probe", "service": {}, "request": {}})
    assert is_probe(probe)
    assert not any(is_probe(line) for line in ("junk", arm(), compact({"id": 5, "op": "probe"})))
    assert json.loads(refusal_to(probe, "router", "later"))["id"] == 5


def test_a_request_as_deep_as_it_may_be_is_read() -> None:
    assert parse(arm(wanted=json.loads('{"a":' * (DEPTH_LIMIT - 1) + "1" + "}" * (DEPTH_LIMIT - 1))))["op"] == "arm"


# --- the terms of a lease

REFLEX = {"alpha": 0.0005, "dispersion": 2.0, "min_failures": 5}


def test_terms_that_are_not_given_are_those_of_the_contract() -> None:
    assert terms({}) == {
        "ttl": 10.0,
        "on_expiry": "revert",
        "guard": "session",
        "reflex": None,
        "on_foreign_change": "rollback",
        "notify": [],
        "close_after": None,
    }
    whole = {
        "ttl": 3,
        "on_expiry": "hold",
        "guard": "resident",
        "reflex": REFLEX,
        "on_foreign_change": "pause",
        "notify": [{"command": ["page", "me"], "on": ["stuck"]}, {"url": "https://pager.example/"}],
        "close_after": 30,
    }
    assert set(whole) == set(TERMS)
    assert terms(whole) == {**whole, "ttl": 3.0}


WRONG_TERMS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown one": ({"tll": 3}, "'tll' is not known: expected close_after, guard, notify, on_expiry"),
    "no time": ({"ttl": 0}, "ttl is 0: expected a number from 0.1 to 3600"),
    "too short": ({"ttl": 0.01}, "ttl is 0.01"),
    "too long": ({"ttl": 1e9}, "ttl is 1000000000.0"),
    "no number": ({"ttl": "10s"}, "ttl is '10s'"),
    "a truth": ({"ttl": True}, "ttl is True"),
    "not a number": ({"ttl": float("nan")}, "ttl is nan"),
    "another word": ({"on_expiry": "keep"}, "on_expiry is 'keep': expected one of revert, hold"),
    "no word": ({"guard": []}, "guard is []: expected one of session, resident, none"),
    "another policy": ({"on_foreign_change": "fight"}, "expected one of rollback, pause"),
    "no time to close in": ({"close_after": "30s"}, "close_after is '30s': expected a number from 0.1 to 86400"),
    "half a reflex": ({"reflex": {"alpha": 0.1}}, "reflex: expected null, or alpha, dispersion, min_failures"),
    "a sure reflex": ({"reflex": {**REFLEX, "alpha": 0}}, "reflex.alpha is 0: expected a number from 0 to 1"),
    "a reflex of less than one": ({"reflex": {**REFLEX, "dispersion": 0.5}}, "reflex.dispersion is 0.5"),
    "a reflex without failures": ({"reflex": {**REFLEX, "min_failures": 0}}, "reflex.min_failures is 0"),
    "nobody to tell": ({"notify": {}}, "notify: expected a list of objects"),
}


@pytest.mark.parametrize(("given", "because"), WRONG_TERMS.values(), ids=WRONG_TERMS)
def test_terms_that_make_no_sense_are_refused(given: dict[str, Any], because: str) -> None:
    with pytest.raises(ProtocolError) as error:
        terms(given)
    assert error.value.code == "bad_request"
    assert because in error.value.text


@pytest.mark.parametrize(
    "entry",
    [
        "page me",
        {},
        {"on": ["stuck"]},
        {"command": "page-me s3cret"},
        {"command": []},
        {"command": ["s3cret", 1]},
        {"url": ""},
        {"url": ["https://s3cret"]},
        {"command": ["s3cret"], "url": "https://s3cret"},
        {"command": ["s3cret"], "on": "stuck"},
        {"command": ["s3cret"], "on": 5},
        {"command": ["s3cret"], "in": "s3cret"},
    ],
)
def test_a_notification_that_cannot_be_sent_is_refused_and_its_words_are_not_said(entry: Any) -> None:
    with pytest.raises(ProtocolError, match="notify: expected a list of objects, each with") as error:
        terms({"notify": [entry]})
    assert "s3cret" not in error.value.text
