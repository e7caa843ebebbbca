# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A grammar of the agent's protocol: request lines as they should be, and as they should not.

Rules of this room: the same seed gives the same lines. What the contract (docs/contracts.md, section 2) allows is in
``OPERATIONS`` of the product; what each key may hold is here. No host is named but 127.0.0.1, as a probe goes there.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.agent.protocol import LINE_LIMIT, OPERATIONS

from .driver import SERVICE

#: The run that is in force in the fuzzed agent; whoever names its epoch *is* that run, as far as a guard can know.
EPOCH = 1

TEXTS = ["", "web", "test", "r1", "r2", "../../etc/passwd", "a" * 300, "\0", "ü\u2028\ud800", "%s%n", "web\n", "-", "."]
NUMBERS = [0, -1, 2, 7, 10**14, 10**30, -(10**30), 0.0, 0.5, -0.5, 1e308, float("inf"), float("nan")]
MEMBER = {"name": "blue-1", "address": "127.0.0.1", "port": 9}
SPLITS: list[Any] = [
    {"blue": 50, "green": 50},
    {"blue": 0, "green": 100},
    {"blue": -1, "green": 101},
    {"green": 100},
    {"blue": "50", "green": None},
    {},
    [],
]
TERMS: dict[str, list[Any]] = {
    "ttl": [5, *NUMBERS],
    "on_expiry": ["revert", "hold", "fly"],
    "guard": ["session", "resident", "none", ""],
    "reflex": [None, {}, {"alpha": 0.01, "dispersion": 2, "min_failures": 5}, {"alpha": 2}, "on"],
    "on_foreign_change": ["rollback", "pause", 5],
    "notify": [
        [],
        [{}],
        [5],
        "x",
        [{"command": ["true"], "on": ["stuck"]}],
        [{"command": ["true"], "url": "http://127.0.0.1:9"}],
        [{"url": 5}],
        [{"command": [], "on": []}],
        [{"more": 1}],
    ],
    "close_after": [None, 30, "30s", *NUMBERS],
    "more": [1],
}


class Grammar:
    """Lines by chance, of ``seed``."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._keys: Mapping[str, Callable[[], Any]] = {
            "versions": lambda: self._mostly([1], [[1, 2], [2], [], ["1"], [None], [[1]]]),
            "router": lambda: self._mostly(
                {"type": "fake"}, [{}, {"type": "haproxy"}, {"type": None}, {"kind": "fake"}]
            ),
            "service": self._service,
            "request": self._probe,
            "stable": lambda: self._mostly("blue", ["green", "red", ""]),
            "canary": lambda: self._mostly("green", ["blue", "red", ""]),
            "terms": self._terms,
            "epoch": lambda: self._mostly(2, [EPOCH, EPOCH, *NUMBERS]),
            "t": lambda: self._mostly(1000.0, NUMBERS),
            "wanted": lambda: self._mostly(
                {"split": self._mostly(SPLITS[0], SPLITS), "stable": "blue"}, [{}, {"split": 5}]
            ),
            "max_hold": lambda: self._mostly(60, NUMBERS),
            "note": lambda: self._one([None, {"held": 3}, "n" * 9000, self._nested(70), self._any()]),
            "takes": lambda: self._mostly("", ["r1", "x"]),
            "for": lambda: self._mostly(60, NUMBERS),
            "force": lambda: self._one([True, False]),
            "verb": lambda: self._one(["abort", "pause", "resume", "promote", "park", "", "fly"]),
            "name": lambda: self._mostly("web", TEXTS),
            "environment": lambda: self._mostly("test", TEXTS),
        }

    def request(self) -> dict[str, Any]:
        """A request that has all it needs, each key with something that may be right."""
        operation = self._one(sorted(OPERATIONS))
        required, optional = OPERATIONS[operation]
        keys = [*required, *(key for key in optional if self._chance.random() < 0.6)]
        values = {key: self._keys.get(key, lambda: self._one(TEXTS))() for key in keys}
        return {"id": self._one([1, 7, "x", None, [1], -(10**40)]), "op": operation, **values}

    def spoilt(self) -> dict[str, Any]:
        """A request with one or two things wrong."""
        request = self.request()
        for dummy in range(self._chance.randint(1, 2)):
            key = self._one(sorted(request))
            what = self._chance.randint(0, 3)
            if what == 0:
                request.pop(key)
            elif what == 1:
                request[self._one([*TEXTS, "split", "EPOCH"])] = self._any()
            elif what == 2:
                request[key] = self._any()
            else:
                request[key] = self._nested(self._one([3, 63, 80]))
        return request

    def line(self) -> bytes:
        """A line, without its end: a request, a spoilt one, one that says a key twice, or hardly one at all."""
        text = json.dumps(self._one([self.request, self.request, self.spoilt])())
        spoil = self._one(
            [None] * 15 + [self._cut, self._twice, self._other_epoch, self._scratched, self._junk, self._long]
        )
        return text.encode() if spoil is None else spoil(text)

    def _cut(self, text: str) -> bytes:
        return text.encode()[: self._chance.randint(0, len(text))]

    def _twice(self, text: str) -> bytes:
        return text.replace('"op"', '"op": "status", "op"', 1).encode()

    def _other_epoch(self, text: str) -> bytes:
        return text.replace('{"id"', '{"epoch": %d, "id"' % self._chance.randint(-1, 9), 1).encode()

    def _scratched(self, text: str) -> bytes:
        data = bytearray(text.encode())
        for dummy in range(3):
            data[self._chance.randrange(len(data))] = self._chance.choice(b'\x00\xff"{}[]:,\\ 1')
        return bytes(data)

    def _junk(self, text: str) -> bytes:
        junk: bytes = self._one([b"null", b"[]", b"{}", b"1e999", b'"op"', b"[" * 5000, b"GET / HTTP/1.1\r"])
        return junk

    def _long(self, text: str) -> bytes:
        return text.encode() + b" " * (LINE_LIMIT + 1 - len(text))

    def _service(self) -> dict[str, Any]:
        service: dict[str, Any] = SERVICE.to_json()
        service["name"] = self._mostly("web", ["api", *TEXTS])
        service["environment"] = self._mostly("test", TEXTS)
        if self._chance.random() < 0.1:
            service[self._one(["pools", "health", "options", "more"])] = self._any()
        return service

    def _probe(self) -> dict[str, Any]:
        probe: dict[str, Any] = {"member": dict(MEMBER), "path": "/", "port": None, "timeout": 0.2}
        if self._chance.random() < 0.5:
            probe[self._one(["member", "path", "port", "timeout", "more"])] = self._any()
        return probe

    def _terms(self) -> dict[str, Any]:
        if self._chance.random() < 0.3:
            return {}
        key = self._one(sorted(TERMS))
        return {key: self._one(TERMS[key])}

    def _any(self) -> Any:
        return self._one([None, True, False, {}, [], {"": 1}, *NUMBERS, *TEXTS])

    def _nested(self, depth: int) -> Any:
        value: Any = self._any()
        for dummy in range(depth):
            value = {"x": value} if self._chance.random() < 0.5 else [value]
        return value

    def _mostly(self, right: Any, others: list[Any]) -> Any:
        return right if self._chance.random() < 0.7 else self._one(others)

    def _one(self, of: list[Any]) -> Any:
        return self._chance.choice(of)


def may_move(line: bytes) -> bool:
    """Whether a line, if nothing else is wrong with it, is an order of the run that is in force, or of a person."""
    try:
        request = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return False
    if not isinstance(request, dict):
        return False
    operation = request.get("op")
    if operation == "order":
        return True
    if operation in ("revert", "disarm") and request.get("force"):
        return True
    return operation in ("arm", "renew", "revert", "disarm") and request.get("epoch") == EPOCH
