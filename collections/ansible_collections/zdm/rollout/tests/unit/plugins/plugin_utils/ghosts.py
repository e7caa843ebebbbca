# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a walk of the rollout (walks.py) itself remembers, to hold what the machine says against it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.zdm.rollout.plugins.module_utils.judge import FAIL, INCONCLUSIVE, PASS
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import Step
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import (
    LONGEST_BEAT,
    PAUSE,
    PLANNED,
    PROMOTE,
    PROMOTE_FULL,
    RESUME,
    RUNNING,
    WAITING,
    Abandoned,
    ArmAll,
    DisarmAll,
    Disarmed,
    Event,
    Foreign,
    Judged,
    Note,
    NotReverted,
    Order,
    Ordered,
    ParkAll,
    Parked,
    ReadBack,
    RevertAll,
    Reverted,
    Rollout,
    StepAsked,
)

ROUTERS = ("p1", "p2")
#: A hold that one beat does not fill, and deadlines that a gap in the beat reaches at once.
STEPS = (Step(0, 5.0, 3.0, 0, ("errors",)), Step(1, 100.0, 3.0, 0, ("errors",)))
#: Id of an order that was heard already.
OLD = "heard before"


@dataclass(frozen=True)
class Ghost:
    """What the walk itself remembers, from the events and the orders alone.

    ``enough``: a person has said that this step was held long enough; ``strayed``: left at somebody else's split;
    ``doubted``: paused for a cause that both pools have in common, and still have. ``why``: the verdict that zdm paused
    for; ``accepted``: the one that a person took for a pass; ``approved``, ``full``, ``parking``: a person has said so;
    ``stays``: where a guard has said that it keeps the share.
    """

    armed: int = -1
    read: frozenset[str] = frozenset()
    watched: float = 0.0
    judged: str = INCONCLUSIVE
    left: frozenset[str] = frozenset()
    promoted: bool = False
    back: frozenset[str] = frozenset()
    ending: tuple[str, str] | None = None
    paused: bool = False
    enough: bool = False
    strayed: frozenset[str] = frozenset()
    doubted: bool = False
    kept: bool = False
    why: str = ""
    accepted: str = ""
    approved: bool = False
    full: bool = False
    parking: bool = False
    stays: frozenset[str] = frozenset()

    @property
    def is_parked(self) -> bool:
        return self.parking and self.stays == set(ROUTERS)

    @property
    def taken(self) -> bool:
        """What was judged last counts as a pass."""
        return self.full or self.judged in (PASS, self.accepted)

    @property
    def open(self) -> bool:
        """It neither went back, nor is it through, nor was it left as it is."""
        return not self.promoted and self.ending is None and not self.kept and not self.is_parked

    def then(self, event: Event, orders: list[Order], before: Rollout, after: Rollout) -> Ghost:
        ghost = self
        if ghost.parking:
            return ghost._while_parking(event, orders, after)
        if ghost.open and before.state != PLANNED:
            ghost = ghost._with_people(event, before)
        if isinstance(event, ReadBack) and ghost.armed >= 0:
            ghost = replace(ghost, read=ghost.read | {event.router})
        if isinstance(event, Judged) and ghost.armed >= 0 and ghost.open:
            doubts = event.common_cause != "" and not ghost.paused
            holds = ghost.read == set(ROUTERS) and not ghost.paused and not (doubts and not ghost.doubted)
            longest = max(step.hold for step in STEPS)
            watched = min(ghost.watched + (min(event.t, LONGEST_BEAT) if holds else 0.0), longest)
            ghost = replace(ghost, judged=event.verdict.outcome, watched=watched)
            ghost = replace(ghost, paused=ghost.paused or (doubts and not ghost.doubted))
            ghost = replace(ghost, doubted=event.common_cause != "" and (ghost.doubted or doubts))
        if isinstance(event, Disarmed) and ghost.promoted:
            ghost = replace(ghost, left=ghost.left | {event.router})
        if isinstance(event, (Reverted, NotReverted)) and ghost.ending:
            ghost = replace(ghost, back=ghost.back | {event.router})
        if isinstance(event, Abandoned) and event.hold and ghost.open:
            ghost = Ghost(ghost.armed, kept=True)
        for order in orders:
            if isinstance(order, Note) and order.event == "intended" and after.pause and after.pause.verdict:
                ghost = replace(ghost, paused=True, why=after.pause.verdict)
                ghost = replace(ghost, watched=min(ghost.watched, before.steps[ghost.armed].hold))
            elif isinstance(order, Note) and order.data.get("approved"):
                ghost = replace(ghost, paused=False, why="", approved=True)
            elif isinstance(order, ArmAll) and isinstance(event, StepAsked):
                ghost = Ghost(armed=ghost.armed + 1, doubted=ghost.doubted, full=ghost.full)
            elif isinstance(order, DisarmAll):
                ghost = replace(ghost, promoted=True)
            elif isinstance(order, ParkAll):
                ghost = Ghost(ghost.armed, ghost.read, why=ghost.why, strayed=ghost.strayed, parking=True)
            elif isinstance(order, RevertAll) and ghost.ending is None:
                ghost = Ghost(ghost.armed, ending=(after.actor, after.reason))
        return ghost

    def _while_parking(self, event: Event, orders: list[Order], after: Rollout) -> Ghost:
        """Nothing but its end is heard any more."""
        if isinstance(event, Parked) and self.ending is None:
            return replace(self, stays=self.stays | {event.router})
        if any(isinstance(order, RevertAll) for order in orders):
            return Ghost(self.armed, ending=(after.actor, after.reason))
        return self

    def settled(self, after: Rollout) -> Ghost:
        """Without what is over with the step."""
        return replace(self, watched=0.0, enough=False) if after.phase == WAITING else self

    def _with_people(self, event: Event, before: Rollout) -> Ghost:
        if isinstance(event, Foreign) and before.policies.on_foreign_change == "pause" and not event.put_back:
            return replace(self, paused=True, strayed=self.strayed | {event.router})
        if not isinstance(event, Ordered) or event.id == OLD:
            return self
        if event.verb == PAUSE:
            return replace(self, paused=True)
        refused = self.why == FAIL or (self.why == PASS and event.verb == RESUME)
        if event.verb not in (RESUME, PROMOTE, PROMOTE_FULL) or refused:
            return self
        ghost = self
        if event.verb != RESUME:
            ghost = replace(self, accepted=self.why or self.accepted, approved=self.approved or self.why == PASS)
            ghost = replace(ghost, full=self.full or event.verb == PROMOTE_FULL)
        if before.phase == RUNNING:
            enough = self.enough or event.verb != RESUME
            strayed = self.strayed if self.paused else frozenset[str]()
            ghost = replace(ghost, enough=enough, read=self.read - strayed, strayed=self.strayed - strayed)
        return replace(ghost, paused=False, why="")
