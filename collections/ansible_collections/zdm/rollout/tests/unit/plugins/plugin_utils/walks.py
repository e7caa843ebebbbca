# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A walk of the rollout through every state that it can reach, with what no state may break.

Two routers, two steps, every event in every state, for as long as anything can still happen: a state is known by how
long ago things were, not by when, and no longer ago than any deadline can tell. Orders of people come without end, each
with an id that was never heard before; those with the id ``OLD`` were.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.judge import ERROR, FAIL, INCONCLUSIVE, NO_DATA, PASS, Verdict
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import Step
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import (
    ABORT,
    BY_PERSON,
    BY_ROUTER,
    FINISHED,
    HELD,
    PARK,
    PARKED,
    PARKING,
    PAUSE,
    PAUSED,
    PLANNED,
    PROMOTE,
    PROMOTE_FULL,
    PROMOTED,
    RESUME,
    REVERTING,
    ROLLED_BACK,
    RUNNING,
    STUCK,
    WAITING,
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
    Next,
    Note,
    NotReverted,
    Order,
    Ordered,
    ParkAll,
    Parked,
    Policies,
    ReadBack,
    RevertAll,
    Reverted,
    Rollout,
    RolloutError,
    StepAsked,
)
from ansible_collections.zdm.rollout.plugins.plugin_utils._steps import Approve

from .ghosts import OLD, ROUTERS, STEPS, Ghost

#: The evidence may end the first hold after its first beat.
EARLY = (Step(0, 5.0, 3.0, 0, ("errors",), min_hold=1.0), STEPS[1])
BARE = (Step(0, 5.0, 0.0, 0, ()), Step(1, 100.0, 3.0, 0, ("errors",)))
APPROVED = (
    Step(0, 5.0, 1.0, 0, ("errors",), approve=Approve(2.0)),
    Step(1, 100.0, 0.0, 0, (), approve=Approve(2.0, "promote")),
)
STRICT = Policies(on_inconclusive="rollback", no_data_deadline=2.0, error_deadline=2.0, progress_deadline=2.0)
WARY = replace(STRICT, on_foreign_change="pause")
#: With resident guards, who could keep it.
GUARDED = replace(WARY, park_for=60.0)
# What pauses for evidence is walked without strangers and what both pools have in common: neither has to do with it.
PATIENT = replace(STRICT, on_inconclusive=None)
LENIENT = replace(STRICT, on_fail=PAUSE, on_inconclusive=PAUSE, on_no_data=PAUSE, on_error=PAUSE)
BEAT, GAP = 1.0, 3.0
VERDICTS = [Verdict(outcome, "so it is") for outcome in (PASS, FAIL, INCONCLUSIVE, NO_DATA, ERROR)]
HALF = {"blue": 50.0, "green": 50.0}
Handle = Callable[[Rollout, Event], Next]


def events(now: float, step: int, policies: Policies = WARY) -> Iterator[Event]:
    yield Locked(now)
    yield from (StepAsked(index, now) for index in range(len(STEPS) + 1))
    for verdict in VERDICTS:
        yield from (Judged(verdict, now + BEAT), Judged(verdict, now + GAP))
    if policies in (PATIENT, LENIENT):
        yield Ordered("new", PROMOTE_FULL, "ann", "p1", now)
    else:
        for verdict in VERDICTS[:2]:
            yield Judged(verdict, now + BEAT, common_cause="both pools fail")
        yield from (Foreign("p1", HALF, True, 1, now), Foreign("p1", HALF, False, 2, now))
        yield from (Judged(verdict, now + BEAT, convinced=True) for verdict in VERDICTS[:3])
    yield from (Ordered("new", verb, "ann", "p1", now) for verb in (PAUSE, RESUME, PROMOTE, ABORT, PARK))
    yield from (Ordered(OLD, verb, "ann", "p2", now) for verb in (PAUSE, RESUME, PROMOTE, ABORT))
    yield from (End(BY_PERSON, "stop"), End(BY_ROUTER, "gone"))
    yield from (Abandoned("nobody there", hold=False), Abandoned("nobody there", hold=True))
    yield Delayed("p1", "green is down")
    for router in ROUTERS:
        yield from (ReadBack(router, STEPS[step].weight, now), Disarmed(router), Reverted(router), Parked(router))
        yield from (NotReverted(router, "no answer"), NotReverted(router, "blue is down", sick=True))


def settled(rollout: Rollout, now: float) -> Rollout:
    """The same state with now at 0, without what nothing reads any more."""
    policies = rollout.policies
    longest = max(policies.no_data_deadline, policies.error_deadline, policies.progress_deadline)
    if rollout.phase not in (RUNNING, WAITING):
        names = ("state", "step", "owed", "passed", "actor", "reason", "unconfirmed", "sick")
        read = {name: getattr(rollout, name) for name in names}
        return Rollout(rollout.routers, rollout.steps, policies, heeded=frozenset({OLD}), **read)
    # In a pause time stands since it began; its last beat was a while ago.
    begun = rollout.pause.since if rollout.pause else now
    silence = min(rollout.without_since, begun) - begun
    # How long somebody was waited for is of interest only up to the time that he has.
    approve = rollout.current.approve if rollout.step >= 0 else None
    waited = rollout.pause is not None and rollout.pause.verdict == PASS and approve is not None
    since = -min(now - begun, approve.timeout or 0.0) if waited and approve else 0.0
    over: dict[str, Any] = {"held": 0.0, "delayed": {}} if rollout.phase == WAITING else {}
    return replace(
        rollout,
        heeded=frozenset({OLD}),
        pause=replace(rollout.pause, since=since) if rollout.pause else None,
        beat=0.0 if rollout.step < 0 else -BEAT if rollout.pause else rollout.beat - now,
        asked=since + max(rollout.asked - begun, -longest) if rollout.phase == RUNNING else 0.0,
        without_since=since + max(silence, -longest) if rollout.without else 0.0,
        **over,
    )


def legal(ghost: Ghost, rollout: Rollout, event: Event) -> bool:
    """Whether the event may be heard at all; the others have to be refused."""
    if isinstance(event, Locked):
        return rollout.state == PLANNED
    if isinstance(event, StepAsked):
        held = ghost.armed >= 0 and rollout.steps[ghost.armed].hold > 0
        quiet = held and ghost.judged in (NO_DATA, ERROR) and not ghost.taken
        asked_in_turn = rollout.state == WAITING and event.index == ghost.armed + 1
        return asked_in_turn and not quiet and not ghost.paused
    return True


def breaches(ghost: Ghost, before: Rollout, event: Event, after: Rollout, orders: list[Order]) -> Iterator[str]:
    """What one transition breaks. ``ghost`` knows this event and its orders already."""
    yield from _of_orders(ghost, before, event, orders)
    yield from _of_people(ghost, before, event, after, orders)
    if (after.state == PARKED) != ghost.is_parked:
        yield "parked"
    if after.state == FINISHED and not (ghost.promoted and ghost.left == set(ROUTERS)):
        yield "promoted"
    if before.phase == RUNNING and after.state in (WAITING, PROMOTED):
        if ghost.read != set(ROUTERS):
            yield "read back"
        if before.current.hold and not (isinstance(event, Judged) and ghost.taken):
            yield "evidence"
        if before.current.approve and not (ghost.approved or ghost.full):
            yield "approval"
        least = before.current.min_hold
        sure = isinstance(event, Judged) and event.convinced and least is not None and ghost.watched >= least
        if ghost.watched < before.current.hold and not (ghost.enough or ghost.full or sure):
            yield "watched"
    failed = isinstance(event, Judged) and event.verdict.outcome == FAIL and ghost.armed >= 0
    if failed and ghost.open and ghost.why != FAIL:
        yield "fail"
    ends = isinstance(event, End) or (isinstance(event, Abandoned) and not event.hold)
    aborts = isinstance(event, Ordered) and event.verb == ABORT and event.id != OLD
    if (ends or aborts) and not before.ended and ghost.ending is None:
        yield "end"
    if ghost.ending and (after.actor, after.reason) != ghost.ending:
        yield "who and why"
    if ghost.ending and after.state not in (REVERTING, ROLLED_BACK, STUCK):
        yield "way back"
    if ghost.ending and (after.state == REVERTING) != (ghost.back != set(ROUTERS)):
        yield "way back"
    if before.state == REVERTING and changing(orders):
        yield "way back"
    if before.ended and (orders or replace(after, beat=before.beat) != before):
        yield "over"


def _of_orders(ghost: Ghost, before: Rollout, event: Event, orders: list[Order]) -> Iterator[str]:
    last = ghost.armed == len(STEPS) - 1
    goes_on = isinstance(event, Ordered) and event.verb in (RESUME, PROMOTE)
    for place, order in enumerate(orders):
        intended = {"intended", "ordered"} & {note.event for note in orders[:place] if isinstance(note, Note)}
        if isinstance(order, (ArmAll, RevertAll)) and not intended:
            yield "intention"
        if isinstance(order, ArmAll):
            again = goes_on and before.state == PAUSED and before.phase == RUNNING and before.strayed
            if not again and not (isinstance(event, StepAsked) and before.state == WAITING):
                yield "step"
            if order.weight != STEPS[ghost.armed].weight:
                yield "step"
        if isinstance(order, ParkAll):
            ordered = isinstance(event, Ordered) and event.verb == PARK and event.id != OLD
            good = ghost.read == set(ROUTERS) and ghost.why != FAIL and not ghost.strayed
            if not (ordered and good and before.policies.park_for):
                yield "parked"
        if isinstance(order, DisarmAll) and not (last and ghost.read == set(ROUTERS)):
            yield "promoted"


def _of_people(ghost: Ghost, before: Rollout, event: Event, after: Rollout, orders: list[Order]) -> Iterator[str]:
    if (after.state == PAUSED) != ghost.paused or (after.pause is not None) != ghost.paused:
        yield "pause"
    parks = after.state == PARKING
    passes = after.phase in (WAITING, PROMOTED) and before.phase == RUNNING and not before.current.hold
    if before.state == PAUSED and after.phase != before.phase and ghost.open and not (passes or parks):
        yield "pause"
    knows = isinstance(event, Judged) and (event.verdict.outcome == FAIL or _late(before, event.t))
    if before.state == PAUSED and isinstance(event, Judged) and not knows and after.state != PAUSED:
        yield "pause"
    begins = after.pause is not None and (before.pause is None or before.pause.verdict != after.pause.verdict)
    if begins and ghost.why and not _may_pause(ghost, before):
        yield "pause"
    if before.pause and before.pause.verdict == PASS and _late(before, getattr(event, "t", 0.0)):
        waits = after.state == PAUSED and after.pause and after.pause.verdict == PASS
        if isinstance(event, Judged) and waits:
            yield "approval"
    if (after.state == HELD) != ghost.kept or (isinstance(event, Abandoned) and event.hold and changing(orders)):
        yield "held"
    if isinstance(event, Ordered) and not before.ended:
        told = [note for note in orders if isinstance(note, Note) and note.data.get("id") == event.id]
        if event.id == OLD and (orders or after != before):
            yield "once"
        if event.id != OLD and (len(told) != 1 or event.id not in after.heeded):
            yield "noted"


def _may_pause(ghost: Ghost, before: Rollout) -> bool:
    """Whether zdm may have paused for what it did."""
    policies, step = before.policies, before.steps[ghost.armed]
    if ghost.why == PASS:
        passed = ghost.read == set(ROUTERS) and (ghost.taken or not step.hold or before.pause is not None)
        return step.approve is not None and passed and not (ghost.approved or ghost.full)
    policy = {FAIL: policies.on_fail, NO_DATA: policies.on_no_data, ERROR: policies.on_error}
    return ghost.judged == ghost.why and policy.get(ghost.why, policies.on_inconclusive or PAUSE) == PAUSE


def _late(before: Rollout, t: float) -> bool:
    """Whether nobody has approved a step in time."""
    pause, approve = before.pause, before.current.approve if before.step >= 0 else None
    waits = pause is not None and approve is not None and approve.timeout is not None and pause.verdict == PASS
    return waits and t - pause.since >= approve.timeout  # type: ignore[union-attr, operator]


def changing(orders: list[Order]) -> bool:
    return any(not isinstance(order, Note) for order in orders)


@dataclass
class Visited:
    """Where a walk has been."""

    states: int = 0
    transitions: int = 0
    heard: frozenset[tuple[str, str, str]] = frozenset()


def walk(handler: Handle, policies: Policies, steps: tuple[Step, ...], visited: Visited | None = None) -> Iterator[str]:
    """Every rollout that the events lead to; gives the name of each invariant that does not hold on the way."""
    visited = visited or Visited()
    start = Rollout(ROUTERS, steps, policies, heeded=frozenset({OLD})), Ghost()
    known, waiting = {key(*start)}, deque([start])
    heard: set[tuple[str, str, str]] = set()
    while waiting:
        rollout, ghost = waiting.popleft()
        visited.states += 1
        said = repr(rollout)
        for event in events(0.0, max(ghost.armed, 0), policies):
            visited.transitions += 1
            now = getattr(event, "t", 0.0)
            try:
                after, orders = handler(rollout, event)
            except RolloutError:
                heard.add((rollout.state, type(event).__name__, "refused"))
                if legal(ghost, rollout, event):
                    yield "refusal"
                continue
            heard.add((rollout.state, type(event).__name__, after.state))
            if not legal(ghost, rollout, event):
                yield "refusal"
            following = ghost.then(event, orders, rollout, after)
            yield from breaches(following, rollout, event, after, orders)
            if after is rollout and following == ghost and now == 0.0:
                continue
            node = settled(after, now), following.settled(after)
            if key(*node) not in known:
                known.add(key(*node))
                waiting.append(node)
        if repr(rollout) != said:
            yield "unchanged"
    visited.heard = frozenset(heard)


def key(rollout: Rollout, ghost: Ghost) -> tuple[Any, ...]:
    """Two nodes with the same key are the same."""
    changing_fields = (
        (rollout.state, rollout.phase, rollout.step, rollout.owed, rollout.asked, rollout.beat, rollout.held),
        (rollout.without, rollout.without_since, rollout.verdict.outcome, rollout.actor, rollout.reason),
        (rollout.hold_over, rollout.strayed, rollout.doubted, rollout.patient, rollout.pause),
        (rollout.accepted, rollout.approved, rollout.full, rollout.passed),
        (frozenset(rollout.delayed.items()), frozenset(rollout.unconfirmed), frozenset(rollout.sick)),
    )
    return (*changing_fields, ghost)
