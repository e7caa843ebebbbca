# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the routers answered, read before anything is planned by it.

Rules of this room: pure; answers as they came in, LiveRouters or SpecError out. An answer is of an agent that may be
older, newer or broken, and of a record on a disk that anything may have happened to: what the plan looks at has to be
as the contracts (sections 2 and 3) say, what it does not look at may be anything.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..module_utils.routers.api import Traffic
from ._plan import LiveRouter
from ._problem import SpecError
from ._rules import problem

#: (path, value, what was expected).
Wrong = tuple[str, Any, str]


@dataclass(frozen=True)
class Leaf:
    """A value that stands for itself."""

    what: str
    fits: Callable[[Any], bool]


@dataclass(frozen=True)
class Keys:
    """A mapping with these keys; any other is passed over. Those that are not ``needed`` may be missing."""

    needed: Mapping[str, Shape]
    rest: Mapping[str, Shape]


@dataclass(frozen=True)
class Named:
    """A mapping of names to such values."""

    of: Shape


@dataclass(frozen=True)
class ListOf:
    of: Shape


@dataclass(frozen=True)
class OrNull:
    of: Shape


Shape = Leaf | Keys | Named | ListOf | OrNull


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: Any, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= high


def _is_moment(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


LINE = Leaf("a text in one line", _is_line)
#: Of people or of a proxy: as many lines as they like.
WORDS = Leaf("a text", lambda value: isinstance(value, str))
TRUTH = Leaf("true or false", lambda value: isinstance(value, bool))
WEIGHT = Leaf("a whole number from 0 on", lambda value: _is_whole(value, 0, 10**9))
#: A share that was computed may be above 100 by what a float is off.
SHARE = Leaf("a share from 0 to 100 percent", lambda value: _is_number(value, 100.001))
RATE = Leaf("a number from 0 on", lambda value: _is_number(value, 1e15))
PER = Leaf("server or pool", lambda value: value in ("server", "pool"))
MOMENT = Leaf("a time in ISO 8601, with its zone", _is_moment)
#: The plan tries every whole number up to it.
TOP = Leaf("a whole number from 1 to 1000000", lambda value: _is_whole(value, 1, 10**6))

MEMBER = Keys(
    {"name": LINE, "pool": LINE, "health": LINE, "weight": WEIGHT}, {"base": WEIGHT, "sessions": OrNull(WEIGHT)}
)
TRAFFIC = Keys(
    {"members": ListOf(MEMBER), "split": Named(SHARE), "scale": Keys({"per": PER, "top": TOP}, {})},
    {
        "held": TRUTH,
        "durable": LINE,
        "promises": ListOf(WORDS),
        "warnings": ListOf(WORDS),
        "rules": OrNull(Named(LINE)),
        "closes": TRUTH,
        "costs": WORDS,
    },
)
ENDED = Keys(dict.fromkeys(("run", "release", "stable", "canary", "outcome", "since"), LINE), {"until": MOMENT})
LOCK = Keys({}, dict.fromkeys(("by", "at", "reason"), OrNull(WORDS)))
GONE = Keys({"pool": LINE}, dict.fromkeys(("by", "at", "reason"), OrNull(WORDS)))
RECORD = Keys(
    {},
    {
        **dict.fromkeys(("state", "run", "owner", "release", "parked"), LINE),
        "stable": OrNull(LINE),
        "locked": OrNull(LOCK),
        "retired": OrNull(GONE),
        "rollouts": ListOf(ENDED),
    },
)
ANSWER = Keys(
    {"traffic": TRAFFIC},
    {
        "record": OrNull(RECORD),
        "guard": LINE,
        "rate": OrNull(Named(Keys({"requests": RATE, "failures": RATE}, {}))),
    },
)


def read_live(answers: Mapping[str, Any]) -> dict[str, LiveRouter]:
    """The routers that said what they do now, by name; SpecError with the first thing of each that nobody can read.

    A router that did not answer is left out: the plan knows what to say of it.
    """
    said = {name: found for name, found in answers.items() if isinstance(found, Mapping) and found.get("traffic")}
    problems = [
        problem("plan.answer", path, value, what=what, router=name)
        for name, found in said.items()
        for path, value, what in itertools.islice(_wrong(ANSWER, found, name), 1)
    ]
    if problems:
        raise SpecError(problems)
    return {
        name: LiveRouter(
            Traffic.from_json(found["traffic"]), found.get("record"), found.get("guard", "none"), found.get("rate")
        )
        for name, found in said.items()
    }


def _wrong(shape: Shape, value: Any, path: str) -> Iterator[Wrong]:
    """Everything in a value that is not of its shape."""
    if isinstance(shape, Leaf):
        if not shape.fits(value):
            yield path, value, shape.what
    elif isinstance(shape, OrNull):
        if value is not None:
            yield from _wrong(shape.of, value, path)
    elif isinstance(shape, ListOf):
        if isinstance(value, str) or not isinstance(value, Sequence):
            yield path, value, "a list"
        else:
            for index, item in enumerate(value):
                yield from _wrong(shape.of, item, f"{path}[{index}]")
    elif not isinstance(value, Mapping):
        yield path, value, "a mapping"
    elif isinstance(shape, Named):
        for name, item in value.items():
            yield from _wrong(LINE, name, path)
            yield from _wrong(shape.of, item, f"{path}.{name}")
    else:
        for key, of in {**shape.needed, **shape.rest}.items():
            if key in value or key in shape.needed:
                yield from _wrong(of, value.get(key), f"{path}.{key}")
