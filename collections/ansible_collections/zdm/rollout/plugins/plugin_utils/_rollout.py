# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollout: what happens to a service from the plan to the end, as a state machine.

Rules of this room: pure. No I/O, no clock (``t`` is the watch's monotonic time in seconds, in the events), nothing of
channels, proxies or Ansible. An illegal event raises RolloutError and changes nothing; late news is ignored.

Theory of operation. The play asks for the steps one by one; everything else is decided here. A step arms its weight
on all routers and is *running* until every router was read back and the hold is over with a pass; then the rollout is
*waiting* for the next step, still judged. After the last step it is *promoted*: the leases are disarmed, and when all
routers have said so it is *finished*. From every state before that, a fail, a lost router, a person or the play's
end leads to *reverting*: all routers go back to stable, and there is no way from there but to the end. The hold is the
time in which somebody watched: a gap in the beat (a stopped process, a suspended machine) does not count.

    planned    --Locked-->   waiting
    waiting    --Step-->     running      --ReadBack*, Judged*-->  waiting | promoted
    promoted   --Disarmed*-> finished
    any of these --End-->    reverting    --Reverted* | NotReverted*-->  rolled_back | stuck
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..module_utils.judge import ERROR, FAIL, INCONCLUSIVE, NO_DATA, PASS, Verdict
from ._plan import Step

PLANNED, WAITING, RUNNING, PROMOTED, FINISHED = "planned", "waiting", "running", "promoted", "finished"
REVERTING, ROLLED_BACK, STUCK = "reverting", "rolled_back", "stuck"
ENDED = (FINISHED, ROLLED_BACK, STUCK)

#: Who ended a rollout before its time.
BY_VERDICT, BY_ABANDON, BY_ROUTER, BY_DEPLOY, BY_PERSON = "verdict", "abandoned", "router", "deploy", "person"

#: The longest beat, in seconds, that counts as watched time.
LONGEST_BEAT = 2.0


class RolloutError(Exception):
    """An event that this state does not allow."""


@dataclass(frozen=True)
class Policies:
    """What to do when the verdict is neither pass nor fail; all times in seconds."""

    on_inconclusive: str | None
    no_data_deadline: float
    error_deadline: float
    progress_deadline: float


@dataclass(frozen=True)
class Rollout:
    """Everything the machine knows. ``seen``: step -> router -> canary's share as read back."""

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
    without: str = ""
    without_since: float = 0.0
    verdict: Verdict = Verdict(INCONCLUSIVE, "nothing was judged yet")
    actor: str = ""
    reason: str = ""
    unconfirmed: Mapping[str, str] = field(default_factory=dict)
    sick: Mapping[str, str] = field(default_factory=dict)

    @property
    def current(self) -> Step:
        return self.steps[self.step]

    @property
    def raised(self) -> bool:
        """All routers were read back with this step's weight."""
        return self.state == RUNNING and not self.owed

    @property
    def silent(self) -> bool:
        """Between steps, and what judges the last one has no data or no answer: nothing is raised on that."""
        return self.state == WAITING and self.without != "" and self.current.hold > 0

    @property
    def ended(self) -> bool:
        return self.state in ENDED


# --- events


@dataclass(frozen=True)
class Locked:
    """All routers have given the lease."""

    t: float


@dataclass(frozen=True)
class StepAsked:
    index: int
    t: float


@dataclass(frozen=True)
class ReadBack:
    """A router has the step's split in force; ``share`` is canary's, in percent."""

    router: str
    share: float
    t: float


@dataclass(frozen=True)
class Delayed:
    """A router cannot bring the step's split about yet, and is asked again; ``reason`` says what it waits for."""

    router: str
    reason: str


@dataclass(frozen=True)
class Judged:
    """The worst verdict of the step's checks now. Comes at every beat, whatever the state."""

    verdict: Verdict
    t: float


@dataclass(frozen=True)
class End:
    """Somebody or something ends the rollout; ``actor`` is one of the BY_ names."""

    actor: str
    reason: str


@dataclass(frozen=True)
class Disarmed:
    router: str


@dataclass(frozen=True)
class Reverted:
    router: str


@dataclass(frozen=True)
class NotReverted:
    """A router could not be brought back, or not be asked; ``sick``: because stable cannot take the traffic."""

    router: str
    reason: str
    sick: bool = False


Event = Locked | StepAsked | ReadBack | Delayed | Judged | End | Disarmed | Reverted | NotReverted

# --- orders


@dataclass(frozen=True)
class Note:
    """Write this into the journal, before any order that follows."""

    event: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class ArmAll:
    weight: float


@dataclass(frozen=True)
class RevertAll:
    reason: str


@dataclass(frozen=True)
class DisarmAll:
    pass


Order = Note | ArmAll | RevertAll | DisarmAll
Next = tuple[Rollout, list[Order]]


def handle(rollout: Rollout, event: Event) -> Next:
    """The rollout after an event, and the orders to carry out, in this order."""
    match event:
        case Locked():
            return _locked(rollout)
        case StepAsked():
            return _step(rollout, event)
        case ReadBack():
            return _read_back(rollout, event)
        case Delayed():
            return _delayed(rollout, event)
        case Judged():
            return _judged(rollout, event)
        case End():
            return _end(rollout, event.actor, event.reason)
        case Disarmed():
            return _disarmed(rollout, event)
        case Reverted() | NotReverted():
            return _reverted(rollout, event)


def _locked(rollout: Rollout) -> Next:
    if rollout.state != PLANNED:
        raise RolloutError(f"the routers are locked already (state {rollout.state})")
    return replace(rollout, state=WAITING), [Note("locked", {"routers": list(rollout.routers)})]


def _step(rollout: Rollout, event: StepAsked) -> Next:
    if rollout.state != WAITING or event.index != rollout.step + 1:
        raise RolloutError(f"step {event.index} cannot be made in state {rollout.state} after step {rollout.step}")
    if rollout.silent:
        raise RolloutError(f"step {event.index} cannot be made on {rollout.verdict.outcome}: {rollout.verdict.reason}")
    step = rollout.steps[event.index]
    after = replace(
        rollout,
        state=RUNNING,
        step=event.index,
        owed=frozenset(rollout.routers),
        delayed={},
        asked=event.t,
        beat=event.t,
        held=0.0,
        without="",
        verdict=Verdict(INCONCLUSIVE, "nothing was judged yet"),
    )
    return after, [Note("intended", {"step": event.index, "weight": step.weight}), ArmAll(step.weight)]


def _read_back(rollout: Rollout, event: ReadBack) -> Next:
    if rollout.state != RUNNING or event.router not in rollout.owed:
        return rollout, []
    seen = {**rollout.seen, rollout.step: {**rollout.seen.get(rollout.step, {}), event.router: event.share}}
    after = replace(rollout, owed=rollout.owed - {event.router}, seen=seen, beat=event.t)
    note = Note("observed", {"step": rollout.step, "router": event.router, "share": event.share})
    if after.raised and not after.current.hold:
        # Nothing to hold means nothing to judge: the read-back is what makes this step.
        moved, orders = _passed(after, "read back on all routers")
        return moved, [note, *orders]
    return after, [note]


def _delayed(rollout: Rollout, event: Delayed) -> Next:
    if rollout.state != RUNNING or event.router not in rollout.owed:
        return rollout, []
    return replace(rollout, delayed={**rollout.delayed, event.router: event.reason}), []


def _judged(rollout: Rollout, event: Judged) -> Next:
    if rollout.state not in (RUNNING, WAITING) or rollout.step < 0:
        return replace(rollout, beat=event.t), []
    orders: list[Order] = []
    if event.verdict.outcome != rollout.verdict.outcome:
        orders.append(Note("judged", {"step": rollout.step, **event.verdict.to_json()}))
    watched = min(max(0.0, event.t - rollout.beat), LONGEST_BEAT) if rollout.raised else 0.0
    after = _with_silence(replace(rollout, verdict=event.verdict, beat=event.t, held=rollout.held + watched), event)
    moved, more = _decided(after, event.t)
    return moved, orders + more


def _with_silence(rollout: Rollout, event: Judged) -> Rollout:
    """Since when the same kind of silence (no_data, error) has lasted."""
    outcome = event.verdict.outcome
    if outcome not in (NO_DATA, ERROR):
        return replace(rollout, without="")
    if rollout.without == outcome:
        return rollout
    return replace(rollout, without=outcome, without_since=event.t)


def _decided(rollout: Rollout, t: float) -> Next:
    verdict, policies, step = rollout.verdict, rollout.policies, rollout.current
    if verdict.outcome == FAIL:
        return _end(rollout, BY_VERDICT, verdict.reason)
    deadline = {NO_DATA: policies.no_data_deadline, ERROR: policies.error_deadline}.get(verdict.outcome)
    if deadline is not None and t - rollout.without_since >= deadline:
        return _end(rollout, BY_VERDICT, f"{verdict.outcome} for {deadline:g} s: {verdict.reason}")
    if rollout.state == WAITING:
        return rollout, []
    if rollout.owed:
        if t - rollout.asked >= policies.progress_deadline:
            missing = "; ".join(f"{name}: {rollout.delayed.get(name, 'no answer')}" for name in sorted(rollout.owed))
            return _end(rollout, BY_ROUTER, f"not read back within {policies.progress_deadline:g} s: {missing}")
        return rollout, []
    if rollout.held < step.hold:
        return rollout, []
    if verdict.outcome == PASS:
        return _passed(rollout, verdict.reason)
    if verdict.outcome == INCONCLUSIVE and policies.on_inconclusive == "rollback":
        return _end(rollout, BY_VERDICT, f"inconclusive at the end of the hold: {verdict.reason}")
    if rollout.held >= step.hold + policies.progress_deadline:
        late = f"no pass within {policies.progress_deadline:g} s after the hold"
        return _end(rollout, BY_VERDICT, f"{late}: {verdict.outcome}, {verdict.reason}")
    return rollout, []


def _passed(rollout: Rollout, reason: str) -> Next:
    note = Note("judged", {"step": rollout.step, "outcome": PASS, "reason": reason, "done": True})
    if rollout.step + 1 < len(rollout.steps):
        return replace(rollout, state=WAITING), [note]
    return replace(rollout, state=PROMOTED, owed=frozenset(rollout.routers)), [note, DisarmAll()]


def _end(rollout: Rollout, actor: str, reason: str) -> Next:
    if rollout.ended or rollout.state == REVERTING:
        return rollout, []
    after = replace(rollout, state=REVERTING, actor=actor, reason=reason, owed=frozenset(rollout.routers))
    note = Note("ordered" if actor == BY_PERSON else "intended", {"revert": True, "actor": actor, "reason": reason})
    return after, [note, RevertAll(reason)]


def _disarmed(rollout: Rollout, event: Disarmed) -> Next:
    if rollout.state != PROMOTED:
        return rollout, []
    owed = rollout.owed - {event.router}
    if owed:
        return replace(rollout, owed=owed), []
    return replace(rollout, state=FINISHED, owed=owed), [Note("finished", {"outcome": "promoted"})]


def _reverted(rollout: Rollout, event: Reverted | NotReverted) -> Next:
    if rollout.state != REVERTING or event.router not in rollout.owed:
        return rollout, []
    after = replace(rollout, owed=rollout.owed - {event.router})
    data: dict[str, Any] = {"router": event.router, "confirmed": isinstance(event, Reverted)}
    if isinstance(event, NotReverted):
        data["reason"] = event.reason
        if event.sick:
            after = replace(after, sick={**after.sick, event.router: event.reason})
        else:
            after = replace(after, unconfirmed={**after.unconfirmed, event.router: event.reason})
    orders: list[Order] = [Note("reverted", data)]
    if not after.owed:
        after = replace(after, state=STUCK if after.sick else ROLLED_BACK)
        orders.append(Note("finished", {"outcome": after.state, "actor": after.actor, "reason": after.reason}))
    return after, orders
