# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollout, walked through every state that it can reach; and a walk that finds each rollout that is broken.

Two routers, two steps, every event in every state, for as long as anything can still happen: a state is known by how
long ago things were, not by when, and no longer ago than any deadline can tell.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import ERROR, FAIL, INCONCLUSIVE, NO_DATA, PASS, Verdict
from ansible_collections.zdm.rollout.plugins.plugin_utils import _rollout as room
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import Step
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import (
    BY_PERSON,
    BY_ROUTER,
    ENDED,
    FINISHED,
    LONGEST_BEAT,
    PLANNED,
    PROMOTED,
    REVERTING,
    ROLLED_BACK,
    RUNNING,
    STUCK,
    WAITING,
    ArmAll,
    Delayed,
    DisarmAll,
    Disarmed,
    End,
    Event,
    Judged,
    Locked,
    Next,
    Note,
    NotReverted,
    Order,
    Policies,
    ReadBack,
    RevertAll,
    Reverted,
    Rollout,
    RolloutError,
    StepAsked,
    handle,
)

ROUTERS = ("p1", "p2")
#: A hold that one beat does not fill, and deadlines that a gap in the beat reaches at once.
STEPS = (Step(0, 5.0, 3.0, 0, ("errors",)), Step(1, 100.0, 3.0, 0, ("errors",)))
BARE = (Step(0, 5.0, 0.0, 0, ()), Step(1, 100.0, 3.0, 0, ("errors",)))
PATIENT = Policies(on_inconclusive=None, no_data_deadline=2.0, error_deadline=2.0, progress_deadline=2.0)
STRICT = replace(PATIENT, on_inconclusive="rollback")
BEAT, GAP = 1.0, 3.0
VERDICTS = [Verdict(outcome, "so it is") for outcome in (PASS, FAIL, INCONCLUSIVE, NO_DATA, ERROR)]
Handle = Callable[[Rollout, Event], Next]


@dataclass(frozen=True)
class Ghost:
    """What the walk itself remembers, from the events and the orders alone."""

    armed: int = -1
    read: frozenset[str] = frozenset()
    watched: float = 0.0
    judged: str = INCONCLUSIVE
    left: frozenset[str] = frozenset()
    promoted: bool = False
    back: frozenset[str] = frozenset()
    ending: tuple[str, str] | None = None

    def then(self, event: Event, orders: list[Order], after: Rollout, seconds: float) -> Ghost:
        ghost = self
        if isinstance(event, ReadBack) and ghost.armed >= 0:
            ghost = replace(ghost, read=ghost.read | {event.router})
        judging = ghost.armed >= 0 and not ghost.promoted and ghost.ending is None
        if isinstance(event, Judged) and judging:
            watched = min(seconds, LONGEST_BEAT) if ghost.read == set(ROUTERS) else 0.0
            enough = max(step.hold for step in STEPS)
            ghost = replace(ghost, judged=event.verdict.outcome, watched=min(ghost.watched + watched, enough))
        if isinstance(event, Disarmed) and ghost.promoted:
            ghost = replace(ghost, left=ghost.left | {event.router})
        if isinstance(event, (Reverted, NotReverted)) and ghost.ending:
            ghost = replace(ghost, back=ghost.back | {event.router})
        for order in orders:
            if isinstance(order, ArmAll):
                ghost = Ghost(armed=ghost.armed + 1)
            elif isinstance(order, DisarmAll):
                ghost = replace(ghost, promoted=True)
            elif isinstance(order, RevertAll) and ghost.ending is None:
                ghost = Ghost(ghost.armed, ending=(after.actor, after.reason))
        return ghost


def events(now: float, step: int) -> Iterator[Event]:
    yield Locked(now)
    yield from (StepAsked(index, now) for index in range(len(STEPS) + 1))
    for verdict in VERDICTS:
        yield from (Judged(verdict, now + BEAT), Judged(verdict, now + GAP))
    yield from (End(BY_PERSON, "stop"), End(BY_ROUTER, "gone"))
    yield Delayed("p1", "green is down")
    for router in ROUTERS:
        yield from (ReadBack(router, STEPS[step].weight, now), Disarmed(router), Reverted(router))
        yield from (NotReverted(router, "no answer"), NotReverted(router, "blue is down", sick=True))


def settled(rollout: Rollout, now: float) -> Rollout:
    """The same state with now at 0, without what nothing reads any more."""
    policies = rollout.policies
    longest = max(policies.no_data_deadline, policies.error_deadline, policies.progress_deadline)
    rollout = replace(
        rollout,
        beat=rollout.beat - now if rollout.step >= 0 else 0.0,
        asked=max(rollout.asked - now, -longest),
        without_since=max(rollout.without_since - now, -longest) if rollout.without else 0.0,
    )
    if rollout.state in (RUNNING, WAITING):
        return rollout
    unread = Rollout(rollout.routers, rollout.steps, policies)
    over = {
        name: getattr(rollout, name) for name in ("state", "step", "owed", "actor", "reason", "unconfirmed", "sick")
    }
    return replace(unread, **over)


def legal(ghost: Ghost, rollout: Rollout, event: Event) -> bool:
    """Whether the event may be heard at all; the others have to be refused."""
    if isinstance(event, Locked):
        return rollout.state == PLANNED
    if isinstance(event, StepAsked):
        held = ghost.armed >= 0 and rollout.steps[ghost.armed].hold > 0
        quiet = held and ghost.judged in (NO_DATA, ERROR)
        return rollout.state == WAITING and event.index == ghost.armed + 1 and not quiet
    return True


def breaches(ghost: Ghost, before: Rollout, event: Event, after: Rollout, orders: list[Order]) -> Iterator[str]:
    """What one transition breaks. ``ghost`` knows this event and its orders already."""
    last = ghost.armed == len(STEPS) - 1
    for place, order in enumerate(orders):
        intended = {"intended", "ordered"} & {note.event for note in orders[:place] if isinstance(note, Note)}
        if isinstance(order, (ArmAll, RevertAll)) and not intended:
            yield "intention"
        if isinstance(order, ArmAll) and not (isinstance(event, StepAsked) and before.state == WAITING):
            yield "step"
        if isinstance(order, ArmAll) and order.weight != STEPS[ghost.armed].weight:
            yield "step"
        if isinstance(order, DisarmAll) and not (last and ghost.read == set(ROUTERS)):
            yield "promoted"
    if after.state == FINISHED and not (ghost.promoted and ghost.left == set(ROUTERS)):
        yield "promoted"
    if before.state == RUNNING and after.state in (WAITING, PROMOTED):
        if ghost.read != set(ROUTERS):
            yield "read back"
        if before.current.hold and ghost.judged != PASS:
            yield "evidence"
        if ghost.watched < before.current.hold:
            yield "watched"
    failed = isinstance(event, Judged) and event.verdict.outcome == FAIL and ghost.armed >= 0
    if failed and not ghost.promoted and ghost.ending is None:
        yield "fail"
    if isinstance(event, End) and not before.ended and ghost.ending is None:
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
    start = Rollout(ROUTERS, steps, policies), Ghost()
    known, waiting = {key(*start)}, deque([start])
    heard: set[tuple[str, str, str]] = set()
    while waiting:
        rollout, ghost = waiting.popleft()
        visited.states += 1
        said = repr(rollout)
        for event in events(0.0, max(ghost.armed, 0)):
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
            following = ghost.then(event, orders, after, now)
            yield from breaches(following, rollout, event, after, orders)
            node = settled(after, now), following
            if key(*node) not in known:
                known.add(key(*node))
                waiting.append(node)
        if repr(rollout) != said:
            yield "unchanged"
    visited.heard = frozenset(heard)


def key(rollout: Rollout, ghost: Ghost) -> tuple[Any, ...]:
    """Two nodes with the same key are the same."""
    changing_fields = (
        (rollout.state, rollout.step, rollout.owed, rollout.asked, rollout.beat, rollout.held),
        (rollout.without, rollout.without_since, rollout.verdict.outcome, rollout.actor, rollout.reason),
        (frozenset(rollout.delayed.items()), frozenset(rollout.unconfirmed), frozenset(rollout.sick)),
        frozenset((step, router) for step, shares in rollout.seen.items() for router in shares),
    )
    return (*changing_fields, ghost)


@pytest.mark.parametrize(
    ("policies", "steps"), [(PATIENT, STEPS), (STRICT, STEPS), (PATIENT, BARE)], ids=["patient", "strict", "bare"]
)
def test_no_walk_breaks_the_rollout(policies: Policies, steps: tuple[Step, ...]) -> None:
    visited = Visited()
    assert set(walk(handle, policies, steps, visited)) == set()
    # It went everywhere: every kind of event met every state, and every arrow of the docstring was taken.
    states = {PLANNED, WAITING, RUNNING, PROMOTED, REVERTING, *ENDED}
    kinds = {type(event).__name__ for event in events(0.0, 0)}
    assert {(state, kind) for state, kind, dummy in visited.heard} == {(s, k) for s in states for k in kinds}
    arrows = {(before, after) for before, dummy, after in visited.heard if before != after and after != "refused"}
    assert arrows == {
        (PLANNED, WAITING),
        (WAITING, RUNNING),
        (RUNNING, WAITING),
        (RUNNING, PROMOTED),
        (PROMOTED, FINISHED),
        *((state, REVERTING) for state in (PLANNED, WAITING, RUNNING, PROMOTED)),
        (REVERTING, ROLLED_BACK),
        (REVERTING, STUCK),
    }
    assert {kind for dummy, kind, after in visited.heard if after == "refused"} == {"Locked", "StepAsked"}


# --- the walk finds what it is there for


def taken_for_a_pass(outcome: str) -> Handle:
    def handler(rollout: Rollout, event: Event) -> Next:
        if isinstance(event, Judged) and event.verdict.outcome == outcome:
            event = replace(event, verdict=Verdict(PASS, "nobody complains"))
        return handle(rollout, event)

    return handler


def goes_on_after_a_revert(rollout: Rollout, event: Event) -> Next:
    if rollout.state == REVERTING and isinstance(event, Judged) and event.verdict.outcome == PASS:
        return replace(rollout, state=WAITING, owed=frozenset()), []
    return handle(rollout, event)


def hears_the_last_word(rollout: Rollout, event: Event) -> Next:
    if rollout.state == REVERTING and isinstance(event, End):
        return replace(rollout, actor=event.actor, reason=event.reason), []
    return handle(rollout, event)


def reverts_what_has_ended(rollout: Rollout, event: Event) -> Next:
    if rollout.ended and isinstance(event, End):
        return rollout, [Note("intended", {}), RevertAll(event.reason)]
    return handle(rollout, event)


def is_deaf(rollout: Rollout, event: Event) -> Next:
    return (rollout, []) if isinstance(event, End) and rollout.state == PROMOTED else handle(rollout, event)


def notes_afterwards(rollout: Rollout, event: Event) -> Next:
    after, orders = handle(rollout, event)
    return after, orders[::-1]


def leaves_a_step_out(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, StepAsked) and event.index == rollout.step + 2 and rollout.state == WAITING:
        rollout = replace(rollout, step=rollout.step + 1)
    return handle(rollout, event)


def raises_while_it_runs(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, StepAsked) and rollout.raised and event.index == 1:
        rollout = replace(rollout, state=WAITING)
    return handle(rollout, event)


def raises_in_silence(rollout: Rollout, event: Event) -> Next:
    return handle(replace(rollout, without="") if isinstance(event, StepAsked) else rollout, event)


def believes_one_router(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, ReadBack) and event.router in rollout.owed:
        rollout = replace(rollout, owed=frozenset({event.router}))
    return handle(rollout, event)


def forgets_a_lease(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, Disarmed) and rollout.state == PROMOTED:
        rollout = replace(rollout, owed=frozenset({event.router}))
    return handle(rollout, event)


def is_back_too_soon(rollout: Rollout, event: Event) -> Next:
    if isinstance(event, Reverted) and rollout.state == REVERTING:
        rollout = replace(rollout, owed=frozenset({event.router}))
    return handle(rollout, event)


def ignores_what_is_illegal(rollout: Rollout, event: Event) -> Next:
    try:
        return handle(rollout, event)
    except RolloutError:
        return rollout, []


def changes_before_it_refuses(rollout: Rollout, event: Event) -> Next:
    try:
        return handle(rollout, event)
    except RolloutError:
        object.__setattr__(rollout, "owed", frozenset({"p9"}))
        raise


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (taken_for_a_pass(NO_DATA), "evidence"),
        (taken_for_a_pass(ERROR), "evidence"),
        (taken_for_a_pass(INCONCLUSIVE), "evidence"),
        (taken_for_a_pass(FAIL), "fail"),
        (goes_on_after_a_revert, "way back"),
        (is_back_too_soon, "way back"),
        (hears_the_last_word, "who and why"),
        (reverts_what_has_ended, "over"),
        (is_deaf, "end"),
        (notes_afterwards, "intention"),
        (leaves_a_step_out, "step"),
        (raises_while_it_runs, "step"),
        (raises_in_silence, "refusal"),
        (believes_one_router, "read back"),
        (forgets_a_lease, "promoted"),
        (ignores_what_is_illegal, "refusal"),
        (changes_before_it_refuses, "unchanged"),
    ],
)
def test_control_a_rollout_that_is_broken_is_found(broken: Handle, found: str) -> None:
    assert found in walk(broken, PATIENT, STEPS)


def no_end(rollout: Rollout, actor: str, reason: str) -> Next:
    return rollout, []


@pytest.mark.parametrize(
    ("name", "broken", "found"),
    [("LONGEST_BEAT", 3600.0, "watched"), ("_end", no_end, "fail"), ("FAIL", "failed", "fail")],
)
def test_control_a_part_that_is_broken_is_found(
    name: str, broken: Any, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, name, broken)
    assert found in walk(handle, PATIENT, STEPS)
