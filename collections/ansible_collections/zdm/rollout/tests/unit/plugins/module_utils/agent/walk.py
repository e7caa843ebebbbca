# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A walk through all that can become of a lease: every message at every state and time, with a router that may fail.

Theory of operation. A *node* is a lease as its guard has it, and a *ghost*: what really is the case, kept from the
events and from what was done at the router alone. From each node each event is tried with each of its outcomes, and
what follows is held against the ghost. The present is always the time 0: as time passes, the lease's times are moved
back, and what is over stays at 0, so there is an end to it. A message may come at any time, also one that was sent
long ago, or twice; one that is lost is one that does not come. Texts for people are no part of a node.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import (
    ARMED,
    HELD,
    REVERTED,
    STUCK,
    Acquire,
    Arm,
    Closed,
    Disarm,
    End,
    Event,
    Lease,
    LeaseError,
    Order,
    Park,
    Place,
    Renew,
    Return,
    Revert,
    Stuck,
    Tick,
    Write,
)
from ansible_collections.zdm.rollout.plugins.module_utils.agent.loan import Loan

TTL, GRACE, MAX_HOLD, PARKED = 2.0, 1.0, 1.0, 3.0
AT_25, AT_75 = {"blue": 75.0, "green": 25.0}, {"blue": 25.0, "green": 75.0}
HOMES = {"blue": {"blue": 100.0, "green": 0.0}, "green": {"blue": 0.0, "green": 100.0}}
#: Two controllers that want the opposite, so that a return to the wrong stable shows.
AMY = Acquire("run-1", "amy", "2.0", "blue", "green", "noon", 0.0, TTL)
BOB = Acquire("run-2", "bob", "3.0", "green", "blue", "noon", 0.0, TTL)
#: So many times the lease is acquired on a walk.
MOST_EPOCHS = 2

#: What becomes of an order at the router: done; refused by the gate; not done; done, and not read back.
DONE, SICK, NOT_DONE, UNSURE = "done", "sick", "not done", "unsure"
#: For the last step of a node: a lease that was refused something is no longer what it was.
CHANGED = "changed"

Handle = Callable[[Lease, Any], tuple[Lease, Order]]


@dataclass(frozen=True)
class Pass:
    """A second passes, and nobody looks."""


@dataclass(frozen=True)
class Restart:
    """The guard is killed, and another one finds the record."""


class Ghost(NamedTuple):
    """``lent``: canary may have a share that is owed to ``stable``. ``green``: green's real share, in percent.

    ``sign``: the newest sign of life from the run, ``most``: when the split has been in force for long enough.
    ``decided``: the guard itself has ended it. ``given``: the most that canary was given. ``run`` was the last to have
    it; ``parked`` by that, and for ``until`` more seconds.
    """

    minted: int = 0
    lives: bool = False
    lent: bool = False
    stable: str = ""
    sign: float = 0.0
    most: float | None = None
    decided: bool = False
    holds: bool = False
    given: float = 0.0
    green: float = 0.0
    run: str = ""
    parked: bool = False
    until: float = 0.0

    @property
    def over(self) -> bool:
        if self.parked:
            return self.decided or self.until <= 0
        return self.decided or self.sign + TTL <= 0 or (self.most is not None and self.most <= 0)

    @property
    def share(self) -> float:
        """Canary's, really."""
        return self.green if self.stable == "blue" else 100.0 - self.green


class Node(NamedTuple):
    lease: Lease
    ghost: Ghost

    @property
    def key(self) -> tuple[Any, ...]:
        lease = self.lease
        green = lease.split["green"] if lease.split is not None else None
        parked = lease.parked != ""
        return lease.state, lease.epoch, lease.run, green, lease.on_expiry, parked, lease.loan, self.ghost


class Step(NamedTuple):
    """One transition, or a refusal (then ``outcome`` is its code, and ``after`` is the node before it)."""

    before: Node
    event: Any
    outcome: str
    order: Order
    after: Node


def events(node: Node) -> Iterator[Any]:
    for run in (AMY, BOB):
        yield run
        yield replace(run, on_expiry="hold")
    for run, taken in ((AMY, "run-1"), (BOB, "run-1"), (AMY, "run-2"), (BOB, "run-2")):
        yield replace(run, takes=taken)
    epoch = node.ghost.minted
    yield Park(epoch, PARKED, "one", 0.0)
    for split in (AT_25, AT_75):
        yield Arm(epoch, split, 0.0)
        yield Arm(epoch, split, 0.0, MAX_HOLD)
    for echo in (1.0, 0.0, -1.0, -2.0):  # one that has not been yet, and old ones
        yield Renew(epoch, echo, 0.0)
    for stale in (*range(epoch), epoch + 1):  # every old one, and one that is to come
        yield from (
            Arm(stale, AT_75, 0.0),
            Renew(stale, 0.0, 0.0),
            Park(stale, PARKED, "one", 0.0),
            Revert(stale, ""),
            Disarm(stale),
            Closed(stale, 0.0),
        )
    yield from (Revert(epoch, "bad"), Revert(None, "by hand"), Disarm(epoch), Disarm(None), Closed(epoch, 0.0))
    yield from (End("reflex"), Stuck("blue is down"), Tick(0.0), Pass(), Restart())
    yield from (Place(AT_25, "eve"), Place(AT_75, "eve"))


def steps(handler: Handle, node: Node) -> Iterator[Step]:
    """All that can happen at a node."""
    for event in events(node):
        if isinstance(event, Pass):
            yield Step(node, event, DONE, None, _later(node))
        elif isinstance(event, Restart):
            yield Step(node, event, DONE, None, _restarted(node))
        else:
            try:
                lease, order = handler(node.lease, event)
            except LeaseError as refusal:
                yield Step(node, event, refusal.code, None, node)
                continue
            for outcome in (DONE, SICK, NOT_DONE, UNSURE) if order else (DONE,):
                after = _carried(handler, node.lease, lease, event, order, outcome)
                yield Step(node, event, outcome, order, Node(after, _then(node, event, order, outcome, after)))


def walk(handler: Handle) -> Iterator[Step]:
    """Every step that there is, each once."""
    start = Node(Lease(), Ghost())
    known, waiting = {start.key}, deque([start])
    while waiting:
        node = waiting.popleft()
        key = node.key
        for step in steps(handler, node):
            yield step
            after = step.after
            if after.ghost.minted <= MOST_EPOCHS and after.key not in known:
                known.add(after.key)
                waiting.append(after)
        if node.key != key:
            yield Step(node, Pass(), CHANGED, None, node)
            return  # what was known before is no longer true


def _carried(handler: Handle, old: Lease, new: Lease, event: Event, order: Order, outcome: str) -> Lease:
    """As apply.py and tenure.py do it: an intention is recorded before, a return after it was read back."""
    if outcome == DONE:
        return new
    if isinstance(order, Write):
        return replace(new, loan=old.loan if new.minded else None)
    after = old
    if isinstance(event, Tick) and outcome == SICK and old.lives and old.loan is not None:
        after = _heard(handler, after, End(old.loan.over(0.0)))
        after = _heard(handler, after, Stuck("blue is down"))
    if isinstance(event, Revert) and event.epoch is not None:
        after = _heard(handler, after, End(event.reason))
    return after


def _heard(handler: Handle, lease: Lease, event: Event) -> Lease:
    try:
        return handler(lease, event)[0]
    except LeaseError:
        return lease


def _later(node: Node) -> Node:
    lease, ghost = node
    loan = lease.loan
    if loan is not None:
        loan = replace(loan, expires=max(0.0, loan.expires - 1), most=_before(loan.most))
    sign = ghost.sign if ghost.parked else max(-TTL, ghost.sign - 1)
    until = max(0.0, ghost.until - 1)
    return Node(replace(lease, loan=loan), ghost._replace(sign=sign, most=_before(ghost.most), until=until))


def _before(t: float | None) -> float | None:
    return None if t is None else max(0.0, t - 1)


def _restarted(node: Node) -> Node:
    """As tenures.py does it. What a guard had decided and not brought about is forgotten with it."""
    lease, ghost = node
    loan = Loan.left_behind(0.0) if lease.minded else None
    ghost = ghost._replace(sign=-TTL, most=None, decided=False, parked=False, until=0.0)
    return Node(replace(lease, loan=loan), ghost)


def _then(node: Node, event: Event, order: Order, outcome: str, after: Lease) -> Ghost:
    """What is the case after an event that was allowed."""
    ghost = node.ghost
    if order is not None and outcome in (DONE, UNSURE):
        split = HOMES[order.stable] if isinstance(order, Return) else order.split
        ghost = ghost._replace(green=split["green"])
    returned = isinstance(order, Return) and outcome != DONE
    if isinstance(event, Acquire):
        if returned:
            return ghost
        holds, taken = event.on_expiry == "hold", bool(event.takes)
        begun = Ghost(ghost.minted + 1, True, stable=event.stable, holds=holds, green=ghost.green, run=event.run)
        return begun._replace(lent=True, given=ghost.given) if taken else begun
    if isinstance(event, Arm):
        share = event.split["green"] if ghost.stable == "blue" else event.split["blue"]
        most = event.max_hold if outcome == DONE and not ghost.parked else ghost.most
        given = share if outcome == DONE else max(share, ghost.given)
        return ghost._replace(lent=True, given=given, most=most)
    if isinstance(event, Park):
        return ghost if ghost.parked else ghost._replace(parked=True, until=PARKED, sign=0.0, most=None)
    if isinstance(event, (Renew, Closed)) and ghost.parked:
        return ghost
    if isinstance(event, Renew):
        return ghost._replace(sign=max(ghost.sign, event.echo))
    if isinstance(event, Closed):
        return ghost._replace(sign=min(ghost.sign, GRACE - TTL))
    if isinstance(event, End):
        return ghost._replace(decided=True)
    if isinstance(event, Revert) and returned:
        return ghost._replace(decided=ghost.lives or ghost.decided) if event.epoch is not None else ghost
    ended = ghost._replace(lives=False, lent=False, given=0.0, parked=False, until=0.0)
    if isinstance(event, (Revert, Disarm)):
        return ended
    if isinstance(event, Place):
        return ghost if ghost.lives else ghost._replace(lent=False, given=0.0)
    if after.state == REVERTED:
        return ended
    if after.state in (HELD, STUCK):
        return ghost._replace(lives=False, parked=False, until=0.0)
    return ghost


def breaches(step: Step) -> Iterator[str]:
    """The safety properties that a step breaks, by name."""
    (lease, ghost), event, outcome, order, (after, then) = step
    if outcome == CHANGED:
        yield "a refusal changes nothing"
        return
    if outcome not in (DONE, SICK, NOT_DONE, UNSURE):
        yield from _refused(step)
        return
    epoch = getattr(event, "epoch", None)
    if epoch not in (None, ghost.minted):
        yield "a stale epoch changes nothing"
    if epoch is not None and not ghost.lives and not isinstance(event, Revert):
        yield "an end is latched"
    if epoch is not None and after.epoch != lease.epoch:
        yield "an epoch is minted by an acquire"
    if isinstance(event, Acquire) and outcome == DONE and after.epoch != ghost.minted + 1:
        yield "an epoch is minted by an acquire"
    if isinstance(event, (Arm, Renew, Park)) and ghost.over:
        yield "what is over is not prolonged"
    taken = isinstance(event, Acquire) and bool(event.takes)
    if taken or (isinstance(event, Acquire) and ghost.parked and not ghost.over):
        if not _is_its_own(ghost, event) or order is not None or after.split != lease.split:
            yield "only its own run is taken up"
    elif isinstance(event, Acquire):
        if ghost.lives and not ghost.over:
            yield "a living owner is not disturbed"
        if ghost.lent and order != Return(ghost.stable):
            yield "a dead owner's debt is paid to its own stable"
    if isinstance(event, (Closed, Renew)) and ghost.parked and after != lease:
        yield "a parked share is kept while its time lasts"
    if isinstance(event, Place) and ghost.lives and (order is not None or after != lease):
        yield "a living owner is not disturbed"
    if isinstance(order, Write) and not (isinstance(event, (Arm, Place)) and order.split == event.split):
        yield "never above what was armed"
    if then.lent and then.lives and then.share > max(then.given, 0.0) and ghost.share <= ghost.given:
        yield "never above what was armed"
    if after.lives and not then.lives and outcome == DONE:
        yield "an end is latched"
    if isinstance(event, Revert) and ghost.lent and order != Return(ghost.stable):
        yield "a revert moves what was lent"
    if isinstance(event, Tick):
        yield from _ticked(step)
    if after.state == HELD and lease.state != HELD and not (isinstance(event, Tick) and ghost.holds and ghost.over):
        yield "only what was abandoned is held"


def _is_its_own(ghost: Ghost, event: Acquire) -> bool:
    """Whether this run takes up what is parked, and may."""
    return ghost.parked and not ghost.over and event.takes == ghost.run and event.stable == ghost.stable


def _ticked(step: Step) -> Iterator[str]:
    (lease, ghost), dummy, outcome, order, (after, then) = step
    if ghost.lives and not ghost.over and (order is not None or after != lease):
        yield "nothing ends before its time"
    if outcome != DONE:
        if after.state not in (lease.state, STUCK):
            yield "what was not done stays owed"
        return
    if ghost.over and ghost.lent and then.share > 0 and after.state not in (STUCK, HELD):
        yield "after its time there is no canary share"
    if after.lives and (after.loan is None or ghost.over):
        yield "never armed without a living loan"
    if after.state == HELD and lease.state == ARMED and ghost.decided:
        yield "only what was abandoned is held"
    if lease.state == STUCK and ghost.lent and then.share > 0:
        yield "what is stuck goes back as soon as it can"


def _refused(step: Step) -> Iterator[str]:
    ghost, event, code = step.before.ghost, step.event, step.outcome
    epoch = getattr(event, "epoch", None)
    if (epoch not in (None, ghost.minted)) != (code == "fenced"):
        yield "a stale epoch changes nothing"
    if code not in ("busy", "fenced", "reverted", "idle", "bad_request"):
        yield "a refusal has a code of the contract"
    if isinstance(event, Revert) and epoch is None and (ghost.lives or ghost.lent):
        yield "a person is heard"
    if isinstance(event, Renew) and code != "fenced" and ghost.lives and not ghost.over and event.echo <= 0:
        yield "a living owner is heard"
    if isinstance(event, Acquire) and not event.takes and not ghost.lives:
        yield "what is free can be had"
    if isinstance(event, Acquire) and _is_its_own(ghost, event):
        yield "its own run can take it up"
