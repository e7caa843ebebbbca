# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a service stands on a router, for people: what is live, who holds the lease, and what ends it safely. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, List, Optional

from .. import _split
from ..routers.api import Traffic
from . import lease as leases
from .locks import Holder
from .record import Record, lock_told, retired_told


def described(record: Record, traffic: Optional[Traffic], guard: Optional[Holder], failure: str = "") -> List[str]:
    """Lines about a service; ``traffic`` is None where the proxy could not be read, for the reason ``failure``."""
    parts = (_notices(record), _live(traffic, failure), _lease(record), _guard(record, guard), _last(record))
    said = ["%s in %s: %s" % (record.name, record.environment, _state(record))]
    return said + ["  " + line for part in parts for line in part]


def rollouts(record: Record) -> List[str]:
    """A line for each of the last rollouts, the newest first."""
    lines = [
        "%(since)s  %(release)s  %(outcome)s  %(stable)s to %(canary)s, by %(owner)s" % rollout
        + (": %(reason)s" % rollout if rollout["reason"] else "")
        + ("; %d sessions were closed" % rollout["closed"] if rollout.get("closed") else "")
        for rollout in reversed(record.rollouts)
    ]
    return lines or ["no rollout of %s in %s has ended here" % (record.name, record.environment)]


def _state(record: Record) -> str:
    return record.lease.state if record.service else "no rollout has been here"


def _notices(record: Record) -> List[str]:
    told = [lock_told(record)] if record.locked else []
    return told + ([retired_told(record)] if record.retired else [])


def _live(traffic: Optional[Traffic], failure: str) -> List[str]:
    if traffic is None:
        return ["live: cannot be read: %s" % failure]
    lines = ["live: %s" % (_split.describe(traffic.split) if traffic.held else "no member takes traffic")]
    lines += ["%s rules lead to %s" % item for item in sorted((traffic.rules or {}).items())]
    for pool in traffic.split:
        members = ["%s %s" % (member.name, member.health) for member in traffic.members if member.pool == pool]
        told = "%s: %s" % (pool, ", ".join(members) or "no member at this router")
        busy = traffic.sessions(pool) if members else None
        lines.append(told + ("; %d under way" % busy if busy else ""))
    return lines


def _lease(record: Record) -> List[str]:
    lease = record.lease
    if lease.lives:
        return [
            "release %s of run %s, by %s, since %s" % (lease.release, lease.run, lease.owner, lease.since),
            "stable is %s, canary is %s" % (lease.stable, lease.canary),
            *_parked(record),
            *_progress(record.note),
            "to end it safely, on this router: zdm-agent revert %s" % record.name,
        ]
    if lease.state in (leases.HELD, leases.STUCK):
        return [
            lease.reason,
            "canary is %s; to bring all traffic to %s, on this router: zdm-agent revert %s"
            % (lease.canary, lease.stable, record.name),
            "to leave it as it is: zdm-agent disarm %s" % record.name,
        ]
    return [lease.reason] if lease.reason else []


def _parked(record: Record) -> List[str]:
    """That nobody goes on with it now, for how long it may stay so, and who can."""
    lease = record.lease
    if not lease.parked:
        return []
    try:
        until = (datetime.fromisoformat(lease.parked) + timedelta(seconds=lease.parked_for)).isoformat(
            timespec="seconds"
        )
    except (ValueError, OverflowError):  # a person wrote it
        until = "%g s later" % lease.parked_for
    return ["parked since %s, until %s; a rollout of release %s takes it up" % (lease.parked, until, lease.release)]


def _progress(note: Any) -> List[str]:
    """What the watch said of its step at last; nothing where another release of it says that in another way."""
    if not isinstance(note, dict) or not all(isinstance(note.get(key), kind) for key, kind in _PROGRESS.items()):
        return []
    said = "".join(letter for letter in note["said"] if letter.isprintable())
    return ["step %d of %d, %s: %s" % (note["step"] + 1, note["of"], note["state"], said)] if said else []


_PROGRESS = {"step": int, "of": int, "state": str, "said": str}


def _guard(record: Record, guard: Optional[Holder]) -> List[str]:
    """Whether somebody minds what is on loan, or owed."""
    if not record.lease.minded:
        return []
    if guard is None:
        return ["NO GUARD MINDS IT: end it with zdm-agent revert %s" % record.name]
    if guard.stopped:
        return ["its guard, %s, DOES NOTHING: end it with zdm-agent revert %s" % (guard, record.name)]
    return ["minded by %s" % guard]


def _last(record: Record) -> List[str]:
    if not record.rollouts:
        return []
    return ["last rollout: %(release)s %(outcome)s at %(until)s" % record.rollouts[-1]]
