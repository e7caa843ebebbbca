# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollout, told as conversations: from the plan to each of its ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import FAIL, INCONCLUSIVE, PASS, Verdict
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import Step
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import (
    BY_ABANDON,
    BY_DEPLOY,
    BY_GUARD,
    BY_PERSON,
    BY_ROUTER,
    BY_VERDICT,
    FINISHED,
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
    Note,
    NotReverted,
    ReadBack,
    RevertAll,
    Reverted,
    Rollout,
    RolloutError,
    StepAsked,
    handle,
)

from .rollouts import OPEN, OVER, POLICIES, ROUTERS, Talk, between, changes, held, locked, raising, reverting

GOOD, BAD, EARLY = Verdict(PASS, "fine"), Verdict(FAIL, "9 of 50 failed"), Verdict(INCONCLUSIVE, "12 of 50 requests")
UNJUDGED = Verdict(INCONCLUSIVE, "nothing was judged yet")
ALL_OF_THEM = frozenset(ROUTERS)


def passed(step: int, reason: str) -> Note:
    return Note("judged", {"step": step, "outcome": PASS, "reason": reason, "done": True})


def observed(step: int, router: str, share: float) -> Note:
    return Note("observed", {"step": step, "router": router, "share": share})


def test_a_good_release_from_the_plan_to_the_end() -> None:
    at_5, at_100 = {"p1": 5.0, "p2": 5.1}, {"p1": 100.0, "p2": 100.0}
    talk = Talk()
    talk.expect(Locked(1.0), Note("locked", {"routers": ["p1", "p2"]}), state=WAITING)
    talk.expect(
        StepAsked(0, 2.0),
        Note("intended", {"step": 0, "weight": 5.0}),
        ArmAll(5.0),
        state=RUNNING,
        step=0,
        owed=ALL_OF_THEM,
        asked=2.0,
        beat=2.0,
    )
    talk.expect(ReadBack("p2", 5.1, 3.0), observed(0, "p2", 5.1), owed={"p1"}, beat=3.0, seen={0: {"p2": 5.1}})
    assert not talk.rollout.raised
    talk.expect(ReadBack("p1", 5.0, 4.0), observed(0, "p1", 5.0), owed=set(), beat=4.0, seen={0: at_5})
    assert talk.rollout.raised
    talk.expect(Judged(EARLY, 5.5), verdict=EARLY, beat=5.5, held=1.5)
    talk.expect(Judged(GOOD, 7.0), Note("judged", {"step": 0, **GOOD.to_json()}), verdict=GOOD, beat=7.0, held=3.0)
    talk.expect(Judged(GOOD, 8.0), passed(0, "fine"), state=WAITING, beat=8.0, held=4.0)
    talk.expect(Judged(GOOD, 9.0), beat=9.0)
    talk.expect(
        StepAsked(1, 9.5),
        Note("intended", {"step": 1, "weight": 100.0}),
        ArmAll(100.0),
        state=RUNNING,
        step=1,
        owed=ALL_OF_THEM,
        asked=9.5,
        beat=9.5,
        held=0.0,
        verdict=UNJUDGED,
    )
    talk.hear(ReadBack("p1", 100.0, 10.0), ReadBack("p2", 100.0, 10.0), Judged(GOOD, 12.0))
    talk.expect(
        Judged(GOOD, 14.0), passed(1, "fine"), DisarmAll(), state=PROMOTED, beat=14.0, held=4.0, owed=ALL_OF_THEM
    )
    talk.expect(Disarmed("p1"), owed={"p2"})
    talk.expect(Disarmed("p2"), Note("finished", {"outcome": "promoted"}), state=FINISHED, owed=set())
    assert (talk.rollout.seen, talk.rollout.actor) == ({0: at_5, 1: at_100}, "")


def test_without_a_hold_the_read_back_makes_the_step() -> None:
    bare = (Step(0, 0.0, 0.0, 0, (), settle=True), Step(1, 100.0, 0.0, 0, ()))
    talk = locked(Rollout(ROUTERS, bare, POLICIES))
    assert changes(talk.raise_to(0)) == [ArmAll(0.0)]
    assert talk.rollout.state == WAITING
    assert talk.raise_to(1)[-2:] == [passed(1, "read back on all routers"), DisarmAll()]
    assert talk.rollout.state == PROMOTED


def test_a_fail_takes_all_routers_back() -> None:
    talk = held()
    talk.expect(
        Judged(BAD, 1.0),
        Note("judged", {"step": 0, **BAD.to_json()}),
        Note("intended", {"revert": True, "actor": "verdict", "reason": "9 of 50 failed"}),
        RevertAll("9 of 50 failed"),
        state=REVERTING,
        actor=BY_VERDICT,
        reason="9 of 50 failed",
        owed=ALL_OF_THEM,
        verdict=BAD,
        beat=1.0,
        held=1.0,
    )
    talk.expect(Judged(GOOD, 2.0), beat=2.0)
    talk.expect(Reverted("p1"), Note("reverted", {"router": "p1", "confirmed": True}), owed={"p2"})
    talk.expect(
        Reverted("p2"),
        Note("reverted", {"router": "p2", "confirmed": True}),
        Note("finished", {"outcome": "rolled_back", "actor": "verdict", "reason": "9 of 50 failed"}),
        state=ROLLED_BACK,
        owed=set(),
    )


@pytest.mark.parametrize("state", ["raising", "held", "between", "paused"])
def test_a_fail_counts_in_a_step_between_two_and_in_a_pause(state: str) -> None:
    talk = OPEN[state]()
    assert changes(talk.judge(FAIL, 1, "bad")) == [RevertAll("bad")]
    assert (talk.rollout.state, talk.rollout.actor) == (REVERTING, BY_VERDICT)


@pytest.mark.parametrize("state", ["planned", "locked", "promoted"])
def test_a_fail_says_nothing_where_nothing_is_judged(state: str) -> None:
    OPEN[state]().expect(Judged(BAD, 99.0), beat=99.0)


@pytest.mark.parametrize("actor", [BY_ABANDON, BY_ROUTER, BY_DEPLOY, BY_GUARD, BY_PERSON])
@pytest.mark.parametrize("state", OPEN)
def test_an_end_takes_all_routers_back_from_everywhere(state: str, actor: str) -> None:
    talk = OPEN[state]()
    talk.expect(
        End(actor, "why"),
        Note("ordered" if actor == BY_PERSON else "intended", {"revert": True, "actor": actor, "reason": "why"}),
        RevertAll("why"),
        state=REVERTING,
        pause=None,
        actor=actor,
        reason="why",
        owed=ALL_OF_THEM,
    )
    talk.expect(End(BY_VERDICT, "another"))
    talk.hear(*map(Reverted, ROUTERS))
    assert (talk.rollout.state, talk.rollout.actor, talk.rollout.reason) == (ROLLED_BACK, actor, "why")


def test_an_end_while_leases_are_given_back_takes_back_those_already_given() -> None:
    talk = OPEN["promoted"]()
    talk.hear(Disarmed("p1"))
    assert changes(talk.hear(End(BY_ROUTER, "p2 is gone"))) == [RevertAll("p2 is gone")]
    assert talk.rollout.owed == ALL_OF_THEM


SICK = NotReverted("p1", "blue is down", sick=True)
LOST = NotReverted("p2", "no answer")


@pytest.mark.parametrize(
    ("first", "second", "state", "unconfirmed", "sick"),
    [
        (Reverted("p1"), Reverted("p2"), ROLLED_BACK, {}, {}),
        (Reverted("p1"), LOST, ROLLED_BACK, {"p2": "no answer"}, {}),
        (SICK, Reverted("p2"), STUCK, {}, {"p1": "blue is down"}),
        (LOST, SICK, STUCK, {"p2": "no answer"}, {"p1": "blue is down"}),
    ],
    ids=["both are back", "one does not say", "one is sick", "one of each"],
)
def test_how_it_ends_is_what_became_of_the_routers(
    first: Event, second: Event, state: str, unconfirmed: dict[str, str], sick: dict[str, str]
) -> None:
    talk = reverting()
    assert [order.event for order in talk.hear(first) if isinstance(order, Note)] == ["reverted"]
    assert talk.rollout.state == REVERTING
    notes = talk.hear(second)
    assert notes[-1] == Note("finished", {"outcome": state, "actor": BY_PERSON, "reason": "stop"})
    assert (talk.rollout.state, talk.rollout.unconfirmed, talk.rollout.sick) == (state, unconfirmed, sick)


def test_the_journal_says_why_a_router_is_not_back() -> None:
    said = {"router": "p1", "confirmed": False, "reason": "blue is down"}
    assert reverting().hear(SICK) == [Note("reverted", said)]


@pytest.mark.parametrize(
    ("state", "event"),
    [
        ("between", ReadBack("p1", 5.0, 99.0)),
        ("between", Delayed("p1", "late")),
        ("between", Disarmed("p1")),
        ("between", Reverted("p1")),
        ("between", NotReverted("p1", "late", sick=True)),
        ("held", ReadBack("p1", 7.0, 99.0)),
        ("held", Delayed("p1", "late")),
        ("held", Disarmed("p1")),
        ("promoted", ReadBack("p1", 5.0, 99.0)),
        ("promoted", Reverted("p1")),
        *((over, event) for over in OVER for event in (End(BY_PERSON, "late"), Reverted("p1"), SICK, Disarmed("p1"))),
    ],
)
def test_late_news_changes_nothing(state: str, event: Event) -> None:
    {**OPEN, **OVER}[state]().expect(event)


def test_a_router_counts_once_on_the_way_back() -> None:
    talk = reverting()
    talk.hear(SICK)
    talk.expect(Reverted("p1"))
    talk.expect(NotReverted("p1", "again"))


@pytest.mark.parametrize(
    ("state", "event"),
    [
        ("planned", StepAsked(0, 9.0)),
        ("locked", Locked(9.0)),
        ("locked", StepAsked(1, 9.0)),
        ("raising", StepAsked(0, 9.0)),
        ("held", StepAsked(1, 9.0)),
        ("between", StepAsked(0, 9.0)),
        ("between", StepAsked(2, 9.0)),
        ("promoted", StepAsked(2, 9.0)),
        *((over, event) for over in OVER for event in (Locked(9.0), StepAsked(0, 9.0), StepAsked(1, 9.0))),
    ],
)
def test_an_illegal_event_is_refused_and_changes_nothing(state: str, event: Event) -> None:
    rollout = {**OPEN, **OVER}[state]().rollout
    before = repr(rollout)
    with pytest.raises(RolloutError):
        handle(rollout, event)
    assert repr(rollout) == before


def test_a_step_begins_with_nothing_of_the_last_one() -> None:
    talk = raising()
    talk.hear(Delayed("p2", "green is down"), ReadBack("p1", 5.0, 1.0), ReadBack("p2", 5.0, 1.0))
    talk.t = 1.0
    talk.judge(PASS, 4)
    talk.hear(StepAsked(1, 8.0))
    fresh = replace(between().rollout, state=RUNNING, step=1, owed=ALL_OF_THEM, verdict=UNJUDGED, held=0.0)
    assert talk.rollout == replace(fresh, asked=8.0, beat=8.0)
