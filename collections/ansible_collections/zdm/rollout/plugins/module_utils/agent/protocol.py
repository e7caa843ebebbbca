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
#: How deep a request may be: what of it is kept in the record has to be read again, by whomever.
DEPTH_LIMIT = 64


class ProtocolError(Exception):
    """A request that cannot be carried out as it stands; ``code`` as in the contract.

    ``number`` is the id of the request, where as much of it could be read: its asker waits for a reply with it.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.number: Any = None


_Type = Tuple[Type[Any], ...]
_TEXT: _Type = (str,)
_NUMBER: _Type = (int,)
_SECONDS: _Type = (float, int)
_OBJECT: _Type = (dict,)
_LIST: _Type = (list,)
_FLAG: _Type = (bool,)
_ANY: _Type = (object,)
#: Over a connection that did not acquire, the service has to be named.
_NAMED: Dict[str, _Type] = {"name": _TEXT, "environment": _TEXT}

#: op -> (required keys, optional keys), each with its type.
OPERATIONS: Dict[str, Tuple[Dict[str, _Type], Dict[str, _Type]]] = {
    "hello": ({"versions": _LIST, "router": _OBJECT}, {}),
    "read": ({"service": _OBJECT}, {}),
    "status": ({}, {}),
    "probe": ({"service": _OBJECT, "request": _OBJECT}, {}),
    "latency": ({"service": _OBJECT}, {}),
    "acquire": (
        {"run": _TEXT, "owner": _TEXT, "release": _TEXT, "service": _OBJECT, "stable": _TEXT, "canary": _TEXT},
        {"terms": _OBJECT, "takes": _TEXT},
    ),
    "arm": ({"epoch": _NUMBER, "wanted": _OBJECT}, {"max_hold": _SECONDS, **_NAMED}),
    "renew": ({"epoch": _NUMBER, "t": _SECONDS}, {"note": _ANY, **_NAMED}),
    "park": ({"epoch": _NUMBER, "for": _SECONDS}, {"note": _ANY, **_NAMED}),
    "revert": ({"reason": _TEXT}, {"epoch": _NUMBER, "force": _FLAG, **_NAMED}),
    "disarm": ({}, {"epoch": _NUMBER, "force": _FLAG, "by": _TEXT, **_NAMED}),
    "order": ({"verb": _TEXT, "by": _TEXT, "name": _TEXT, "environment": _TEXT}, {"order": _TEXT, "reason": _TEXT}),
    "history": ({"name": _TEXT, "environment": _TEXT}, {}),
}


def parse(line: str) -> Dict[str, Any]:
    """A checked request; ProtocolError ``bad_request`` names the key and what was expected."""
    request = _object(line)
    try:
        _check(request)
    except ProtocolError as error:
        error.number = request.get("id")
        raise
    return request


def _object(line: str) -> Dict[str, Any]:
    """What a line holds, if it can be written back at all."""
    if len(line) > LINE_LIMIT:
        raise ProtocolError("bad_request", "a line of %d bytes: expected at most %d" % (len(line), LINE_LIMIT))
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("bad_request", "not JSON: %s" % error) from None
    if not isinstance(request, dict):
        raise ProtocolError("bad_request", "expected an object with 'id' and 'op'")
    if _is_deep(request, DEPTH_LIMIT):
        raise ProtocolError("bad_request", "it is nested deeper than %d" % DEPTH_LIMIT)
    return request


def _check(request: Mapping[str, Any]) -> None:
    """Whether the operation is known, and has what it needs and nothing else."""
    operation = request.get("op")
    if not isinstance(operation, str):
        raise ProtocolError("bad_request", "expected an object with 'id' and 'op'")
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
        if not isinstance(value, known[key]) or (known[key] in (_NUMBER, _SECONDS) and not _is_number(value)):
            raise ProtocolError(
                "bad_request", "%s: %r is %r: expected %s" % (operation, key, value, known[key][0].__name__)
            )


def _is_deep(value: Any, limit: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return limit < 0 or any(_is_deep(part, limit - 1) for part in inner)


def _is_number(value: Any) -> bool:
    """JSON knows no infinity, and Python's reader does; a truth is no number."""
    return not isinstance(value, bool) and abs(value) < 1e15


#: What a run's lease is about, unless it says otherwise.
TERMS: Dict[str, Any] = {
    "ttl": 10.0,
    "on_expiry": "revert",
    "guard": "session",
    "reflex": None,
    "on_foreign_change": "rollback",
    "notify": [],
    "close_after": None,
}
_WORDS = {
    "on_expiry": ("revert", "hold"),
    "guard": ("session", "resident", "none"),
    "on_foreign_change": ("rollback", "pause"),
}
_REFLEX = {"alpha": (0.0, 1.0), "dispersion": (1.0, 1e6), "min_failures": (1, 1e9)}
TTL_RANGE = (0.1, 3600.0)
#: How long sessions have before they are closed, in seconds.
CLOSE_RANGE = (0.1, 86400.0)
#: For how long a share may be parked, in seconds.
PARK_RANGE = (1.0, 31 * 86400.0)


def terms(given: Mapping[str, Any]) -> Dict[str, Any]:
    """The terms of a lease, whole; ProtocolError names what is wrong in those given."""
    unknown = sorted(set(given) - set(TERMS))
    if unknown:
        raise ProtocolError(
            "bad_request", "terms: %r is not known: expected %s" % (unknown[0], ", ".join(sorted(TERMS)))
        )
    whole = {**TERMS, **given}
    for key, words in _WORDS.items():
        if whole[key] not in words:
            raise ProtocolError(
                "bad_request", "terms: %s is %r: expected one of %s" % (key, whole[key], ", ".join(words))
            )
    _within("ttl", whole["ttl"], TTL_RANGE)
    whole["ttl"] = float(whole["ttl"])
    if whole["reflex"] is not None:
        if not isinstance(whole["reflex"], dict) or set(whole["reflex"]) != set(_REFLEX):
            raise ProtocolError("bad_request", "terms: reflex: expected null, or %s" % ", ".join(sorted(_REFLEX)))
        for key, bounds in _REFLEX.items():
            _within("reflex.%s" % key, whole["reflex"][key], bounds)
    if whole["close_after"] is not None:
        _within("close_after", whole["close_after"], CLOSE_RANGE)
    if not isinstance(whole["notify"], list) or not all(_tells(entry) for entry in whole["notify"]):
        raise ProtocolError(
            "bad_request", "terms: notify: expected a list of objects, each with 'command' (a list of texts) or 'url'"
        )
    return whole


def park_seconds(given: Any) -> float:
    """For how long it is parked; ProtocolError."""
    low, high = PARK_RANGE
    if not low <= given <= high:
        raise ProtocolError("bad_request", "park: for is %r: expected a number from %g to %g" % (given, low, high))
    return float(given)


def checked_note(operation: str, note: Any) -> Any:
    """A note that the record takes; ProtocolError for one that is too long."""
    if len(compact({"note": note})) > NOTE_LIMIT:
        raise ProtocolError("bad_request", "%s: the note is over %d bytes" % (operation, NOTE_LIMIT))
    return note


def _tells(entry: Any) -> bool:
    """Whether a notification has one way to tell it. What it has is not said: it may be secret."""
    if not isinstance(entry, dict) or not set(entry) <= {"command", "url", "on"}:
        return False
    ways = [_texts(entry["command"])] if "command" in entry else []
    ways += [bool(entry["url"]) and isinstance(entry["url"], str)] if "url" in entry else []
    return ways == [True] and ("on" not in entry or _texts(entry["on"]))


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)


def _within(key: str, value: Any, bounds: Tuple[float, float]) -> None:
    low, high = bounds
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high or not value:
        raise ProtocolError("bad_request", "terms: %s is %r: expected a number from %g to %g" % (key, value, low, high))


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


def is_probe(line: str) -> bool:
    """Whether a line asks for what may take seconds."""
    try:
        return bool(parse(line)["op"] == "probe")
    except ProtocolError:
        return False


def refusal_to(line: str, code: str, text: str) -> str:
    """A reply line to a request line that was not even tried."""
    return refusal(parse(line).get("id"), code, text)


def compact(mapping: Mapping[str, Any]) -> str:
    """A request line."""
    return json.dumps(mapping, separators=(",", ":")) + "\n"
