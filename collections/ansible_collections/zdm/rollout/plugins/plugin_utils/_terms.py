# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The terms of a lease: who minds it on the routers, what becomes of canary's share without the run, and who is told.

Rules of this room: the reading of ``lease``, ``guard``, ``on_abandon``, ``reflex``, ``on_foreign_change``,
``on_revert`` and ``notify`` (contracts, section 1), and the protocol's ``terms`` made of them (section 2). A
notification may hold secrets: no problem and no ``repr`` shows them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..module_utils._notify import DEFAULT_EVENTS, GUARD_EVENTS
from ..module_utils.agent.reflex import share_of
from . import _spec_keys
from ._kinds import ALPHA, DISPERSION, TEXT, Kind, duration, matching, read_text, whole
from ._reader import Reader, read
from ._rules import problem

if TYPE_CHECKING:
    # The spec is read with this as a part of it.
    from ._spec import Spec

SESSION, RESIDENT, NONE = "session", "resident", "none"
ROLLBACK, HOLD = "rollback", "hold"
#: What is done where stable is sick: nothing is raised until somebody says so, or canary is what there is.
PAUSE, LEAVE = "pause", "leave"
#: What becomes of the sessions that a revert leaves at canary.
KEEP, CLOSE = "keep", "close"
#: What an agent takes for at once, in seconds.
SOON = 0.1

LEASE = duration(3, 300)
MIN_FAILURES = whole(1, 1000)
#: All of ``notify`` goes to each guard in one line of the protocol, which has a limit.
NOTIFY_BYTES = 16384


def _read_url(value: Any) -> str:
    """One that can be asked for as it stands; urlsplit raises ValueError for hosts and ports that are none."""
    text = read_text(value)
    url = urlsplit(text)
    told = re.fullmatch(URL_PATTERN, text) and url.hostname and "@" not in url.netloc and url.port != 0
    if not told or len(text) > 2000:
        raise ValueError(value)
    return text


PROGRAM = matching("notify.program", r"/\S+|[^\s/]+")
#: A scheme is written in any case.
URL_PATTERN = r"[Hh][Tt][Tt][Pp][Ss]?://[!-~]+"
URL = Kind("notify.url", _read_url, textual=True, pattern=URL_PATTERN)


@dataclass(frozen=True)
class Reflex:
    """``alpha``: the chance of turning back a good release, for the whole rollout, all guards and the watch together.

    ``dispersion``: how much burstier failures come than single ones. Never on fewer than ``min_failures``.
    """

    alpha: float = 0.0005
    dispersion: float = 2.0
    min_failures: int = 5

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Notify:
    """Whom to tell of which events: a command (its words) or a URL, the other one is None."""

    command: tuple[str, ...] | None = field(repr=False)
    url: str | None = field(repr=False)
    on: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        way: dict[str, Any] = {"url": self.url} if self.command is None else {"command": list(self.command)}
        return {**way, "on": list(self.on)}


def read_guard(top: Reader) -> tuple[str, str]:
    """``guard`` and ``on_abandon``."""
    guard = top.choice("guard", _spec_keys.GUARDS, SESSION)
    on_abandon = top.choice("on_abandon", _spec_keys.ON_ABANDON, ROLLBACK)
    if guard == NONE and top.raw("on_abandon") in (None, ROLLBACK):
        top.note("guard.hold", "on_abandon", top.raw("on_abandon"))
    if guard == NONE and top.raw("reflex") not in (None, "disabled"):
        top.note("guard.reflex", "reflex", top.raw("reflex"))
    return guard, on_abandon


def read_on_revert(top: Reader, guard: str) -> str:
    """``on_revert``: it is a guard who closes."""
    on_revert = top.choice("on_revert", _spec_keys.ON_REVERT, KEEP)
    if on_revert == CLOSE and guard == NONE:
        top.note("guard.close", "on_revert", on_revert)
    return on_revert


def read_reflex(top: Reader) -> Reflex | None:
    """The reflex; None where it is disabled."""
    written = top.raw("reflex")
    if written is None or written == "enabled":
        return Reflex()
    if not isinstance(written, Mapping):
        if written != "disabled":
            top.note("reflex.value", "reflex", written, known=", ".join(_spec_keys.REFLEX.known))
        return None
    reflex = top.mapping("reflex", _spec_keys.REFLEX)
    return Reflex(
        alpha=reflex.optional("alpha", ALPHA, Reflex.alpha),
        dispersion=reflex.optional("dispersion", DISPERSION, Reflex.dispersion),
        min_failures=reflex.optional("min_failures", MIN_FAILURES, Reflex.min_failures),
    )


def read_notify(top: Reader) -> tuple[Notify, ...]:
    """Everyone who is to be told."""
    entries = tuple(_entry(entry) for entry in top.mappings("notify", _spec_keys.NOTIFY, secret=True))
    if len(json.dumps([entry.to_json() for entry in entries])) > NOTIFY_BYTES:
        top.note("notify.long", "notify", [], most=NOTIFY_BYTES)
    return entries


def _entry(entry: Reader) -> Notify:
    if entry.has("command") == entry.has("url"):
        entry.problems.append(problem("notify.way", entry.path, {}))
    command = _command(entry) if entry.raw("command") is not None else None
    return Notify(command, entry.optional("url", URL, None), _events(entry))


def _command(entry: Reader) -> tuple[str, ...]:
    words = entry.list("command", secret=True)
    if entry.raw("command") == []:
        entry.note("notify.program", "command", [])
    kinds = (PROGRAM, *[TEXT] * len(words))
    return tuple(
        read(kind, word, path, "", entry.problems, secret=True)
        for kind, (path, word) in zip(kinds, words, strict=False)
    )


def _events(entry: Reader) -> tuple[str, ...]:
    if entry.raw("on") is None:
        return DEFAULT_EVENTS
    known = _spec_keys.EVENTS.known
    if entry.raw("on") == []:
        entry.note("notify.never", "on", [], known=", ".join(known))
    return tuple(dict.fromkeys(entry.words("on", _spec_keys.EVENTS)))


def watch_alpha(spec: Spec) -> float:
    """The watch's half of the rollout's alpha, whether guards have their half or not."""
    return (spec.reflex or Reflex()).alpha / 2.0


def terms(spec: Spec, guards: int) -> dict[str, Any]:
    """The protocol's ``terms`` for one of so many guards.

    Only a resident guard outlives the run to tell anybody of anything, so no other is given whom and how to tell.
    A term that the first agents do not know is left out where it says nothing: they refuse it.
    """
    reflex = spec.reflex if spec.guard != NONE else None
    told = [entry for entry in spec.notify if spec.guard == RESIDENT and set(entry.on) & set(GUARD_EVENTS)]
    return {
        "ttl": spec.lease,
        "on_expiry": "hold" if spec.on_abandon == HOLD else "revert",
        "guard": spec.guard,
        "reflex": {**reflex.to_json(), "alpha": share_of(reflex.alpha, guards)} if reflex else None,
        "on_foreign_change": spec.on_foreign_change,
        "notify": [entry.to_json() for entry in told],
        **({"close_after": max(SOON, spec.drain_timeout)} if spec.on_revert == CLOSE else {}),
    }
