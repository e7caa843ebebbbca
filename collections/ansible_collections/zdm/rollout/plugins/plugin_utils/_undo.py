# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Undo: back to a release that served before.

Rules of this room: pure. What is asked, what was before and what is now in; the way, or why there is none, out.

Theory of operation. A release that served within the last ``rollback_window`` ones was judged good then, so the way
back to it is one order: no steps, no checks, no approval. What stays are the gates of every order: members that are not
healthy get nothing, all routers are read back. Further back it is a rollout as any other. Mostly the pool that had the
release still has it; where it does not, the spec's deploy hook brings it there first.
"""

from __future__ import annotations

from dataclasses import dataclass

from ._past import PROMOTED, Ended, Past, before
from ._problem import SpecError
from ._rules import problem

#: From where somebody names the release, in messages.
KEY = "zdm_release"


class Serves(Exception):
    """The release that is wanted is the one that serves: there is nothing to do; the text says so."""


@dataclass(frozen=True)
class Now:
    """What the routers show: ``serving`` has all traffic on all of them (None: no pool has), ``idle`` gets none."""

    serving: str | None
    idle: str


@dataclass(frozen=True)
class Way:
    """``deploy``: the idle pool's members have to get the release; ``at_once``: one order, no steps."""

    release: str
    deploy: bool
    at_once: bool


def undo(named: str, past: Past, now: Now, window: int, can_deploy: bool) -> Way:
    """The way to the release ``named``, or to the one before where it is empty; SpecError, or Serves."""
    _agreed(past)
    if not past.promoted:
        raise SpecError([problem("undo.nothing", "undo", named)])
    current = past.promoted[-1]
    if current.canary != now.serving:
        shows = f"{now.serving} serves" if now.serving else "no pool has all traffic on all routers"
        words = {"release": current.release, "pool": current.canary, "shows": shows}
        raise SpecError([problem("undo.moved", "undo", named, **words)])
    release = named or _previous(past)
    if release == current.release:
        raise Serves(f"release {release} serves already, from {now.serving}: nothing is to be done")
    served = list(past.releases())
    if release not in served:
        raise SpecError([problem("undo.unknown", KEY, release, known=", ".join(served))])
    deploy = past.holds(now.idle) != release
    nameless = release == before(past.promoted[0].release)
    if deploy and (nameless or not can_deploy):
        raise SpecError([problem("undo.gone", KEY, release, pool=now.idle)])
    return Way(release, deploy, at_once=served.index(release) <= window)


def forward(release: str, past: Past, serving: str | None, again: bool) -> Way:
    """The way to a release by the spec's steps; Serves where it was promoted last and serves, unless it is to go
    there once more (``again``): whoever runs the same rollout twice changes nothing by it."""
    current = _current(past)
    if not again and current is not None and (current.release, current.canary) == (release, serving):
        raise Serves(
            f"release {release} serves already, from {serving}: nothing is to be done; to roll it out anew, give it"
            " another name, or say -e zdm_again=true"
        )
    return Way(release, deploy=True, at_once=False)


def retry(past: Past) -> Way:
    """The way to the release of the last rollout, which did not come to its end; SpecError."""
    last = past.last
    if last is None or last.promoted:
        said = f"the last one, {last.release}, was promoted" if last else "there was none"
        raise SpecError([problem("retry.nothing", "retry", last.release if last else "", said=said)])
    return Way(last.release, deploy=True, at_once=False)


def _agreed(past: Past) -> None:
    """SpecError where routers differ about whether the release that serves now was promoted."""
    newest = _newest(past)
    if newest is not None and not newest.promoted:
        said = ", ".join(f"{router}: {outcome}" for router, outcome in newest.outcomes.items())
        raise SpecError([problem("past.disagree", newest.run, newest.release, said=said)])


def _current(past: Past) -> Ended | None:
    """The rollout that brought what serves now, where all routers say the same of it."""
    newest = _newest(past)
    return newest if newest is not None and newest.promoted else None


def _newest(past: Past) -> Ended | None:
    """The newest rollout that was promoted at some router."""
    return next((found for found in reversed(past.rollouts) if PROMOTED in found.outcomes.values()), None)


def _previous(past: Past) -> str:
    """What served before; SpecError where the last rollout went back itself, so that it might mean two things."""
    served = [before(past.promoted[0].release), *(rollout.release for rollout in past.promoted)]
    if served[-1] in served[:-1]:
        raise SpecError(
            [problem("undo.twice", KEY, "", release=served[-1], known=", ".join(list(past.releases())[1:]))]
        )
    return served[-2]
