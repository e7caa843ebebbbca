# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's protocol, version 1: JSON lines, one request a line, one reply a line.

Rules of this room: pure. Text in, checked mapping out; nothing is carried out here.
The table of operations is the contract (docs/contracts.md, section 2): a key that is not in it is refused.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Mapping, Tuple, Type

VERSIONS = (1,)
LINE_LIMIT = 65536
NOTE_LIMIT = 8192


class ProtocolError(Exception):
    """A request that cannot be carried out as it stands; ``code`` as in the contract."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


_Type = Tuple[Type[Any], ...]
_TEXT: _Type = (str,)
_NUMBER: _Type = (int,)
_OBJECT: _Type = (dict,)
_LIST: _Type = (list,)
_FLAG: _Type = (bool,)
_ANY: _Type = (object,)

#: op -> (required keys, optional keys), each with its type.
OPERATIONS: Dict[str, Tuple[Dict[str, _Type], Dict[str, _Type]]] = {
    "hello": ({"versions": _LIST, "router": _OBJECT}, {}),
    "read": ({"service": _OBJECT}, {}),
    "status": ({}, {}),
    "probe": ({"service": _OBJECT, "request": _OBJECT}, {}),
    "acquire": (
        {"run": _TEXT, "owner": _TEXT, "release": _TEXT, "service": _OBJECT, "stable": _TEXT, "canary": _TEXT},
        {},
    ),
    "arm": ({"epoch": _NUMBER, "wanted": _OBJECT}, {}),
    "renew": ({"epoch": _NUMBER}, {"note": _ANY}),
    "revert": ({"reason": _TEXT}, {"epoch": _NUMBER, "force": _FLAG, "name": _TEXT, "environment": _TEXT}),
    "disarm": ({"epoch": _NUMBER}, {}),
    "order": ({"verb": _TEXT, "by": _TEXT, "name": _TEXT, "environment": _TEXT}, {}),
    "history": ({"name": _TEXT, "environment": _TEXT}, {}),
}


def parse(line: str) -> Dict[str, Any]:
    """A checked request; ProtocolError ``bad_request`` names the key and what was expected."""
    if len(line) > LINE_LIMIT:
        raise ProtocolError("bad_request", "a line of %d bytes: expected at most %d" % (len(line), LINE_LIMIT))
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("bad_request", "not JSON: %s" % error) from None
    if not isinstance(request, dict) or not isinstance(request.get("op"), str):
        raise ProtocolError("bad_request", "expected an object with 'id' and 'op'")
    operation = request["op"]
    if operation not in OPERATIONS:
        raise ProtocolError(
            "bad_request", "op %r is not known: expected one of %s" % (operation, ", ".join(sorted(OPERATIONS)))
        )
    required, optional = OPERATIONS[operation]
    known = {**required, **optional}
    for key in required:
        if key not in request:
            raise ProtocolError("bad_request", "%s: %r is missing" % (operation, key))
    for key, value in request.items():
        if key in ("id", "op"):
            continue
        if key not in known:
            raise ProtocolError(
                "bad_request", "%s: %r is not known: expected %s" % (operation, key, ", ".join(sorted(known)))
            )
        if not isinstance(value, known[key]) or (known[key] is _NUMBER and isinstance(value, bool)):
            raise ProtocolError(
                "bad_request", "%s: %r is %r: expected %s" % (operation, key, value, known[key][0].__name__)
            )
    return request


def version(offered: Any) -> int:
    """The newest version in common; ProtocolError ``version`` when there is none."""
    common = [known for known in VERSIONS if known in offered]
    if not common:
        raise ProtocolError(
            "version",
            "versions %s were offered, this agent knows %s: install the agent of the controller's collection"
            % (offered, list(VERSIONS)),
        )
    return max(common)


def ok(number: Any, **result: Any) -> str:
    """A reply line for a request that was carried out."""
    return json.dumps(dict(result, id=number, ok=True)) + "\n"


def refusal(number: Any, code: str, text: str) -> str:
    """A reply line for a request that was not."""
    return json.dumps({"id": number, "ok": False, "error": {"code": code, "text": text}}) + "\n"


def compact(mapping: Mapping[str, Any]) -> str:
    """A request line."""
    return json.dumps(mapping, separators=(",", ":")) + "\n"
