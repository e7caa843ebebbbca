# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a service known to a managed nginx: its shares, its documents, a reload.

    shares -> documents -> nginx -t -> reload -> a new worker tells our versions, and sees our share

The shares come first, because whoever reads the documents looks for them. nginx tests files where they are; documents
that it refuses, at its test or at the reload, never stay on disk: what was there before is put back, since a restart
would read it. Whatever runs in another version than the files' (a crash came between) is reloaded as well.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, Dict, List, Mapping, Optional, Tuple

from . import _managed_services as services
from . import _nginx_connections as connections
from . import _nginx_documents as documents
from . import _nginx_share as share
from . import rules
from ._nginx_files import Files
from ._nginx_process import NginxProcess
from ._nginx_status import Asked, Status
from .api import Change, NotInForce, RouterError, Service, Unreachable, Unsupported

#: Parts of a service and where its rules lead.
Shown = Tuple[Mapping[str, int], Mapping[str, str]]


class Setup:
    """Makes services known to one nginx, running or not. ``router`` is its ``zdm_router``."""

    def __init__(self, router: Mapping[str, Any], files: Files, status: Status, process: NginxProcess) -> None:
        self._router, self._files, self._status, self._process = router, files, status, process

    def define(self, service: Service, initial: str, check: bool) -> List[Change]:
        """See NginxManaged.define."""
        services.refuse_no_pool(service, initial)
        services.refuse_shared_address(self._router, service, "nginx would give all requests to one of them")
        wanted = self._texts(service)
        parts, targets = self._kept(service, {pool: 1000 if pool == initial else 0 for pool in service.pools})
        self._refuse_taken(wanted[self._files.service(service.name)], service.name)
        is_new = not os.path.isdir(self._files.shares(service.name))
        changes = self._share(service, parts, targets, check)
        try:
            changes += self._bring(service, wanted, check)
        except RouterError:
            if is_new:
                self._files.forget(service.name)
            raise
        changes += self._all_back(service, check)
        if not check and changes and self._process.running():
            self._look(service, parts)
        return changes

    def detach(self, service: Service, check: bool) -> List[Change]:
        """See NginxManaged.detach."""
        parts = self._kept(service, {})[0]
        changes = self._bring(service, self._texts(service, parts), check)
        shares = self._files.shares(service.name)
        if os.path.isdir(shares):
            changes.append(Change(shares, self._files.in_force(service.name), ""))
            if not check:
                self._files.forget(service.name)
        return changes

    def _all_back(self, service: Service, check: bool) -> List[Change]:
        """Whom a guard left out that died."""
        resting = self._files.left_out(service.name)
        if resting and not check:
            self._files.leave_out(service.name, set())
        return [Change(self._files.out(service.name), "\n".join(sorted(resting)) + "\n", "")] if resting else []

    def _texts(self, service: Service, static: Optional[Mapping[str, int]] = None) -> Dict[str, str]:
        """The documents that this service needs, by their paths."""
        paths = {
            "socket": self._files.socket,
            "current": self._files.current(service.name),
            "log": self._files.log(service.name),
            "members": self._files.members(service.name),
            "out": self._files.out(service.name),
        }
        try:
            members = {pool: documents.members_text(service, pool) for pool in service.pools}
            text = documents.service_text(service, paths, members, static)
        except ValueError as error:
            raise Unsupported("%s; nothing was changed" % error) from error
        return {
            self._files.common: documents.common(self._files.socket, self._files.services),
            **{self._files.pool(service.name, pool): members[pool] for pool in sorted(members)},
            self._files.service(service.name): text,
        }

    def _kept(self, service: Service, otherwise: Mapping[str, int]) -> Shown:
        """The split that is there, or else this one."""
        names = self._files.names(service.name)
        before = self._files.text(self._files.service(service.name)) or ""
        static = documents.static_parts(before, list(service.pools))
        if names is None:
            parts: Mapping[str, int] = static or otherwise
            targets: Mapping[str, str] = {}
        else:
            self._refuse_lost(service, before, names)
            parts = share.parts_of(names, list(service.pools))
            targets = share.targets_of(names, list(service.pools))
        if not parts:
            raise Unsupported("nginx has no share of service %s that could be kept" % service.name)
        split = {pool: 100.0 * part / share.SCALE.top for pool, part in parts.items()}
        return parts, rules.kept(service.rules, split, targets)

    def _refuse_lost(self, service: Service, before: str, names: Any) -> None:
        """A pool that has traffic and is none any more."""
        known = documents.pools_of(before)
        if not 1 <= len(known) <= 2:
            return
        parts = share.parts_of(names, known)
        lost = sorted(pool for pool, part in parts.items() if part and pool not in service.pools)
        if lost:
            raise Unsupported(
                "%s still gets traffic of service %s and is none of its pools (%s): bring its share to another first"
                % (lost[0], service.name, ", ".join(sorted(service.pools)))
            )

    def _share(
        self, service: Service, parts: Mapping[str, int], targets: Mapping[str, str], check: bool
    ) -> List[Change]:
        """The shares that are needed: the one in force, and those of the shortest ways back."""
        names = share.files(parts, targets)
        differs = self._files.names(service.name) != names
        changes = []
        if differs:
            before = self._files.in_force(service.name)
            changes.append(Change(self._files.current(service.name), before, share.name(parts, targets)))
        if not check:
            for pool in service.pools:
                whole = {each: share.SCALE.top if each == pool else 0 for each in service.pools}
                split = {each: part / 10.0 for each, part in whole.items()}
                back = rules.targets(service.rules, split, pool, armed=False)
                made = self._files.made(service.name, share.name(whole, back), share.files(whole, back))
                self._files.spare(service.name, made)
            if differs:
                self._files.bring(service.name, self._files.made(service.name, share.name(parts, targets), names))
        return changes

    def _bring(self, service: Service, wanted: Mapping[str, str], check: bool) -> List[Change]:
        """These texts to their files and, where nginx runs, into force."""
        running = self._process.running()
        stray = [path for path in self._files.present(service.name) if path not in wanted]
        before = {path: self._files.text(path) for path in [*wanted, *stray]}
        changed: Dict[str, Optional[str]] = {path: text for path, text in wanted.items() if before[path] != text}
        changed.update(dict.fromkeys(stray))
        changes = [Change(path, before[path] or "", text or "") for path, text in changed.items()]
        if running and not changed and not self._in_force(service, wanted):
            path = self._files.service(service.name)
            changes = [Change(path + " (not in force)", wanted[path], wanted[path])]
        if changes and not check:
            self._apply(service, wanted, changed, before, running)
        return changes

    def _apply(
        self,
        service: Service,
        wanted: Mapping[str, str],
        changed: Mapping[str, Optional[str]],
        before: Mapping[str, Optional[str]],
        running: bool,
    ) -> None:
        self._files.directory(self._files.logs)
        # What includes comes after what is included, and what is not included any more goes last.
        try:
            for each, text in changed.items():
                if text is not None:
                    self._files.write(each, text)
            if running or os.path.exists(self._files.main):
                self._process.test()
            if running:
                self._process.reload(lambda: self._in_force(service, wanted))
        except RouterError:
            self._put_back(before)
            raise
        for each, text in changed.items():
            if text is None:
                self._files.remove(each)

    def _put_back(self, before: Mapping[str, Optional[str]]) -> None:
        for each, text in before.items():
            self._files.put_back(each, text)

    def _refuse_taken(self, text: str, name: str) -> None:
        """nginx's test does not see that an address is taken, and its reload then tries for two seconds before it
        gives up."""
        address = documents.listens(text)
        if address == documents.listens(self._files.text(self._files.service(name)) or ""):
            return
        port = int(address.rpartition(":")[2])
        if not self._process.running() or port not in connections.listened("/proc", self._process.master()):
            services.refuse_taken_address("nginx", address)

    def _in_force(self, service: Service, wanted: Mapping[str, str]) -> bool:
        with suppress(Unreachable):
            return self._status.common() == documents.version(wanted[self._files.common]) and self._status.version(
                service.name
            ) == documents.version(wanted[self._files.service(service.name)])
        return False

    def _look(self, service: Service, parts: Mapping[str, int]) -> None:
        """NotInForce where a worker does not see the share: it may not pass a directory."""
        second = max(service.pools)
        edge = share.edges(list(range(parts[second])))
        asked = [Asked(bucket) for bucket in edge if bucket is not None]
        seen = self._status.pools(service, asked)[1:]
        expected = [pool for pool, bucket in zip((second, min(service.pools)), edge) if bucket is not None]
        if seen != expected:
            raise NotInForce(
                "nginx's workers do not see the share of service %s in %s: expected directories that their user may "
                "pass, from / on" % (service.name, self._files.current(service.name))
            )
