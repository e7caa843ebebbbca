# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of a rollout, and everything that the machine knows in one. How it gets there is in _rollout.py. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..module_utils.judge import INCONCLUSIVE, Verdict
from ._plan import Step

PLANNED, WAITING, RUNNING, PAUSED = "planned", "waiting", "running", "paused"
PROMOTED, FINISHED = "promoted", "finished"
REVERTING, ROLLED_BACK, STUCK, HELD = "reverting", "rolled_back", "stuck", "held"
PARKING, PARKED = "parking", "parked"
#: Who pauses a rollout because both pools fail at once.
BY_WATCH = "watch"
ENDED = (FINISHED, ROLLED_BACK, STUCK, HELD, PARKED)


@dataclass(frozen=True)
class Policies:
    """What to do on a verdict other than pass, and when somebody else changes a split; seconds.

    ``on_inconclusive``: None is a longer hold first, and a pause when that does not help either. ``park_for``: how long
    resident guards would keep a parked share; 0 where there are none.
    """

    on_inconclusive: str | None
    no_data_deadline: float
    error_deadline: float
    progress_deadline: float
    on_foreign_change: str = "rollback"
    on_fail: str = "rollback"
    on_no_data: str = "rollback"
    on_error: str = "rollback"
    park_for: float = 0.0


@dataclass(frozen=True)
class Pause:
    """Since when, from which state, by whom and why; where zdm itself paused, ``by`` is a router or BY_WATCH.

    ``verdict``: what zdm paused for; of a pass it is the approval that is waited for. Empty for any other reason.
    """

    since: float
    phase: str
    by: str
    reason: str
    verdict: str = ""


@dataclass(frozen=True)
class Rollout:
    """Everything the machine knows. ``seen``: step -> router -> canary's share as read back.

    ``held`` is the watched time of the step in seconds; with ``hold_over`` a person has said that it is enough.
    ``heeded``: ids of the orders heard; ``strayed``: routers that were left at somebody else's split. ``doubted``: it
    was paused for the common cause that there still is, so whoever goes on does so knowing it.

    ``accepted``: the verdict that a person takes for a pass in this step, after a pause for it; ``approved``: the step
    has been, where it needs it; ``full``: a person wants all further holds and approvals left out; ``patient``: the
    step was paused for want of evidence, and is given the time of a progress deadline more. ``credit``: of a rollout
    that was taken up, the hold in seconds that its first step has had; ``passed``: what is parked is behind that step.
    ``left``: requests and connections that were under way at canary when a router was back, where it tells.
    """

    routers: tuple[str, ...]
    steps: tuple[Step, ...]
    policies: Policies
    state: str = PLANNED
    step: int = -1
    owed: frozenset[str] = frozenset()
    delayed: Mapping[str, str] = field(default_factory=dict)
    seen: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    asked: float = 0.0
    beat: float = 0.0
    held: float = 0.0
    hold_over: bool = False
    pause: Pause | None = None
    heeded: frozenset[str] = frozenset()
    strayed: frozenset[str] = frozenset()
    doubted: bool = False
    accepted: str = ""
    approved: bool = False
    full: bool = False
    patient: bool = False
    credit: float = 0.0
    passed: bool = False
    without: str = ""
    without_since: float = 0.0
    verdict: Verdict = Verdict(INCONCLUSIVE, "nothing was judged yet")
    actor: str = ""
    reason: str = ""
    unconfirmed: Mapping[str, str] = field(default_factory=dict)
    sick: Mapping[str, str] = field(default_factory=dict)
    left: Mapping[str, int] = field(default_factory=dict)

    @property
    def current(self) -> Step:
        return self.steps[self.step]

    @property
    def phase(self) -> str:
        """The state; in a pause the one that it interrupts."""
        return self.pause.phase if self.pause else self.state

    @property
    def raised(self) -> bool:
        """All routers were read back with this step's weight, and it is not over."""
        return self.phase == RUNNING and not self.owed

    @property
    def silent(self) -> bool:
        """Between steps, and what judges the last one has no data or no answer: nothing is raised on that."""
        accepted = self.full or self.without == self.accepted
        return self.phase == WAITING and self.without != "" and not accepted and self.current.hold > 0

    @property
    def stays(self) -> bool:
        """The next step must not be asked for yet: somebody has to go on (a pause), or something to speak (silence)."""
        return self.state == PAUSED or self.silent

    @property
    def under_way(self) -> bool:
        """What was asked for last has not come to its end; in a pause between two steps nothing has."""
        return self.state in (RUNNING, PAUSED, PROMOTED, PARKING, REVERTING)

    @property
    def ended(self) -> bool:
        return self.state in ENDED


def paused(rollout: Rollout, t: float, by: str, reason: str, verdict: str = "") -> Rollout:
    """A pause begins, in the state that it interrupts; or one that there is gets a graver reason."""
    since = rollout.pause.since if rollout.pause else t
    return replace(rollout, state=PAUSED, pause=Pause(since, rollout.phase, by, reason, verdict))


def resumed(rollout: Rollout, t: float) -> Rollout:
    """The pause ends at ``t``: back where it was, and as if no time had passed, for holds and deadlines alike."""
    pause = rollout.pause
    if pause is None:
        return rollout

    def shifted(since: float) -> float:
        """What began within the pause begins with its end."""
        return t - max(0.0, pause.since - since)

    after = replace(rollout, state=pause.phase, pause=None, beat=t, asked=shifted(rollout.asked))
    return replace(after, without_since=shifted(rollout.without_since)) if rollout.without else after
