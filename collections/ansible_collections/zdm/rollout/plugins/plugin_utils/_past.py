# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was rolled out here before: the histories that the routers' agents keep, as one.

Rules of this room: pure; records in, a Past out. Each router knows the rollouts that it took part in; one that is new
or was left out knows fewer. What they say of the same run counts once, and where they differ nothing is made of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PROMOTED = "promoted"
#: The outcome of a run that ended in one way at some routers, and in another at others.
DIFFERENT = "different"


@dataclass(frozen=True)
class Ended:
    """A rollout that is over: ``release`` on its way from pool ``stable`` to pool ``canary``.

    ``outcomes``: router -> what its record says of the end.
    """

    run: str
    release: str
    stable: str
    canary: str
    outcomes: Mapping[str, str]

    @property
    def outcome(self) -> str:
        said = set(self.outcomes.values())
        return said.pop() if len(said) == 1 else DIFFERENT

    @property
    def promoted(self) -> bool:
        return self.outcome == PROMOTED


@dataclass(frozen=True)
class Past:
    """The rollouts that ended, the newest last."""

    rollouts: tuple[Ended, ...]
    #: Pools that were let go since: what they have nobody knows.
    retired: frozenset[str] = frozenset()

    @classmethod
    def of(cls, records: Mapping[str, Mapping[str, Any] | None]) -> Past:
        """The past that these routers' records (contracts, section 3) have, by the time when each run began."""
        began: dict[str, str] = {}
        found: dict[str, Ended] = {}
        for router, record in records.items():
            for entry in (record or {}).get("rollouts", ()):
                run = str(entry["run"])
                known = found.get(run)
                outcomes = {**(known.outcomes if known else {}), router: str(entry["outcome"])}
                began[run] = min(began.get(run, str(entry["since"])), str(entry["since"]))
                found[run] = Ended(run, entry["release"], entry["stable"], entry["canary"], outcomes)
        retired = [record["retired"]["pool"] for record in records.values() if record and record.get("retired")]
        ordered = sorted(found, key=lambda run: (began[run], run))
        return cls(tuple(found[run] for run in ordered), frozenset(retired))

    @property
    def promoted(self) -> list[Ended]:
        """Those that came to their end at every router that took part, the newest last."""
        return [rollout for rollout in self.rollouts if rollout.promoted]

    @property
    def last(self) -> Ended | None:
        return self.rollouts[-1] if self.rollouts else None

    def releases(self) -> Iterator[str]:
        """What served, the newest first, each once; the last one is what served before any rollout."""
        served = [rollout.release for rollout in self.promoted]
        if served:
            served.insert(0, before(served[0]))
        yield from dict.fromkeys(reversed(served))

    def holds(self, pool: str) -> str | None:
        """The release that a pool's members have; None where nobody knows.

        It was let go, or a rollout that was no success may have left another there.
        """
        if pool in self.retired:
            return None
        for rollout in reversed(self.rollouts):
            if rollout.canary == pool:
                return rollout.release if rollout.promoted else None
        # It was stable all the time, so it has what served before any rollout.
        served = self.promoted
        return before(served[0].release) if served and self.rollouts[0].stable == pool else None


def before(release: str) -> str:
    """What a release is called that served before the first rollout, whose name nobody told."""
    return f"before {release}"
