# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a service stands on a router, for people: what is live, who holds the lease, and what ends it safely. Pure."""

from __future__ import annotations

from typing import List, Optional

from .. import _split
from ..routers.api import Traffic
from .record import Record


def described(record: Record, traffic: Optional[Traffic], failure: str = "") -> List[str]:
    """Lines about a service; ``traffic`` is None where the proxy could not be read, for the reason ``failure``."""
    return ["%s in %s: %s" % (record.name, record.environment, _state(record))] + [
        "  " + line for line in _live(traffic, failure) + _lease(record) + _last(record)
    ]


def _state(record: Record) -> str:
    return record.lease.state if record.service else "no rollout has been here"


def _live(traffic: Optional[Traffic], failure: str) -> List[str]:
    if traffic is None:
        return ["live: cannot be read: %s" % failure]
    lines = ["live: %s" % (_split.describe(traffic.split) if traffic.held else "no member takes traffic")]
    for pool in traffic.split:
        members = ["%s %s" % (member.name, member.health) for member in traffic.members if member.pool == pool]
        lines.append("%s: %s" % (pool, ", ".join(members) or "no member at this router"))
    return lines


def _lease(record: Record) -> List[str]:
    lease = record.lease
    if lease.lives:
        return [
            "release %s of run %s, by %s, since %s" % (lease.release, lease.run, lease.owner, lease.since),
            "stable is %s, canary is %s" % (lease.stable, lease.canary),
            "to end it safely, on this router: zdm-agent revert %s" % record.name,
        ]
    return [lease.reason] if lease.reason else []


def _last(record: Record) -> List[str]:
    if not record.rollouts:
        return []
    return ["last rollout: %(release)s %(outcome)s at %(until)s" % record.rollouts[-1]]
