# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service in the file that its upstream includes: the split that its weights give, and the weights for another one.

nginx has no name for a server but its address and port, so that is how members are found. A server that its operator
has marked ``down`` while others of its pool are not stays so, and counts as one that is down.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from functools import reduce
from math import gcd
from typing import Dict, List

from .. import _split
from .._files import write_whole
from . import _nginx_running as running
from . import _nginx_servers as lines
from ._nginx_process import Generation
from ._nginx_servers import endpoint_of
from .api import DOWN, TRIED, UNCHECKED, Change, MemberState, Service, Sick, Unsupported, Wanted

NAME = re.compile(r"[A-Za-z0-9_.:-]+\Z")


class Weights:
    """A service in its file at one moment, with the nginx that runs."""

    def __init__(self, service: Service, generation: Generation) -> None:
        self.generation = generation
        self.upstream = _option(service, "upstream", service.name)
        if not NAME.match(self.upstream):
            raise Unsupported(
                "upstream of service %s is %r: expected an upstream's name" % (service.name, self.upstream)
            )
        self.path = os.path.realpath(_option(service, "file"))
        self.shown = running.shown(self.path, generation)
        self._pools = {
            pool: {endpoint_of(member): member.name for member in members} for pool, members in service.pools.items()
        }
        text = self.shown.running if self.shown.running is not None else self.shown.file
        self._running, self._file = self._of(text), self._of(self.shown.file)
        self.parts = self._parts()

    def split(self) -> Dict[str, float]:
        """What the weights that run give; of those in the file where that is not known."""
        return _split.achieved(
            {pool: {name: server.weight for name, server in known.items()} for pool, known in self._running.items()}
        )

    def members(self) -> List[MemberState]:
        found = []
        for pool, known in self._running.items():
            for endpoint, server in known.items():
                part = self.parts.get(endpoint, 1)
                passive = UNCHECKED if "max_fails=0" in server.words else TRIED
                health = passive if part else DOWN
                found.append(MemberState(self._pools[pool][endpoint], pool, health, server.weight, base=part))
        return found

    def warnings(self) -> List[str]:
        if self.shown.running is None:
            return [
                "%s was changed after nginx's workers were started, so what runs is not known: reload nginx, or let a "
                "rollout do it" % self.path
            ]
        if not self.shown.in_force:
            return ["%s says something else than what runs: the next reload of nginx brings it about" % self.path]
        return []

    def target(self, wanted: Wanted) -> Dict[str, int]:
        """The weights by endpoint; Sick where a pool with a share has nobody, Unsupported where it cannot be held."""
        takers = {
            pool: {name: self.parts[name] for name in known if self.parts[name]} for pool, known in self._file.items()
        }
        for pool, share in wanted.split.items():
            if share > 0 and not takers.get(pool):
                raise Sick(
                    "pool %s is to get %s %% of upstream %s, and none of its members is there (%s): add them to %s, or "
                    "remove the word `down` of one"
                    % (pool, _split.percent(share), self.upstream, ", ".join(self._pools.get(pool, ())), self.path)
                )
        allotted = _split.allot(wanted.split, takers, lines.TOP)
        got = _split.achieved(allotted)
        if not _split.can_hold(got, wanted.split):
            raise Unsupported(
                "upstream %s cannot hold %s: the nearest that whole weights from 0 to %d give is %s"
                % (self.upstream, _split.describe(wanted.split), lines.TOP, _split.describe(got))
            )
        weights = {name: allotted[pool].get(name, 0) for pool, known in self._file.items() for name in known}
        # 19 and 1 are what 988 and 52 are, and people read them.
        common = reduce(gcd, weights.values(), 0) or 1
        return {name: weight // common for name, weight in weights.items()}

    def changes(self, wanted: Wanted) -> List[Change]:
        if self._settled(wanted):
            return []
        target = self.target(wanted)
        found = []
        for pool, known in self._file.items():
            for name in known:
                before = self._running[pool][name].weight if name in self._running[pool] else 0
                if target[name] != before:
                    thing = "weight of server %s in %s" % (name, self.path)
                    found.append(Change(thing, str(before), str(target[name])))
        return found or [Change("what nginx runs", "older than %s, or not known" % self.path, "as it says")]

    def keep(self, text: str, generation: Generation) -> None:
        """Note what runs now. Without it that is worked out from the workers' age, so a full disk stops nothing."""
        with suppress(OSError):
            running.keep(self.path, running.Note(text, generation, self.parts))

    def replace(self, text: str) -> None:
        """The file with this text, whoever's it is and may read it as before."""
        if self.shown.in_force:
            # Or, should nginx refuse it, a file that was put back would be younger than the workers that run it.
            self.keep(self.shown.file, self.generation)
        try:
            status = os.stat(self.path)
            write_whole(self.path, text, status.st_mode & 0o777, 0o755)
            if os.geteuid() == 0:
                os.chown(self.path, status.st_uid, status.st_gid)
        except OSError as error:
            raise Unsupported(
                "the file of nginx's servers %s cannot be written: %s. Run the agent as a user who may (--become)"
                % (self.path, error.strerror)
            ) from error

    def _settled(self, wanted: Wanted) -> bool:
        split = self.split()
        idle = all(
            server.weight == 0
            for pool, known in self._running.items()
            if not wanted.split.get(pool)
            for server in known.values()
        )
        return self.shown.in_force and idle and _split.can_hold(split, wanted.split)

    def _of(self, text: str) -> Dict[str, Dict[str, lines.Server]]:
        there = {server.endpoint: server for server in lines.of(text)}
        return {pool: {name: there[name] for name in known if name in there} for pool, known in self._pools.items()}

    def _parts(self) -> Dict[str, int]:
        """As zdm found them, as long as the file is what zdm wrote; else as they stand in it."""
        found: Dict[str, int] = {}
        for known in self._file.values():
            found.update(lines.parts(known))
        note = self.shown.note
        if note and note.text == self.shown.file:
            found.update({name: part for name, part in note.parts.items() if name in found})
        return found


def _option(service: Service, name: str, default: str = "") -> str:
    value = service.options.get(name) or default
    if not isinstance(value, str) or not value:
        raise Unsupported(
            "zdm_router.services.%s.%s is %r: expected %s"
            % (service.name, name, value, "the file that upstream includes, with its `server` lines")
        )
    return value
