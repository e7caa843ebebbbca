# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout of two routers and two steps, and how a test talks to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.judge import PASS, Verdict
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import Step
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import (
    BY_PERSON,
    PAUSE,
    Abandoned,
    Disarmed,
    End,
    Event,
    Judged,
    Locked,
    Note,
    NotReverted,
    Order,
    Ordered,
    Policies,
    ReadBack,
    Reverted,
    Rollout,
    StepAsked,
    handle,
)

ROUTERS = ("p1", "p2")
HOLD = 4.0
STEPS = (Step(0, 5.0, HOLD, 50, ("errors",)), Step(1, 100.0, HOLD, 50, ("errors",)))
#: Three deadlines that no sum of the others gives.
POLICIES = Policies(on_inconclusive=None, no_data_deadline=30.0, error_deadline=20.0, progress_deadline=45.0)

FRESH = (f"order {number}" for number in count())


class Talk:
    """A conversation with the machine; ``t`` is its clock."""

    def __init__(self, rollout: Rollout | None = None) -> None:
        self.rollout = rollout or Rollout(ROUTERS, STEPS, POLICIES)
        self.t = 0.0

    def hear(self, *events: Event) -> list[Order]:
        """What these events order, together."""
        said: list[Order] = []
        for event in events:
            self.rollout, orders = handle(self.rollout, event)
            said += orders
        return said

    def expect(self, event: Event, *orders: Order, **changes: Any) -> None:
        """The event gives exactly these orders, and changes exactly this of the whole state."""
        before = self.rollout
        assert self.hear(event) == list(orders)
        assert self.rollout == replace(before, **changes)

    def raise_to(self, index: int) -> list[Order]:
        """Ask for a step, and let all routers be read back at its weight."""
        step = self.rollout.steps[index]
        return self.hear(StepAsked(index, self.t), *(ReadBack(router, step.weight, self.t) for router in ROUTERS))

    def judge(self, outcome: str, seconds: float, reason: str = "so it is") -> list[Order]:
        """The same verdict at each beat of a second, for so long."""
        said: list[Order] = []
        for dummy in range(round(seconds)):
            self.t += 1.0
            said += self.hear(Judged(Verdict(outcome, reason), self.t))
        return said


def changes(orders: list[Order]) -> list[Order]:
    """What of the orders is not for the journal."""
    return [order for order in orders if not isinstance(order, Note)]


def order(talk: Talk, verb: str, id: str = "", router: str = "p1", reason: str = "") -> Ordered:
    return Ordered(id or next(FRESH), verb, "ann", router, talk.t, reason)


def say(talk: Talk, verb: str) -> tuple[bool, str]:
    """Give an order that is new: whether it was done, and why not."""
    noted = talk.hear(order(talk, verb))[0]
    assert isinstance(noted, Note) and noted.event == "ordered"
    return noted.data["done"], noted.data.get("why", "")


def planned() -> Talk:
    return Talk()


def locked(rollout: Rollout | None = None) -> Talk:
    talk = Talk(rollout)
    talk.hear(Locked(0.0))
    return talk


def raising(rollout: Rollout | None = None) -> Talk:
    """The first step is asked for, and no router was read back yet."""
    talk = locked(rollout)
    talk.hear(StepAsked(0, talk.t))
    return talk


def held(rollout: Rollout | None = None) -> Talk:
    """The hold of the first step begins."""
    talk = raising(rollout)
    talk.hear(*(ReadBack(router, 5.0, talk.t) for router in ROUTERS))
    return talk


def between(rollout: Rollout | None = None) -> Talk:
    """The first step has passed, the second is not asked for yet."""
    talk = held(rollout)
    talk.judge(PASS, HOLD)
    return talk


def promoted() -> Talk:
    """All routers are at 100 %; their leases are not given back yet."""
    talk = between()
    talk.raise_to(1)
    talk.judge(PASS, HOLD)
    return talk


def paused() -> Talk:
    """A person has paused the hold of the first step when it began."""
    talk = held()
    talk.hear(Ordered("o1", PAUSE, "ann", "p1", talk.t, "let me see"))
    return talk


def reverting() -> Talk:
    talk = held()
    talk.hear(End(BY_PERSON, "stop"))
    return talk


def finished() -> Talk:
    talk = promoted()
    talk.hear(*map(Disarmed, ROUTERS))
    return talk


def rolled_back() -> Talk:
    talk = reverting()
    talk.hear(*map(Reverted, ROUTERS))
    return talk


def stuck() -> Talk:
    talk = reverting()
    talk.hear(*(NotReverted(router, "blue is down", sick=True) for router in ROUTERS))
    return talk


def held_on() -> Talk:
    """Abandoned in the hold of the first step, whose share stays."""
    talk = held()
    talk.hear(Abandoned("the play is gone", hold=True))
    return talk


#: Name -> a conversation that led there.
OPEN: Mapping[str, Callable[[], Talk]] = {
    "planned": planned,
    "locked": locked,
    "raising": raising,
    "held": held,
    "between": between,
    "paused": paused,
    "promoted": promoted,
}
OVER: Mapping[str, Callable[[], Talk]] = {
    "finished": finished,
    "rolled_back": rolled_back,
    "stuck": stuck,
    "held": held_on,
}
