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
    """How to read one kind of value. ``textual``: a number, date or truth in its place lacks its quotes.

    What can be said of it without running ``read``, for a schema: the ``pattern`` that a text matches as a whole, the
    bounds of a number (``above``: more than ``low``).
    """

    rule: str
    read: Callable[[Any], T]
    words: dict[str, object] = field(default_factory=dict)
    textual: bool = False
    pattern: str = ""
    low: float | None = None
    high: float | None = None
    above: bool = False


def read_text(value: Any) -> str:
    """One printable line that is not blank."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError(value)
    return str(value)


def matching(rule: str, pattern: str) -> Kind[str]:
    """A printable line that matches as a whole."""
    compiled = re.compile(pattern)

    def read(value: Any) -> str:
        text = read_text(value)
        if not compiled.fullmatch(text):
            raise ValueError(value)
        return text

    return Kind(rule, read, textual=True, pattern=pattern)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e15 < value < 1e15


def read_number(value: Any) -> float:
    """A finite number of a size that means something."""
    if not _is_number(value):
        raise ValueError(value)
    return float(value)


TEXT = Kind("value.text", read_text, textual=True)
NAME = matching("value.name", r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
URL_PATH = matching("value.url_path", r"/[!-~]*")
PATH = matching("value.path", r"/.*")
#: A name on its way into a command to a proxy: nothing that could end the command or begin another.
SERVER = matching("value.server", r"[A-Za-z0-9._:-]+")

#: What a rule tells requests by: nothing that a proxy's configuration would read as anything but a text.
HEADER_NAME = matching("value.header", r"[A-Za-z0-9-]{1,64}")
HEADER_VALUE = matching("value.header_value", r"[A-Za-z0-9._~:/@=+-]{1,256}")
COOKIE_NAME = matching("value.cookie", r"[A-Za-z0-9_-]{1,64}")
COOKIE_VALUE = matching("value.cookie_value", r"[A-Za-z0-9._~-]{1,256}")

#: How a pool's members are named at the proxy.
PATTERN = matching("spec.server", r"(?:[^{}]|\{host\}|\{pool\})+")


def bounded(
    rule: str, low: float, high: float, words: dict[str, object] | None = None, *, above: bool = False
) -> Kind[float]:
    """A number within both bounds; ``above``: more than ``low``."""

    def read(value: Any) -> float:
        result = read_number(value)
        if not low <= result <= high or (above and result == low):
            raise ValueError(value)
        return result

    return Kind(rule, read, words or {}, low=low, high=high, above=above)


def _read_share(value: Any) -> float:
    share = bounded("value.share", 0, 100, above=True).read(value)
    if round(share, 2) != share:
        raise ValueError(value)
    return share


def _read_share_or_none(value: Any) -> float:
    return 0.0 if read_number(value) == 0 else _read_share(value)


#: Two decimals: the finest share that any router can hold is 0.01 %.
SHARE = Kind("value.share", _read_share, low=0, high=100, above=True)
#: In a first step, which may be for those alone that a rule leads to canary.
SHARE_OR_NONE = Kind("value.share", _read_share_or_none, low=0, high=100)


def whole(low: int, high: int) -> Kind[int]:
    """A whole number within both bounds."""

    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(value)
        return int(value)

    return Kind("value.whole", read, {"low": low, "high": high}, low=low, high=high)


def number(low: float, high: float) -> Kind[float]:
    """A number within both bounds, which its message says."""
    return bounded("value.number", low, high, {"low": f"{low:g}", "high": f"{high:g}"})


#: The chance of turning back a good release.
ALPHA = bounded("value.alpha", 1e-9, 0.1)
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

    words: dict[str, object] = {"low": _duration.text(low), "high": _duration.text(high)}
    return Kind("value.duration", read, words, pattern=_duration.PATTERN, low=low, high=high)


TIMEOUT = duration(0.1, 60)

CLOCK = re.compile(r"([0-9]+):([0-9]{1,2})(?::[0-9]{1,2})?")
