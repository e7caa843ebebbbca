# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's access log as it is being written: counters and times of a service's servers, from the first look on.

Theory of operation. A look (``read``) takes what came since the one before (``_log_file.py``) and counts it
(``_nginx_lines.py``); the other methods say what was counted. There is no thread: who looks, pays. The first look
begins at the end of the log, and so does one after IDLE_SECONDS without any: counts then begin at zero, as after a
restart of a proxy.

The log decides rollouts, so nobody else may write to it: it and its directory have to belong to root, to the user that
reads it or to one of ``owners``, and neither group nor others may write. ``owners`` is for the user that nginx's
workers run as: at the signal USR1 nginx's master gives the new log to that user. Who is that user decides where each
request goes anyway; but where other programs run as it too (``www-data``), they can write to the log as well.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from typing import Callable, Collection, Dict, List, Optional

from ._log_file import LogFile
from ._nginx_lines import NAME, Totals
from .api import Bin, Counters, Unreachable, Unsupported

#: After so long without a look nobody waits for what came meanwhile.
IDLE_SECONDS = 60.0


class AccessLog:
    """The log at ``path``, in the format of ``_nginx_lines.FORMAT``; of the lines, those of ``service``.

    ``owners``: user ids beside root's and the own that may own the log. All methods may be called from any thread.
    """

    def __init__(
        self, path: str, service: str, owners: Collection[int] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._service = service
        self._owners = frozenset({0, os.geteuid(), *owners})
        self._clock = clock
        self._lock = threading.Lock()
        self._file = LogFile(path, self._examine, clock)
        self._totals = Totals(service)
        self._looked_at: Optional[float] = None

    def read(self) -> None:
        """Count what came since the last look.

        Unreachable where the log is not there or cannot be read; Unsupported, with the reason, where somebody else
        could write to it. Both begin anew afterwards.
        """
        with self._lock:
            t = self._clock()
            if self._looked_at is not None and t - self._looked_at > IDLE_SECONDS:
                self._begin_anew()
            try:
                self._examine_directory()
                for lines in self._file.read():
                    self._totals.add(lines)
            except OSError as error:
                self._begin_anew()
                raise Unreachable(
                    "nginx's access log %s cannot be read: %s. Expected the file that nginx's access_log names, with "
                    "the format %s, readable for this user" % (self._path, error.strerror, NAME)
                ) from error
            except Unsupported:
                self._begin_anew()
                raise
            self._looked_at = t

    def counters(self) -> Dict[str, Counters]:
        """Tries by the server's address as nginx writes it; only of those that were tried since the first look.

        So who takes differences has to have all others at zero, or the first tries of one are lost. Where a group had
        no server left, its name is the address: these are tries of the pool, at no member.
        """
        with self._lock:
            return self._totals.counters()

    def times(self) -> Dict[str, List[Bin]]:
        """How long the tries took that were answered, by address."""
        with self._lock:
            return self._totals.times()

    def abandoned(self) -> Dict[str, int]:
        """Tries that ended because the client went away, by address; they are in none of the others."""
        with self._lock:
            return self._totals.abandoned()

    @property
    def passed_over(self) -> int:
        """Lines that could not be read."""
        return self._totals.passed_over

    def close(self) -> None:
        """The next look is a first one."""
        with self._lock:
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._file.close()
        self._totals = Totals(self._service)
        self._looked_at = None

    def _examine(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise Unsupported("nginx's access log %s is no ordinary file: expected one" % self._path)
        self._examine_writers("nginx's access log " + self._path, found)

    def _examine_directory(self) -> None:
        directory = os.path.dirname(os.path.abspath(self._path))
        self._examine_writers("the directory %s of nginx's access log" % directory, os.stat(directory))

    def _examine_writers(self, thing: str, found: os.stat_result) -> None:
        """Unsupported where somebody else could write to it."""
        if found.st_uid not in self._owners:
            raise Unsupported(
                "%s belongs to the user id %d, who could forge what decides a rollout: expected one of %s; give it to "
                "root" % (thing, found.st_uid, ", ".join(map(str, sorted(self._owners))))
            )
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            mode = stat.S_IMODE(found.st_mode)
            raise Unsupported(
                "%s has the mode %04o, so that others could forge what decides a rollout: expected %04o; take away the "
                "right to write from group and others" % (thing, mode, mode & ~0o022)
            )
