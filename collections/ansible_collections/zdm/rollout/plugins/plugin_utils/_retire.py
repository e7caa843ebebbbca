# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pool ``finish`` lets go: the one without traffic, once it has been kept warm for long enough.

Rules of this room: pure; what the routers show, what they recorded and the time are brought in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from . import _duration
from ._fleet import Fleet
from ._plan import LiveRouter, serving
from ._problem import Problem, SpecError
from ._rules import problem
from ._spec import Spec

#: States of a record in which its pools are in somebody's hands.
_BUSY = ("leased", "armed", "held", "stuck")
KEY = "keep_old_for"


def retired(spec: Spec, fleet: Fleet, live: Mapping[str, LiveRouter], now: datetime) -> str:
    """The pool that may be let go; SpecError with every reason why none may."""
    problems = [problem("plan.unread", name) for name in fleet.routers if name not in live]
    problems += _busy(live)
    served = {name: serving(found.traffic) for name, found in live.items()}
    if None in served.values() or len(set(served.values())) > 1:
        shown = "; ".join(f"{name}: {pool or 'both'}" for name, pool in served.items())
        problems.append(problem("retire.both", "routers", shown))
    if not problems:
        problems += _early(spec, live, now)
    if problems:
        raise SpecError(problems)
    return next(pool for pool in spec.pools if pool not in served.values())


def _busy(live: Mapping[str, LiveRouter]) -> Iterator[Problem]:
    for name, found in live.items():
        record = found.record or {}
        if record.get("state") in _BUSY:
            yield problem("retire.busy", name, record["state"], run=record.get("run"), owner=record.get("owner"))


def _early(spec: Spec, live: Mapping[str, LiveRouter], now: datetime) -> Iterator[Problem]:
    """A problem where nothing ended here, or not long enough ago."""
    ended = [entry["until"] for found in live.values() for entry in (found.record or {}).get("rollouts", ())[-1:]]
    if not ended:
        yield problem("retire.nothing", "finish", spec.service)
        return
    until = max(datetime.fromisoformat(each) for each in ended)
    free = until + timedelta(seconds=spec.keep_old_for)
    if now < free:
        words = {"kept": _duration.text(spec.keep_old_for), "free": free.isoformat(timespec="seconds")}
        yield problem("retire.early", KEY, until.isoformat(timespec="seconds"), **words)
