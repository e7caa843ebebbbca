# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollout: what happens to a service from the plan to the end, as a state machine.

Rules of this room: pure. No I/O, no clock (``t`` is the watch's monotonic time in seconds, in the events), nothing of
channels, proxies or Ansible. An illegal event raises RolloutError and changes nothing; late news is ignored. This file
is the door: what the machine hears and orders is in _rollout_events.py, what it knows in _rollout_state.py, the steps
and the way back in _rollout_course.py, people's orders in _rollout_people.py, parking in _rollout_parking.py.

Theory of operation. The play asks for the steps one by one; everything else is decided here. A step arms its weight
on all routers and is *running* until every router was read back and the hold is over with a pass; then the rollout is
*waiting* for the next step, still judged. After the last step it is *promoted*: the leases are disarmed, and when all
routers have said so it is *finished*. From every state before that, a fail, a lost router, a person or the play's
end leads to *reverting*: all routers go back to stable, and there is no way from there but to the end. The hold is the
time in which somebody watched: a gap in the beat (a stopped process, a suspended machine) does not count.

A *pause* stops time: no hold grows, no deadline comes nearer, no step passes or begins. What was asked for before is
still brought about, and all of it is judged: a fail goes back from here as from anywhere. Missing data, which says
only that nobody knows, does not: who pauses takes that upon himself until he goes on. Who *promotes* says that the
hold was long enough, not that the release is good: all routers must be read back, and a pass is needed, as ever. An
order acts once, at however many routers it was left. With ``on_foreign_change: pause`` a router that shows somebody
else's split pauses the rollout as well; whoever goes on from there gets the step's split on all routers again first. So
do both pools failing at once, once for as long as they do: no fault of the release, and no time to raise.

A person may *park* it: every guard keeps canary's share, and this run is over. The one that takes it up begins behind
the last step that was done, and has a *credit*: the hold of before, and the time that every guard has watched since.

    planned    --Locked-->    waiting
    waiting    --Step-->      running      --ReadBack*, Judged*-->  waiting | promoted
    promoted   --Disarmed*--> finished
    waiting, running   --pause, Foreign, Judged--> paused      --resume, promote-->  where it was (1)
    waiting, running, paused --park--> parking      --Parked*--> parked
    any of these       --End-->             reverting    --Reverted* | NotReverted*-->  rolled_back | stuck
    all but promoted   --Abandoned(hold)--> held, the share as it is (a promoted one comes to its own end)

    (1) or, where nothing is left of that step, what comes after it: an approval ends a step without a hold
"""

from __future__ import annotations

from . import _rollout_course as course
from . import _rollout_parking as parking
from . import _rollout_people as people
from ._rollout_course import LONGEST_BEAT, Next, RolloutError
from ._rollout_events import (
    ABORT,
    BY_ABANDON,
    BY_DEPLOY,
    BY_GUARD,
    BY_PERSON,
    BY_ROUTER,
    BY_VERDICT,
    PARK,
    PAUSE,
    PROMOTE,
    PROMOTE_FULL,
    RESUME,
    Abandoned,
    ArmAll,
    Delayed,
    DisarmAll,
    Disarmed,
    End,
    Event,
    Foreign,
    Judged,
    Locked,
    Note,
    NotReverted,
    Order,
    Ordered,
    ParkAll,
    Parked,
    ReadBack,
    RevertAll,
    Reverted,
    StepAsked,
)
from ._rollout_state import (
    ENDED,
    FINISHED,
    HELD,
    PARKED,
    PARKING,
    PAUSED,
    PLANNED,
    PROMOTED,
    REVERTING,
    ROLLED_BACK,
    RUNNING,
    STUCK,
    WAITING,
    Pause,
    Policies,
    Rollout,
)

#: The whole machine under one name, for those who drive it.
__all__ = [
    "ABORT",
    "BY_ABANDON",
    "BY_DEPLOY",
    "BY_GUARD",
    "BY_PERSON",
    "BY_ROUTER",
    "BY_VERDICT",
    "ENDED",
    "FINISHED",
    "HELD",
    "LONGEST_BEAT",
    "PARK",
    "PARKED",
    "PARKING",
    "PAUSE",
    "PAUSED",
    "PLANNED",
    "PROMOTE",
    "PROMOTED",
    "PROMOTE_FULL",
    "RESUME",
    "REVERTING",
    "ROLLED_BACK",
    "RUNNING",
    "STUCK",
    "WAITING",
    "Abandoned",
    "ArmAll",
    "Delayed",
    "DisarmAll",
    "Disarmed",
    "End",
    "Event",
    "Foreign",
    "Judged",
    "Locked",
    "Next",
    "NotReverted",
    "Note",
    "Order",
    "Ordered",
    "ParkAll",
    "Parked",
    "Pause",
    "Policies",
    "ReadBack",
    "RevertAll",
    "Reverted",
    "Rollout",
    "RolloutError",
    "StepAsked",
    "handle",
]


def handle(rollout: Rollout, event: Event) -> Next:
    """The rollout after an event, and the orders to carry out, in this order."""
    match event:
        case Locked():
            return course.locked(rollout)
        case StepAsked():
            return course.step(rollout, event)
        case ReadBack():
            return course.read_back(rollout, event)
        case Delayed():
            return course.delayed(rollout, event)
        case Judged():
            return course.judged(rollout, event)
        case Ordered():
            return people.ordered(rollout, event)
        case Foreign():
            return people.foreign(rollout, event)
        case End():
            return course.end(rollout, event.actor, event.reason)
        case Abandoned():
            return course.abandoned(rollout, event)
        case Disarmed():
            return course.disarmed(rollout, event)
        case Parked():
            return parking.parked(rollout, event)
        case Reverted() | NotReverted():
            return course.reverted(rollout, event)
