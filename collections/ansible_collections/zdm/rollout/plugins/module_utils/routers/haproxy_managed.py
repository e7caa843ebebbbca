# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy whose configuration is zdm's own (``{type: haproxy, mode: managed}``), set up by the module ``service``.

The split of a service is one word of the share map. It is written to the map's file first, so that a reload or a
restart reads it, and then ordered of every worker through the master socket: after a reload an old one goes on with the
connections it has. No reload, no request lost, in force with the next request, also on a connection kept alive.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import AbstractSet, Any, Dict, List, Mapping, Optional, Tuple

from . import _haproxy_documents as documents
from . import _haproxy_share as share
from . import _haproxy_stat as stat
from ._haproxy_files import Files
from ._haproxy_log import Follower
from ._haproxy_master import Master
from ._haproxy_orders import Orders
from ._haproxy_setup import Setup
from ._haproxy_totals import Totals
from .api import (
    DOWN,
    UNCHECKED,
    Change,
    Counters,
    MemberState,
    NotInForce,
    Service,
    Times,
    Traffic,
    Unsupported,
    Wanted,
)

CONFIG = "/etc/zdm/haproxy"

PROMISES = (
    "the split is random for each request: of 1,000 requests a share of 5 % gets 36 to 64 (19 times of 20)",
    "requests that find no healthy member in their pool are answered 503 by HAProxy itself and count at no member",
)

#: What one worker shows: the service's words in its map, and the rows of its servers.
Shown = Tuple[List[str], List[stat.Row]]


@dataclass(frozen=True)
class _Look:
    """What all workers show; ``pid`` is the one that takes new connections. ``document``: the service's, on disk."""

    pid: str
    workers: Mapping[str, Shown]
    document: str

    @property
    def words(self) -> List[str]:
        return self.workers[self.pid][0]

    @property
    def rows(self) -> List[stat.Row]:
        return self.workers[self.pid][1]

    @property
    def sessions(self) -> Dict[str, int]:
        """Under way at each server, by any worker."""
        found: Dict[str, int] = {}
        for dummy, rows in self.workers.values():
            for row in rows:
                found[row["svname"]] = found.get(row["svname"], 0) + stat.sessions(row)
        return found

    def strays(self, word: str) -> Dict[str, str]:
        """The workers that do not have this word alone, and what they have."""
        return {
            pid: " and ".join(words) or "none"
            for pid, (words, rows) in self.workers.items()
            if rows and set(words) != {word}
        }


class HaproxyManaged:
    """The driver. ``definition`` is ``zdm_router``: ``config`` (directory), ``master``, ``socket``, ``binary``."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        config = str(definition.get("config") or CONFIG).rstrip("/")
        self._definition = definition
        self._socket = str(definition.get("socket") or config + "/runtime.sock")
        self._master = Master(str(definition.get("master") or config + "/master.sock"))
        self._files = Files(config, str(definition.get("binary") or "haproxy"))
        self._orders = Orders(self._master, self._files.shares)
        self._totals: Dict[str, Totals] = {}
        #: Who follows the log of which worker: at an old one he would hear nothing more, and keep it alive.
        self._followers: Dict[str, Follower] = {}

    def read(self, service: Service) -> Traffic:
        return self._traffic(service, self._look(service))

    def observe(self, service: Service) -> Tuple[Traffic, Dict[str, Counters]]:
        look = self._look(service)
        return self._traffic(service, look), self._counted(service, look)

    def counters(self, service: Service) -> Dict[str, Counters]:
        return self._counted(service, self._look(service))

    def changes(self, service: Service, wanted: Wanted) -> List[Change]:
        return self._changes(service, _word(service, wanted), self._look(service))

    def write(self, service: Service, wanted: Wanted) -> None:
        word = _word(service, wanted)
        if self._changes(service, word, self._look(service)):
            self._save(service, word)
            self._orders.bring(service.name, word)

    def revert(self, service: Service, stable: str) -> None:
        """A disk that takes nothing does not keep traffic from going back; ``read`` then warns of the file."""
        split = {pool: 100.0 if pool == stable else 0.0 for pool in service.pools}
        word = _word(service, Wanted(split=split, stable=stable))
        with contextlib.suppress(Unsupported):
            self._save(service, word)
        self._orders.bring(service.name, word)

    def verify(self, service: Service, wanted: Wanted) -> Traffic:
        look, word = self._look(service), _word(service, wanted)
        strays = look.strays(word)
        if strays:
            told = ", ".join("%s has %s" % stray for stray in sorted(strays.items()))
            raise NotInForce(
                "HAProxy does not split %s as wanted: expected %s of each worker, and %s. Somebody else may have "
                "changed the map %s" % (service.name, word, told, self._files.shares)
            )
        return self._traffic(service, look)

    def times(self, service: Service) -> Times:
        pid = self._master.processes().new[0]
        if pid not in self._followers:  # those of before end by themselves when nobody asks them
            self._followers = {pid: Follower({"ring": documents.RING}, self._socket)}
        return Times(
            {
                pool: self._followers[pid].times(
                    documents.backend_name(service.name, pool), [member.name for member in members]
                )
                for pool, members in service.pools.items()
            }
        )

    def leave_out(self, service: Service, members: AbstractSet[str]) -> None:
        """HAProxy itself does, by its health checks."""

    def close(self, service: Service, pool: str) -> None:
        """Those of old workers too."""
        backend = documents.backend_name(service.name, pool)
        self._orders.close(["%s/%s" % (backend, member.name) for member in service.pools[pool]])

    def define(self, service: Service, initial: str, check: bool = False) -> List[Change]:
        """Make the service known: its line in the map, its configuration; whether or not HAProxy runs. With ``check``
        only say what.

        A split that is there is kept; without one all goes to the pool ``initial``. HAProxy is reloaded only where its
        configuration is another one afterwards. Raises RouterError.
        """
        return self._setup().define(service, initial, check)

    def detach(self, service: Service, check: bool = False) -> List[Change]:
        """Leave the service to its operator: the split that is there stands in its configuration from now on, and there
        is no map. ``define`` takes it back, with that split."""
        return self._setup().detach(service, check)

    def _setup(self) -> Setup:
        return Setup(self._definition, self._master, self._files, self._orders, self._socket)

    def _look(self, service: Service) -> _Look:
        document = self._on_disk(self._files.service(service.name))
        if documents.static_word(document):
            raise Unsupported(
                "the split of service %s stands in %s, which zdm has left to its operator: make it known again with "
                "the module zdm.rollout.service" % (service.name, self._files.service(service.name))
            )
        backends = [documents.backend_name(service.name, pool) for pool in sorted(service.pools)]
        commands = [self._orders.question, *("show stat %s 4 -1" % backend for backend in backends)]
        pid, answers = self._master.ask_all(commands)
        workers: Dict[str, Shown] = {}
        for each, (shown, *stats) in answers.items():
            rows = [row for text in stats for row in stat.parse_stat(text) if row["pxname"] in backends]
            workers[each] = share.shown(shown, service.name), rows
        known = {row["pxname"] for row in workers[pid][1]}
        missing = sorted(set(backends) - known)
        if missing:
            raise Unsupported(
                "HAProxy has no backend %s, so it does not know a pool of service %s: make it known with the module "
                "zdm.rollout.service" % (" and ".join(missing), service.name)
            )
        return _Look(pid, workers, document)

    def _traffic(self, service: Service, look: _Look) -> Traffic:
        parts = share.parse_value(look.words[0]) if look.words else None
        pool_of = {documents.backend_name(service.name, pool): pool for pool in service.pools}
        busy = look.sessions
        members = []
        for row in look.rows:
            pool, name = pool_of[row["pxname"]], row["svname"]
            members.append(MemberState(name, pool, _health(row), (parts or {}).get(pool, 0), sessions=busy[name]))
        known = {**dict.fromkeys(service.pools, 0), **(parts or {})}
        return Traffic(
            members=tuple(members),
            split={pool: 100.0 * part / share.SCALE.top for pool, part in known.items()},
            scale=share.SCALE,
            held=parts is not None,
            durable="yes",
            promises=PROMISES,
            warnings=tuple(self._warnings(service, look)),
            rules=_targets(service, look),
            closes=True,
        )

    def _warnings(self, service: Service, look: _Look) -> List[str]:
        word = look.words[0] if look.words else ""
        found = []
        if share.parse_value(word) is None:
            found.append(
                "the running map has %r for service %s, which is no share: all goes to pool %s until the next change"
                % (word, service.name, min(service.pools))
            )
        if share.values(self._on_disk(self._files.shares), service.name) != [word]:
            found.append(
                "%s is not what runs (%s): a reload or restart of HAProxy would read another split; the next change of "
                "the split puts it right" % (self._files.shares, word or "nothing")
            )
        strays = look.strays(word)
        if strays:
            found.append(
                "worker %s of before a reload has another split (%s): the next change of the split puts it right"
                % (" and ".join(sorted(strays)), ", ".join(strays.values()))
            )
        return found

    def _changes(self, service: Service, word: str, look: _Look) -> List[Change]:
        path = self._files.shares
        text = self._on_disk(path)
        if share.values(text, service.name) != [word]:
            return [Change(path, text, share.with_value(text, service.name, word))]
        strays = look.strays(word)
        return [Change("%s (as it runs, worker %s)" % (path, pid), strays[pid], word) for pid in sorted(strays)]

    def _on_disk(self, path: str) -> str:
        """What a file says; nothing where it cannot be read, because traffic has to go back on a broken disk too."""
        with contextlib.suppress(Unsupported):
            return self._files.text(path) or ""
        return ""

    def _save(self, service: Service, word: str) -> None:
        text = self._files.text(self._files.shares) or ""
        if share.values(text, service.name) != [word]:
            self._files.write(self._files.shares, share.with_value(text, service.name, word))

    def _counted(self, service: Service, look: _Look) -> Dict[str, Counters]:
        seen = {
            pid: {row["svname"]: stat.counters(row) for row in rows if service.pool_of(row["svname"]) is not None}
            for pid, (_words, rows) in look.workers.items()
        }
        return self._totals.setdefault(service.name, Totals()).add(seen)


def _targets(service: Service, look: _Look) -> Optional[Dict[str, str]]:
    """Where the rules lead; None where the configuration has not all of them, so that they would do nothing."""
    if not documents.has_rules(look.document, service):
        return None
    return share.parse_targets(look.words[0] if look.words else "")


def _health(row: stat.Row) -> str:
    """A server that is up because its first check has not ended yet is not checked: the agent asks it then."""
    health = stat.Server(row["svname"], weight=0, initial=0, status=row["status"]).health
    return UNCHECKED if health != DOWN and row.get("check_status") == "INI" else health


def _word(service: Service, wanted: Wanted) -> str:
    try:
        return share.value(share.weights(service, wanted.split), wanted.targets(service))
    except ValueError as error:
        raise Unsupported("%s; nothing was changed" % error) from error
