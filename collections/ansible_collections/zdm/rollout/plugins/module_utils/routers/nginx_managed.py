# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx whose files for a service are zdm's own (``{type: nginx, mode: managed}``), set up by the module ``service``.

The split of a service is a directory of empty files behind a link that is swapped by a rename: no reload, no request
lost, in force with the next request, also on a connection kept alive, and what runs is what a restart reads. Workers
are asked what they see of it, at a socket of zdm's own. Only the set-up and a change of members reload nginx.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import AbstractSet, Any, Dict, FrozenSet, List, Mapping, Tuple

from . import _nginx_documents as documents
from . import _nginx_share as share
from ._nginx_connections import NO_CLOSE
from ._nginx_files import CONFIG, LOGS, Files
from ._nginx_log import AccessLog
from ._nginx_process import NginxProcess
from ._nginx_servers import endpoint_of
from ._nginx_setup import Setup
from ._nginx_status import Asked, Status
from .api import (
    DOWN,
    TRIED,
    Change,
    Counters,
    MemberState,
    NotInForce,
    RouterError,
    Service,
    Times,
    Traffic,
    Unsupported,
    Wanted,
)

PROMISES = (
    "the split is random for each request: of 1,000 requests a share of 5 % gets 36 to 64 (19 times of 20)",
    "nginx checks no member by itself: a guard asks them while it has a lease, and leaves out one of a pool that is "
    "not well; at all times nginx leaves one out for 5 s once it failed three times",
    "another set of members needs a reload, which closes connections that are kept alive; another split does not",
)


@dataclass(frozen=True)
class _Look:
    """What is on disk and what a worker sees of it. ``names``: the files of the share; ``runs``: the version of the
    documents that runs."""

    document: str
    names: FrozenSet[str]
    runs: str
    parts: Mapping[str, int]
    targets: Mapping[str, str]
    members: Mapping[str, Mapping[str, str]]

    def disk(self, service: Service) -> Tuple[Dict[str, int], Dict[str, str]]:
        """What the files say."""
        return _said(service, self.names)


class NginxManaged:
    """The driver. ``definition`` is ``zdm_router``: ``config`` and ``logs`` (directories), ``binary``, ``nginx_conf``,
    ``prefix``, ``pid_file``."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        config = str(definition.get("config") or CONFIG).rstrip("/")
        self._definition = definition
        self._files = Files(config, str(definition.get("logs") or LOGS).rstrip("/"))
        self._status = Status(self._files.socket)
        self._logs: Dict[str, AccessLog] = {}

    def read(self, service: Service) -> Traffic:
        return self._traffic(service, self._look(service), self._left())

    def observe(self, service: Service) -> Tuple[Traffic, Dict[str, Counters]]:
        return self._traffic(service, self._look(service), []), self.counters(service)

    def counters(self, service: Service) -> Dict[str, Counters]:
        counted = self._log(service).counters()
        return {
            member.name: counted.get(endpoint_of(member)) or Counters(requests=0, failures=0)
            for members in service.pools.values()
            for member in members
        }

    def times(self, service: Service) -> Times:
        measured = self._log(service).times()
        return Times(
            {
                pool: [each for member in members for each in measured.get(endpoint_of(member), ())]
                for pool, members in service.pools.items()
            }
        )

    def changes(self, service: Service, wanted: Wanted) -> List[Change]:
        return self._changes(service, wanted, self._known(service))

    def write(self, service: Service, wanted: Wanted) -> None:
        if self._changes(service, wanted, self._known(service)):
            self._bring(service, wanted)

    def revert(self, service: Service, stable: str) -> None:
        """The directory is there since the service was made known: one rename."""
        split = {pool: 100.0 if pool == stable else 0.0 for pool in service.pools}
        self._bring(service, Wanted(split=split, stable=stable))

    def verify(self, service: Service, wanted: Wanted) -> Traffic:
        look = self._look(service)
        expected = _meant(service, wanted)
        if look.disk(service) != expected:
            raise NotInForce(
                "nginx does not split %s as wanted: expected %s, and %s is %s. Somebody else may have changed it"
                % (
                    service.name,
                    share.name(*expected),
                    self._files.current(service.name),
                    share.name(*look.disk(service)),
                )
            )
        if (look.parts, look.targets) != expected:
            raise NotInForce(
                "nginx does not see the share of %s that is in %s: expected %s, a worker sees %s. Either its user may "
                "not pass that directory, or it has an open_file_cache"
                % (
                    service.name,
                    self._files.current(service.name),
                    share.name(*expected),
                    share.name(look.parts, look.targets),
                )
            )
        return self._traffic(service, look, [])

    def leave_out(self, service: Service, members: AbstractSet[str]) -> None:
        """By a file for each, which the next request heeds; nginx's configuration has what is left of their pools."""
        names = {documents.rest_name(service, name) for name in members}
        self._files.leave_out(service.name, {name for name in names if name})

    def close(self, service: Service, pool: str) -> None:
        raise Unsupported(NO_CLOSE % pool)

    def define(self, service: Service, initial: str, check: bool = False) -> List[Change]:
        """Make the service known: its shares, its documents; whether or not nginx runs. With ``check`` only say what.

        A split that is there is kept; without one all goes to the pool ``initial``. nginx is reloaded only where its
        configuration is another one afterwards. Raises RouterError.
        """
        return self._setup().define(service, initial, check)

    def detach(self, service: Service, check: bool = False) -> List[Change]:
        """Leave the service to its operator: the split that is there stands in its configuration from now on, without
        rules, and there is no directory. ``define`` takes it back, with that split."""
        return self._setup().detach(service, check)

    def _setup(self) -> Setup:
        return Setup(self._definition, self._files, self._status, self._process())

    def _process(self) -> NginxProcess:
        """The one that the definition names, or that the role runs, or else the only one that there is: it can have
        included our files where there are some."""
        files = self._files
        included = files.text(files.main) is None and files.text(files.common) is not None
        return NginxProcess.of({**({} if included else {"nginx_conf": files.main}), **self._definition})

    def _log(self, service: Service) -> AccessLog:
        if service.name not in self._logs:
            path = self._files.log(service.name)
            self._logs[service.name] = AccessLog(path, service.name, owners=self._owners())
        log = self._logs[service.name]
        try:
            log.read()
        except Unsupported:
            del self._logs[service.name]  # nginx may run as another user since
            raise
        return log

    def _owners(self) -> List[int]:
        """Who may own the logs: the users that nginx's processes run as."""
        found = []
        with contextlib.suppress(RouterError, OSError):
            process = self._process()
            found = [os.stat("/proc/%d" % pid).st_uid for pid in [process.master(), *process.workers()]]
        return found

    def _left(self) -> List[str]:
        with contextlib.suppress(RouterError, OSError):
            return [
                "nginx's %s, still answers what was asked before a reload; everything new goes by the new configuration"
                % (str(old),)
                for old in self._process().old_workers()
            ]
        return []

    def _known(self, service: Service) -> FrozenSet[str]:
        """The files of the share in force."""
        names = self._files.names(service.name)
        if names is None:
            document = self._on_disk(self._files.service(service.name))
            if documents.static_parts(document, list(service.pools)):
                raise Unsupported(
                    "the split of service %s stands in %s, which zdm has left to its operator: make it known again "
                    "with the module zdm.rollout.service" % (service.name, self._files.service(service.name))
                )
            raise Unsupported(
                "nginx has no share of service %s in %s: make it known with the module zdm.rollout.service"
                % (service.name, self._files.shares(service.name))
            )
        return names

    def _look(self, service: Service) -> _Look:
        names = self._known(service)
        document = self._on_disk(self._files.service(service.name))
        cached = documents.cached(document)
        if cached:
            raise Unsupported(
                "%s has '%s', so that nginx would go on with a share of before: take it out there, or make the service "
                "known again with the module zdm.rollout.service" % (self._files.service(service.name), cached)
            )
        members = {
            pool: documents.members_of(self._on_disk(self._files.pool(service.name, pool))) for pool in service.pools
        }
        runs, parts, targets = self._seen(service, names)
        if (parts, targets) != _said(service, names) and self._known(service) != names:
            return self._look(service)  # it was changed in between
        return _Look(document, names, runs, parts, targets, members)

    def _seen(self, service: Service, names: FrozenSet[str]) -> Tuple[str, Dict[str, int], Dict[str, str]]:
        """The version that runs, and what a worker sees: at the edges of the share, where it would be another."""
        pools = sorted(service.pools)
        first, second = share.pair(pools)
        last, beyond = share.edges(share.buckets_of(names, second))
        parts, targets = share.parts_of(names, pools), share.targets_of(names, pools)
        taken = set(share.buckets_of(names, second)) if first != second else set()
        # The ends too: a cache of the share of before would show there.
        buckets = [each for each in (last, beyond, 0, share.SCALE.top - 1) if each is not None]
        questions = {Asked(bucket): second if bucket in taken else first for bucket in buckets}
        for name, pool in targets.items():
            bucket = beyond if pool == second and beyond is not None else last
            questions[Asked.of_set(bucket, name)] = pool
        runs, *answers = self._status.pools(service, list(questions))
        wrong = [asked for (asked, pool), seen in zip(questions.items(), answers) if pool != seen]
        if any(not asked.match and not asked.preview for asked in wrong):
            parts = self._counted(service)
        seen_targets = {
            name: pool for name, pool in targets.items() if not any(getattr(asked, name) for asked in wrong)
        }
        return runs, parts, seen_targets

    def _counted(self, service: Service) -> Dict[str, int]:
        """The parts by what a worker says of all buckets."""
        first, second = share.pair(sorted(service.pools))
        asked = [Asked(bucket) for bucket in range(share.SCALE.top)]
        taken = sum(1 for pool in self._status.pools(service, asked)[1:] if pool == second)
        return {first: share.SCALE.top - taken, second: taken}

    def _traffic(self, service: Service, look: _Look, left: List[str]) -> Traffic:
        resting = self._files.left_out(service.name)
        members = [
            MemberState(name, pool, DOWN if documents.rest_name(service, name) in resting else TRIED, look.parts[pool])
            for pool, known in sorted(look.members.items())
            for name in known
        ]
        return Traffic(
            members=tuple(members),
            split={pool: 100.0 * part / share.SCALE.top for pool, part in look.parts.items()},
            scale=share.SCALE,
            durable="yes",
            promises=PROMISES,
            warnings=(*self._warnings(service, look), *left),
            rules=look.targets if documents.has_rules(look.document, service) else None,
        )

    def _warnings(self, service: Service, look: _Look) -> List[str]:
        found = []
        if (look.parts, look.targets) != look.disk(service):
            found.append(
                "a worker of nginx sees another share than the one in %s: it may not pass that directory, or has a "
                "cache of it" % self._files.current(service.name)
            )
        if documents.version(look.document) != look.runs:
            found.append(
                "%s is not what runs (version %s): a reload or restart of nginx would read it; make the service known "
                "with the module zdm.rollout.service" % (self._files.service(service.name), look.runs)
            )
        return found

    def _changes(self, service: Service, wanted: Wanted, names: FrozenSet[str]) -> List[Change]:
        parts, targets = _meant(service, wanted)
        if names == share.files(parts, targets):
            return []
        path = self._files.current(service.name)
        return [Change(path, self._files.in_force(service.name), share.name(parts, targets))]

    def _bring(self, service: Service, wanted: Wanted) -> None:
        parts, targets = _meant(service, wanted)
        before = self._files.in_force(service.name)
        made = self._files.made(service.name, share.name(parts, targets), share.files(parts, targets))
        self._files.bring(service.name, made)
        # A worker may be on its way through the directory of before.
        backs = self._backs(service)
        self._files.prune(service.name, {before, *backs})
        for back in backs:
            self._files.spare(service.name, back)

    def _backs(self, service: Service) -> List[str]:
        """The directories of the shortest ways back, which stay."""
        found = []
        for pool in service.pools:
            split = {each: 100.0 if each == pool else 0.0 for each in service.pools}
            found.append(share.name(*_meant(service, Wanted(split=split, stable=pool))))
        return found

    def _on_disk(self, path: str) -> str:
        """What a file says; nothing where it cannot be read, because traffic has to go back on a broken disk too."""
        with contextlib.suppress(Unsupported):
            return self._files.text(path) or ""
        return ""


def _meant(service: Service, wanted: Wanted) -> Tuple[Dict[str, int], Dict[str, str]]:
    """Parts and targets; Unsupported where it is no split of this service."""
    try:
        return share.weights(service, wanted.split), wanted.targets(service)
    except ValueError as error:
        raise Unsupported("%s; nothing was changed" % error) from error


def _said(service: Service, names: FrozenSet[str]) -> Tuple[Dict[str, int], Dict[str, str]]:
    """Parts and targets by the names of the files."""
    pools = list(service.pools)
    return share.parts_of(names, pools), share.targets_of(names, pools)
