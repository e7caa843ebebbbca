# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the sessions that a revert has left at canary are closed: a WebSocket, a long download.

Rules of this room: pure. No I/O, no clock. How sessions are counted and closed is the driver's business.

Theory of operation. A revert moves requests, not what is under way: that goes on at canary until it ends. Where the
spec wants it (``on_revert: close``), the guard that lent the share waits for its end, and closes what is left after a
while, once. That is in this guard's memory alone: with a guard that ends, or once another rollout or a person has
moved the split, sessions go on. Nothing is closed that somebody might have begun on purpose.
"""

from __future__ import annotations

from typing import Optional

from . import lease as leases

#: For how long a proxy that says nothing is asked, beyond the time of its sessions.
LATEST_SECONDS = 60.0


class Closing:
    """Of one tenure. ``after`` so many seconds sessions are closed; None: they are kept."""

    def __init__(self, after: Optional[float]) -> None:
        self._after = after
        self._lent = False
        self._since: Optional[float] = None

    def lend(self) -> None:
        """Canary has a share by this guard's hand."""
        self._lent, self._since = self._after is not None, None

    def let_be(self) -> None:
        """Whatever is under way goes on."""
        self._lent = False

    def owed(self, lease: leases.Lease) -> bool:
        """Whether there is an end to wait for, or to make."""
        return self._lent and lease.state == leases.REVERTED

    def due(self, lease: leases.Lease, left: Optional[int], t: float) -> bool:
        """Whether the ``left`` sessions are to be closed at the time ``t``; it is said once.

        None: the proxy does not say how many now. That is waited for, too.
        """
        if not self.owed(lease) or self._after is None:
            return False
        self._since = t if self._since is None else self._since
        over = t - self._since >= self._after
        late = t - self._since >= self._after + LATEST_SECONDS
        if left == 0 or late or (over and left):
            self.let_be()
        return over and bool(left)
