# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line of the share map in the running HAProxy: ordered of every worker, and read back from each.

HAProxy answers a value that it does not take with the same empty line as one that it takes, and a second line of the
same name is made without a word; so what counts is what ``show map`` says afterwards, in each process.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Sequence

from . import _haproxy_share as share
from ._haproxy_master import TRIES, Gone, Master
from .api import NotInForce, Refused

#: The answer of a worker whose configuration has no such map: it serves none of our services.
NO_MAP = "Unknown map identifier"
#: The answer of a worker that has no such server: nothing of it is under way there.
NO_SERVER = ("No such server", "No such backend")


class Orders:
    """Orders for the map at ``path``, which is its name at HAProxy too."""

    def __init__(self, master: Master, path: str) -> None:
        self._master, self.path = master, path

    @property
    def question(self) -> str:
        return "show map %s" % self.path

    def bring(self, key: str, word: str) -> None:
        """``key`` says ``word`` in all workers, those that a reload makes meanwhile among them. Refused, NotInForce."""
        done = set()
        for dummy in range(TRIES):
            left = [pid for pid in self._master.processes().all if pid not in done]
            if not left:
                return
            for pid in left:
                try:
                    self._bring(pid, key, word)
                except Gone:
                    continue
                done.add(pid)

    def close(self, servers: Sequence[str]) -> None:
        """End what is under way at these, each ``backend/server``, in all workers. Refused."""
        orders = ["shutdown sessions server %s" % server for server in servers]
        for pid in self._master.processes().all:
            with suppress(Gone):
                said = [
                    answer for answer in self._master.ask(pid, orders) if answer.rstrip(".") not in ("", *NO_SERVER)
                ]
                if said:
                    raise Refused("HAProxy's worker %s did not take `%s`: %s" % (pid, orders[0], " ".join(said)))

    def _bring(self, pid: str, key: str, word: str) -> None:
        (shown,) = self._master.ask(pid, [self.question])
        before = share.shown(shown, key)
        if shown.startswith(NO_MAP) or (before and set(before) == {word}):
            return
        order = "%s map %s %s %s" % ("set" if before else "add", self.path, key, word)
        answers = self._master.ask(pid, [order, self.question])
        if len(answers) != 2 or answers[0]:
            raise Refused("HAProxy's worker %s did not take `%s`: %s" % (pid, order, " ".join(answers) or "no answer"))
        after = share.shown(answers[1], key)
        if set(after) != {word}:
            raise NotInForce(
                "HAProxy's worker %s answered `%s` without an error, and has %s: expected %s"
                % (pid, order, " and ".join(after) or "no such line", word)
            )
