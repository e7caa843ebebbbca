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
    LINE_LIMIT,
    OPERATIONS,
    ProtocolError,
    compact,
    ok,
    parse,
    refusal,
    version,
)


def arm(**other: Any) -> str:
    return compact({"id": 1, "op": "arm", "epoch": 1, "wanted": {}, **other})


def long(length: int) -> str:
    """A request of so many bytes."""
    line = compact({"id": 1, "op": "renew", "epoch": 1, "note": ""})
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
    "an unknown key": (arm(force=True), "arm: 'force' is not known: expected epoch, wanted"),
    "a wrong type": (arm(wanted=[]), "arm: 'wanted' is []: expected dict"),
    "a text for a number": (arm(epoch="1"), "arm: 'epoch' is '1': expected int"),
    "a flag for a number": (arm(epoch=True), "arm: 'epoch' is True: expected int"),
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


VALUES = {str: "x", int: 3, dict: {"a": 1}, list: [1], bool: True, object: None}


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
