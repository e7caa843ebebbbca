# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a service known to a managed HAProxy: its line in the share map, its configuration, a reload.

    share map -> haproxy -c -> files -> reload -> the new worker tells our versions

The map comes first, because HAProxy reads it when it starts. A configuration that HAProxy refuses, at its check or at
the reload, never stays on disk: what was there before is put back, since a restart would read it. Whatever runs in
another version than the file's (a crash came between) is reloaded as well. Files of other services are left alone.
"""

from __future__ import annotations

import socket
from typing import Any, Dict, List, Mapping, Optional

from . import _haproxy_documents as documents
from . import _haproxy_share as share
from ._haproxy_files import Files
from ._haproxy_master import Master, NotRunning
from ._haproxy_orders import Orders
from .api import Change, NotInForce, Refused, RouterError, Service, Unsupported


class Setup:
    """Makes services known to one HAProxy, running or not. ``router`` is its ``zdm_router``."""

    def __init__(self, router: Mapping[str, Any], master: Master, files: Files, orders: Orders, runtime: str) -> None:
        self._router, self._master, self._files, self._orders = router, master, files, orders
        self._runtime = runtime

    def define(self, service: Service, initial: str, check: bool) -> List[Change]:
        """See HaproxyManaged.define."""
        self._refuse_unfit(service, initial)
        texts = {self._files.common: documents.common(self._runtime), **self._text(service)}
        shown = self._shown(service)
        word = self._word(service, initial, shown)
        before = {path: self._files.text(path) for path in [self._files.shares, *texts]}
        shares = before[self._files.shares] or ""
        if share.values(shares, service.name) != [word]:
            shares = share.with_value(shares, service.name, word)

        changed = {path: text for path, text in texts.items() if before[path] != text}
        running = shown is not None
        stale = [path for path in texts if running and path not in changed and not self._in_force(path, texts[path])]
        wanted = {**({self._files.shares: shares} if shares != before[self._files.shares] else {}), **changed}
        changes = [Change(path, before[path] or "", text) for path, text in wanted.items()]
        changes += [Change(path + " (not in force)", texts[path], texts[path]) for path in stale]
        if shown and shown != word:
            changes.append(Change(self._files.shares + " (as it runs)", shown, word))
        if changes and not check:
            self._apply(service, word, wanted, before, bool(changed or stale), running)
        return changes

    def _refuse_unfit(self, service: Service, initial: str) -> None:
        if initial not in service.pools:
            raise Unsupported(
                "initial is %r: expected a pool of service %s, which are %s"
                % (initial, service.name, ", ".join(sorted(service.pools)))
            )
        mine = service.options.get("listen")
        for name, other in (self._router.get("services") or {}).items():
            if name != service.name and isinstance(other, Mapping) and mine and other.get("listen") == mine:
                raise Unsupported(
                    "zdm_router.services.%s and %s both listen at %s, so that the system would deal their connections "
                    "out by chance: give each an address or a port of its own" % (name, service.name, mine)
                )

    def _refuse_taken(self, path: str, wanted: Mapping[str, str], before: Mapping[str, Optional[str]]) -> None:
        """HAProxy's check does not see that an address is taken, and its reload then stops listening for two seconds
        before it gives up."""
        address = documents.listens(wanted.get(path, ""))
        if not address or address == documents.listens(before[path] or ""):
            return
        host, _colon, port = address.rpartition(":")
        with socket.socket(socket.AF_INET6 if host.startswith("[") else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host.strip("[]"), int(port)))
                probe.listen(1)
            except PermissionError:
                return  # HAProxy may have a right that we do not
            except OSError as error:
                raise Refused(
                    "HAProxy could not listen at %s, so nothing was changed: %s" % (address, error.strerror)
                ) from error

    def _text(self, service: Service) -> Dict[str, str]:
        try:
            return {self._files.service(service.name): documents.service_text(service, self._files.shares)}
        except ValueError as error:
            raise Unsupported("%s; nothing was changed" % error) from error

    def _shown(self, service: Service) -> Optional[str]:
        """The service's share in the worker that takes new connections, empty where it has none; None where HAProxy
        does not run."""
        try:
            pid, answers = self._master.ask_all([self._orders.question])
        except NotRunning:
            return None
        return next(iter(share.shown(answers[pid][0], service.name)), "")

    def _word(self, service: Service, initial: str, shown: Optional[str]) -> str:
        """The split that is there, of the running HAProxy or else of the file; all to ``initial`` where there is
        none."""
        known = [shown or "", *share.values(self._files.text(self._files.shares) or "", service.name)]
        parts = next((found for found in map(share.parse_value, known) if found), {initial: share.SCALE.top})
        lost = sorted(pool for pool, part in parts.items() if part and pool not in service.pools)
        if lost:
            raise Unsupported(
                "%s still gets traffic of service %s and is none of its pools (%s): bring its share to another first"
                % (lost[0], service.name, ", ".join(sorted(service.pools)))
            )
        return share.value({pool: parts.get(pool, 0) for pool in service.pools})

    def _in_force(self, path: str, text: str) -> bool:
        name = "" if path == self._files.common else path[len(self._files.services) + 1 : -len(".cfg")]
        pid, answers = self._master.ask_all(["get var %s" % documents.variable(name)])
        return "<%s>" % documents.version(text) in answers[pid][0]

    def _apply(
        self,
        service: Service,
        word: str,
        wanted: Mapping[str, str],
        before: Mapping[str, Optional[str]],
        reload: bool,
        running: bool,
    ) -> None:
        try:
            for path in [path for path in wanted if path == self._files.shares]:
                self._files.write(path, wanted[path])
            if running:
                self._refuse_taken(self._files.service(service.name), wanted, before)
            configuration = {path: text for path, text in wanted.items() if path != self._files.shares}
            if reload:
                self._files.check(configuration)
            for path, text in configuration.items():
                self._files.write(path, text)
            if running and reload:
                self._master.reload()
        except RouterError:
            for path in wanted:
                self._files.put_back(path, before[path])
            raise
        if running:
            self._orders.bring(service.name, word)
            for path in (self._files.common, self._files.service(service.name)):
                if not self._in_force(path, self._files.text(path) or ""):
                    raise NotInForce(
                        "HAProxy runs and does not read %s: expected one that was started with -f %s -f %s"
                        % (path, self._files.common, self._files.services)
                    )
