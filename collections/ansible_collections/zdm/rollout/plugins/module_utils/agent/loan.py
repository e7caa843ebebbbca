# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loan: how long canary may keep its share without a sign of life from the run that gave it.

Rules of this room: pure. ``t`` is the guard's own time in seconds, on a clock that runs on while the machine sleeps.

Theory of operation. Every reply of the guard carries its time; a renewal brings the newest of them back (the *echo*),
and the loan ends ``ttl`` seconds after that. So a renewal that lay somewhere on its way for a while is worth only what
is left of it, and the clocks of the two machines are never compared. When the connection that last renewed ends, the
loan ends within a second: time enough for another connection to renew it, and no more. A *parked* loan is the other
way round: nobody is meant to be there, so it ends at its time, whoever comes, renews or leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

#: How long a loan lasts after the connection that renewed it has ended, in seconds.
GRACE_SECONDS = 1.0


class LoanError(Exception):
    """A renewal that makes no sense; the text says why."""


@dataclass(frozen=True)
class Loan:
    """``expires``: when it ends unless it is renewed, ``lapse``: why it will have ended then.

    ``most``: when it ends though it is renewed. ``ending``: why it has ended already, whatever the time.
    ``unattended``: it is parked.
    """

    expires: float
    lapse: str
    most: Optional[float] = None
    ending: str = ""
    unattended: bool = False

    @classmethod
    def given(cls, ttl: float, t: float) -> Loan:
        """A new one, from now on."""
        return cls(t + ttl, _silence(ttl))

    @classmethod
    def left_behind(cls, t: float) -> Loan:
        """Of a lease that is in the record of a guard which died: it is over."""
        return cls(t, "the guard that minded it has died")

    def over(self, t: float) -> str:
        """Why it is over now, for people; empty while it is not."""
        if self.ending:
            return self.ending
        if t >= self.expires:
            return self.lapse
        return "the split was in force for longer than was meant" if self.most is not None and t >= self.most else ""

    def renewed(self, ttl: float, echo: float, t: float) -> Loan:
        """With the time that a renewal brought back; LoanError for one that has not been yet."""
        if echo > t:
            raise LoanError(
                "a renewal with the time %.3f, and it is %.3f: expected one that a reply brought" % (echo, t)
            )
        if self.unattended or echo + ttl <= self.expires:
            return self
        return replace(self, expires=echo + ttl, lapse=_silence(ttl))

    def until(self, max_hold: Optional[float], t: float) -> Loan:
        """With a new end for what is armed now, in ``max_hold`` seconds."""
        if self.unattended:
            return self
        return replace(self, most=None if max_hold is None else t + max_hold)

    def parked(self, seconds: float, t: float) -> Loan:
        """For so long, with nobody there."""
        lapse = "it was parked for %g s, and nobody took it up" % seconds
        return replace(self, expires=t + seconds, lapse=lapse, most=None, unattended=True)

    def left(self, t: float) -> Loan:
        """The connection that last renewed it has ended."""
        if self.unattended or t + GRACE_SECONDS >= self.expires:
            return self
        return replace(self, expires=t + GRACE_SECONDS, lapse="the controller's connection ended")

    def ended(self, reason: str) -> Loan:
        """It ends now, for this reason; the first one stays."""
        return self if self.ending else replace(self, ending=reason)


def _silence(ttl: float) -> str:
    return "nobody renewed the lease for %g s" % ttl
