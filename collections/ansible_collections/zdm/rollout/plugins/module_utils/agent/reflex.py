# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reflex: does canary fail so hard at this router that nobody needs to be asked?

Rules of this room: pure; state is JSON, time is an argument. It says why, and what is done about it is the guard's: it
knows whether stable can take all traffic.

Theory of operation. A guard sees its own router only, but sees it ten times a second, and needs neither the watch
nor the network. It judges by the hard-fail evidence of the judge (``judge/hard_fail.py``), which holds canary against
stable at the same router in the same time. Small differences are none of its business: they are the watch's.

How alpha is shared. A rollout may go back by mistake with a probability of alpha (5e-4), whoever makes the mistake.
Half of it is the watch's, which sees the counts of all routers; the other half is shared equally by the guards, as any
one of them takes all others back (``share_of``). By the union bound all together then err with at most alpha. This is
cheap: ten guards instead of one cost ln 10 = 2.3 nats, which at a total failure are about two more failed requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from typing import Tuple

from ..judge import Counts, HardFail
from ..judge.hard_fail import counts_of
from ..judge.threshold import State

#: Seconds between restarts of the evidence: ten samples.
RESTART = 1.0
#: Seconds that a rollout is taken to last where nobody knows better; a longer one is watched no less, at a small price.
HORIZON = 4 * 3600.0


def share_of(alpha: float, guards: int) -> float:
    """One guard's part of a rollout's ``alpha``: half of it is the watch's, the rest is shared by ``guards`` >= 1."""
    return alpha / 2.0 / guards


@dataclass(frozen=True)
class Reflex:
    """``alpha``: how probable it may be, ever, that this guard errs (its own part: ``share_of``).

    ``dispersion`` >= 1: in groups of how many tries succeed or fail together. ``min_failures``: with fewer it never
    fires. ``horizon``: seconds that the rollout is about to take.
    """

    alpha: float = 5e-4
    dispersion: float = 2.0
    min_failures: int = 5
    horizon: float = HORIZON

    def start(self) -> State:
        """The state before the first sample."""
        return self._evidence.start()

    def weigh(self, state: State, canary: Counts, stable: Counts, t: float, alone: bool = False) -> Tuple[State, str]:
        """The state after a sample, and why canary must go; '' while it may stay.

        The counts are those since the last sample; ``t`` in seconds of a clock that does not go back. ``alone``: canary
        has 100 %, and is held against what stable had before.
        """
        after = self._evidence.weigh(state, canary, stable, t, alone)
        log_e, wanted = self._evidence.log_e(after), -log(self.alpha)
        failing, others = counts_of(after["rise"])
        if failing.failures < self.min_failures or log_e < wanted:
            return after, ""
        if alone:
            others = Counts(*after["baseline"])
        return after, "canary failed %s, stable %s%s; evidence %s, wanted %s" % (
            _of(failing, "requests"),
            _of(others),
            " before the switch" if alone else "",
            _odds(log_e),
            _odds(wanted),
        )

    @property
    def _evidence(self) -> HardFail:
        return HardFail(self.dispersion, self.horizon, RESTART)


def _of(counts: Counts, noun: str = "") -> str:
    return ("%d of %d %s" % (counts.failures, counts.requests, noun)).rstrip()


def _odds(nats: float) -> str:
    """Evidence for people: how improbable it is without a fault of canary."""
    if nats < log(1e7):
        return "1 : %d" % round(exp(nats))
    return "1 : 10^%d" % int(nats / log(10.0))
