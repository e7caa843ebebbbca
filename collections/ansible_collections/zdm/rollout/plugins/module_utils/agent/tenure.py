# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tenure: one service's lease in the hands of the guard that minds it, from acquire to its end.

Rules of this room: it joins the lease (pure) and the look at the router (sight.py) to the one way of an order
(apply.py). How lines and connections come to it is the guard's business (guard.py).

Theory of operation. A few times a second the guard *ticks*: the router is looked at, a share that members moved is put
right, one that somebody else set is put back or ends the rollout, the reflex weighs what was counted, and a lease that
is over is brought to its end. An end that cannot be brought about yet (the proxy does not answer, stable is sick) is
tried again as long as the guard lives. Whatever the disk says, the guard's memory is enough for the way back.
"""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass, replace
from typing import Any, Callable, Dict, List, Mapping, Optional

from ..routers.api import Driver, RouterError, Service, Sick, Traffic
from . import deviation
from . import lease as leases
from .apply import Applied, Order, apply, close
from .closing import Closing
from .deviation import Foreign
from .gate import Gate
from .record import Record, RecordError, Store
from .reflex import Reflex
from .rests import Keeping
from .sight import Sight

#: How often an end that could not be brought about is tried again, and said again, in seconds.
AGAIN_SECONDS, SAY_AGAIN_SECONDS = 0.5, 60.0
#: With the newest renewal older than this, the watch is taken to be gone and the guard says itself what it did.
WATCHED_SECONDS = 2.0
#: The longest time between two looks that counts as watched, while it is parked.
LONGEST_LOOK = 2.0
#: How many foreign splits a renewal tells of.
FOREIGN_KEPT = 10


@dataclass(frozen=True)
class Means:
    """What a guard gives its tenures: disk, gate, its clock, the wall clock for people, its log, and its voice.

    ``page(record, event)`` tells people (the lease's ``notify``) and does not wait for it.
    """

    store: Store
    gate: Gate
    clock: Callable[[], float]
    now: Callable[[], str]
    log: Callable[[str], None]
    page: Callable[[Record, str], None]


class Tenure:
    """Minds the lease in ``record``, whose loan is in it. ``carrier`` is the connection that last renewed it."""

    def __init__(
        self, means: Means, driver: Driver, record: Record, service: Service, terms: Mapping[str, Any]
    ) -> None:
        self._means = means
        self._driver = driver
        self._again = self._said_at = self._renewed_at = 0.0
        self._said = ""
        self._corrections = 0
        self._foreign: List[Foreign] = []
        #: When somebody else's split was last put back, or stood because the user wants it so.
        self._answered_at: Optional[float] = None
        self._armed: Optional[Traffic] = None
        self._looked_at: Optional[float] = None
        #: For how long, in seconds, the router was looked at and showed what was parked here.
        self.watched = 0.0
        self.carrier: object = None
        self.record = record
        self.service = service
        self.terms = terms
        self._sight = Sight(driver, service, means.gate)
        self._reflex = Reflex(**terms["reflex"]) if terms.get("reflex") else None
        self._weighed = self._reflex.start() if self._reflex else None
        self._closing = Closing(terms.get("close_after"))
        self._rests = Keeping(driver, service, means.gate)

    @property
    def lease(self) -> leases.Lease:
        return self.record.lease

    @property
    def minded(self) -> bool:
        """Whether there is still something to do for it, and here."""
        return (self.lease.minded and self.lease.loan is not None) or self._closing.owed(self.lease)

    # --- what the run orders

    def acquire(self, event: leases.Acquire, order: Order) -> Applied:
        """Take the lease for a run; a dead owner's debt is paid first."""
        applied = self._apply(event, order)
        self._renewed_at = event.t
        self._sight.look(event.t)
        return applied

    def arm(self, epoch: int, split: Mapping[str, float], max_hold: Optional[float]) -> Traffic:
        """Bring a split about; the traffic as read back."""
        try:
            self._armed = self._apply(leases.Arm(epoch, split, self._means.clock(), max_hold)).traffic
            self._closing.lend()
        except RouterError:
            self._armed = None  # nobody knows what is in force; what was refused is not put right later
            raise
        return self._armed

    def renew(self, epoch: int, echo: float, carrier: object) -> None:
        """A sign of life; LeaseError when it comes too late, or from another run."""
        t = self._means.clock()
        self._pure(leases.Renew(epoch, echo, t))
        self.carrier, self._renewed_at = carrier, t

    def park(self, epoch: int, seconds: float, note: Any) -> Traffic:
        """The run's end: the split stays, and is minded, for so long."""
        t = self._means.clock()
        event = leases.Park(epoch, seconds, self._means.now(), t)
        order = Order(self.record.environment, self.record.name, event, self._means.now(), note=note)
        if not self.lease.parked:
            self._looked_at, self.watched = t, 0.0
        return self._apply(event, order).traffic

    def follow(self, before: Tenure) -> None:
        """The run that was parked there was taken up: what was armed and found then is still so."""
        self._armed, self._corrections, self.watched = before._armed, before._corrections, before.watched
        self._closing.lend()

    def revert(self, epoch: int, reason: str) -> Traffic:
        """All traffic back; what cannot be done now is done as soon as it can."""
        try:
            return self._apply(leases.Revert(epoch, reason)).traffic
        except (RouterError, RecordError):
            self.end(reason)
            raise

    def disarm(self, epoch: int) -> Traffic:
        """The run's end: the split stays."""
        return self._apply(leases.Disarm(epoch)).traffic

    def news(self) -> Dict[str, Any]:
        """What a renewal's reply says of the lease and the router."""
        lease, t, sight = self.lease, self._means.clock(), self._sight
        return {
            "state": lease.state,
            "reason": lease.reason,
            "ended_by": lease.ended_by,
            "expires_in": round(lease.loan.expires - t, 3) if lease.loan else 0.0,
            "traffic": sight.traffic.to_json() if sight.traffic else None,
            "counters": {name: dict(vars(counters)) for name, counters in sight.counters.items()},
            "failure": sight.failure,
            "stable": sight.stable_is_sick,
            "corrections": self._corrections,
            "foreign": [asdict(foreign) for foreign in self._foreign],
            "orders": [dict(order) for order in self.record.orders],
        }

    # --- what happens

    def left(self, carrier: object) -> None:
        """A connection ended; if it was the one that last renewed, the lease does not outlive it for long."""
        if carrier is not self.carrier:
            return
        self.carrier = None
        with contextlib.suppress(leases.LeaseError):  # it may have ended already
            self._pure(leases.Closed(self.lease.epoch, self._means.clock()))

    def end(self, reason: str) -> None:
        """The guard itself ends the lease: a revert is due."""
        with contextlib.suppress(leases.LeaseError):  # it may have ended already
            self._pure(leases.End(reason))

    def leave(self, reason: str) -> None:
        """The guard itself goes: what is on loan is taken back, and for sessions nobody can wait."""
        self.end(reason)
        self._closing.let_be()

    def tick(self) -> None:
        """Look at the router, and bring about what is due."""
        self.recall()
        t = self._means.clock()
        if self.lease.lives and self.lease.loan is not None and not self.lease.loan.over(t):
            self._sight.look(t, self.lease.stable)
            self._rests.tick(t, self._sight.traffic)
            self._mend(t)
            self._weigh(t)
            self._count(t)
        self._bring_to_its_end(t)
        if not self.lease.lives:  # by somebody else's hand, too
            self._rests.end()
        self._close_left(t)

    def recall(self) -> None:
        """Take from the disk what others wrote there: a person's revert, an order, a note."""
        self.record = self._means.store.recall(self.record)

    def _count(self, t: float) -> None:
        """What was seen to be in force while it is parked. A gap (a stopped process, a suspended machine) is none."""
        if not self.lease.parked or self._looked_at is None:
            return
        if not self._sight.failure and self._sight.traffic is not None:
            self.watched += min(t - self._looked_at, LONGEST_LOOK)
        self._looked_at = t

    def _mend(self, t: float) -> None:
        """Put right what moved the share, as far as it is not for somebody else to decide."""
        lease, shown = self.lease, self._sight.traffic
        if lease.state != leases.ARMED or lease.split is None or shown is None or self._sight.failure:
            return
        what = deviation.deviation(self._armed, shown, lease.split)
        if what == deviation.HEALTH and not shown.healthy(lease.stable):
            return  # weights are as they were set: what is left of stable's part nobody but canary can have
        if what == deviation.HEALTH and self._rearm(lease, "members came or went"):
            self._corrections += 1
        elif what == deviation.FOREIGN:
            self._answer(lease, shown, t)

    def _answer(self, lease: leases.Lease, shown: Traffic, t: float) -> None:
        above = shown.split.get(lease.canary, 0.0) > (lease.split or {}).get(lease.canary, 0.0)
        policy = str(self.terms.get("on_foreign_change") or deviation.ON_FOREIGN_ROLLBACK)
        done = deviation.answer(self._answered_at, t, policy, above)
        if done == deviation.PUT_BACK:
            if self._rearm(lease, "somebody else set %s" % dict(shown.split)):
                self._answered_at = t
                self._found(shown, put_back=True)
        elif done == deviation.END:
            self._found(shown, put_back=False)
            self.end("somebody else changed the split again, to %s" % dict(shown.split))
        else:
            self._answered_at = t
            if not self._foreign or self._foreign[-1].put_back or self._foreign[-1].shown != shown.split:
                self._found(shown, put_back=False)

    def _found(self, shown: Traffic, put_back: bool) -> None:
        number = self._foreign[-1].number + 1 if self._foreign else 1
        foreign = Foreign(number, self._means.now(), dict(shown.split), put_back)
        self._foreign = [*self._foreign, foreign][-FOREIGN_KEPT:]
        done = "put back" if put_back else "not put back"
        self._means.log("%s: somebody else set %s: %s" % (self.record.name, dict(shown.split), done))

    def _rearm(self, lease: leases.Lease, why: str) -> bool:
        """The same split once more, without a longer hold for it."""
        if lease.split is None or lease.loan is None:
            return False
        t = self._means.clock()
        left = None if lease.loan.most is None else lease.loan.most - t
        try:
            self._armed = self._apply(leases.Arm(lease.epoch, lease.split, t, left)).traffic
        except (RouterError, RecordError, leases.LeaseError) as error:
            self._sight.failure = "%s, and it could not be put right: %s" % (why, error)
            return False
        return True

    def _weigh(self, t: float) -> None:
        """The reflex: does canary fail so hard that nobody needs to be asked?"""
        lease = self.lease
        canary, stable = self._sight.counted(lease.canary), self._sight.counted(lease.stable)
        if self._reflex is None or self._weighed is None or lease.state != leases.ARMED or not lease.split:
            return
        alone = lease.split.get(lease.stable, 0.0) == 0
        self._weighed, reason = self._reflex.weigh(self._weighed, canary, stable, t, alone)
        if reason:
            self.end("reflex: %s" % reason)

    def _bring_to_its_end(self, t: float) -> None:
        lease = self.lease
        due = lease.state == leases.STUCK or (lease.lives and lease.loan is not None and lease.loan.over(t))
        if not due or t < self._again:
            return
        silent = t - self._renewed_at >= WATCHED_SECONDS or self.carrier is None
        try:
            applied = self._apply(leases.Tick(t))
        except Sick as error:
            self._again = t + AGAIN_SECONDS
            self._stay(lease, str(error), t, silent)
        except (RouterError, RecordError) as error:
            self._again = t + AGAIN_SECONDS
            self._shout("REVERT NOT DONE, tried again: %s" % error, t)
        else:
            self._means.log("%s: %s: %s" % (self.record.name, self.lease.state, self.lease.reason))
            if applied.unsaved:
                self._means.log("%s: and it could not be recorded: %s" % (self.record.name, applied.unsaved))
            if silent:
                self._means.page(self.record, self.lease.state)

    def _close_left(self, t: float) -> None:
        """The sessions that were under way at canary when it was taken back."""
        if not self._closing.owed(self.lease):
            return
        self._sight.look(t)
        shown = None if self._sight.failure else self._sight.traffic
        if not self._closing.due(self.lease, shown.sessions(self.lease.canary) if shown else None, t):
            return
        try:
            self.record, closed = close(self._means.store, self._driver, self.record)
        except (RouterError, RecordError) as error:
            self._means.log("%s: sessions at %s go on: %s" % (self.record.name, self.lease.canary, error))
        else:
            self._means.log("%s: %d sessions at %s were closed" % (self.record.name, closed, self.lease.canary))

    def _stay(self, lease: leases.Lease, why: str, t: float, silent: bool) -> None:
        """Stable cannot take the traffic: stay, shout, and try again."""
        self._shout("STUCK, tried again: %s" % why, t)
        if lease.state == leases.STUCK or lease.loan is None:
            return
        self.end(lease.loan.over(t))
        try:
            self._apply(leases.Stuck(why))
        except (RouterError, RecordError) as error:
            self._means.log("%s: and it could not be recorded: %s" % (self.record.name, error))
            self._pure(leases.Stuck(why))
        if silent:
            self._means.page(self.record, leases.STUCK)

    def _shout(self, text: str, t: float) -> None:
        if text != self._said or t - self._said_at >= SAY_AGAIN_SECONDS:
            self._means.log("%s: %s" % (self.record.name, text))
            self._said, self._said_at = text, t

    # --- the ways of an event

    def _pure(self, event: leases.Event) -> None:
        """One that is the lease's alone: nothing at the router or on disk."""
        self.recall()
        lease, dummy = leases.handle(self.lease, event)
        self.record = replace(self.record, lease=lease)

    def _apply(self, event: leases.Event, order: Optional[Order] = None) -> Applied:
        given = order or Order(self.record.environment, self.record.name, event, self._means.now())
        given = replace(given, remembered=self.record)
        applied = apply(self._means.store, self._driver, self._means.gate, given)
        self.record, self._sight.traffic = applied.record, applied.traffic
        if not self.lease.lives:
            self._rests.end()
        return applied
