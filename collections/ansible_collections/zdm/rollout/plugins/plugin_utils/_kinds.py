# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of values: what a text, a name, a number or a duration has to look like, and its plain Python value.

Rules of this room: one value in, one value out or ValueError; nothing of where the value stands. A kind carries the
id of the rule that a wrong value breaks, and the words that its message needs. Booleans are not numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from . import _duration

T = TypeVar("T")

DAY = 24 * 3600.0


@dataclass(frozen=True)
class Kind(Generic[T]):
    """How to read one kind of value. ``textual``: a number, date or truth in its place lacks its quotes."""

    rule: str
    read: Callable[[Any], T]
    words: dict[str, object] = field(default_factory=dict)
    textual: bool = False


def read_text(value: Any) -> str:
    """One printable line that is not blank."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError(value)
    return str(value)


def _matching(pattern: str) -> Callable[[Any], str]:
    compiled = re.compile(pattern)

    def read(value: Any) -> str:
        text = read_text(value)
        if not compiled.fullmatch(text):
            raise ValueError(value)
        return text

    return read


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e15 < value < 1e15


def read_number(value: Any) -> float:
    """A finite number of a size that means something."""
    if not _is_number(value):
        raise ValueError(value)
    return float(value)


TEXT = Kind("value.text", read_text, textual=True)
NAME = Kind("value.name", _matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"), textual=True)
URL_PATH = Kind("value.url_path", _matching(r"/[!-~]*"), textual=True)
PATH = Kind("value.path", _matching(r"/.*"), textual=True)
#: A name on its way into a command to a proxy: nothing that could end the command or begin another.
SERVER = Kind("value.server", _matching(r"[A-Za-z0-9._:-]+"), textual=True)

#: What a rule tells requests by: nothing that a proxy's configuration would read as anything but a text.
HEADER_NAME = Kind("value.header", _matching(r"[A-Za-z0-9-]{1,64}"), textual=True)
HEADER_VALUE = Kind("value.header_value", _matching(r"[A-Za-z0-9._~:/@=+-]{1,256}"), textual=True)
COOKIE_NAME = Kind("value.cookie", _matching(r"[A-Za-z0-9_-]{1,64}"), textual=True)
COOKIE_VALUE = Kind("value.cookie_value", _matching(r"[A-Za-z0-9._~-]{1,256}"), textual=True)


def _read_pattern(value: Any) -> str:
    pattern = read_text(value)
    if set("{}") & set(pattern.replace("{host}", "").replace("{pool}", "")):
        raise ValueError(value)
    return pattern


#: How a pool's members are named at the proxy.
PATTERN = Kind("spec.server", _read_pattern, textual=True)


def _read_share(value: Any) -> float:
    share = read_number(value)
    if not 0 < share <= 100 or round(share, 2) != share:
        raise ValueError(value)
    return share


def _read_share_or_none(value: Any) -> float:
    return 0.0 if read_number(value) == 0 else _read_share(value)


#: Two decimals: the finest share that any router can hold is 0.01 %.
SHARE = Kind("value.share", _read_share)
#: In a first step, which may be for those alone that a rule leads to canary.
SHARE_OR_NONE = Kind("value.share", _read_share_or_none)


def whole(low: int, high: int) -> Kind[int]:
    """A whole number within both bounds."""

    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(value)
        return int(value)

    return Kind("value.whole", read, {"low": low, "high": high})


def number(low: float, high: float) -> Kind[float]:
    """A number within both bounds."""

    def read(value: Any) -> float:
        result = read_number(value)
        if not low <= result <= high:
            raise ValueError(value)
        return result

    return Kind("value.number", read, {"low": f"{low:g}", "high": f"{high:g}"})


def _read_alpha(value: Any) -> float:
    alpha = read_number(value)
    if not 1e-9 <= alpha <= 0.1:
        raise ValueError(value)
    return alpha


#: The chance of turning back a good release.
ALPHA = Kind("value.alpha", _read_alpha)
#: How much burstier failures come than single ones.
DISPERSION = number(1, 1000)

PORT = whole(1, 65535)
STATUS = whole(100, 599)
REQUESTS = whole(0, 10**9)


def duration(low: float = 0.0, high: float = 31 * DAY) -> Kind[float]:
    """Seconds of a duration as text, or of a number of seconds."""

    def read(value: Any) -> float:
        seconds = _duration.parse(value) if isinstance(value, str) else read_number(value)
        if not (math.isfinite(seconds) and low <= seconds <= high):
            raise ValueError(value)
        return seconds

    return Kind("value.duration", read, {"low": _duration.text(low), "high": _duration.text(high)})


TIMEOUT = duration(0.1, 60)

CLOCK = re.compile(r"([0-9]+):([0-9]{1,2})(?::[0-9]{1,2})?")
