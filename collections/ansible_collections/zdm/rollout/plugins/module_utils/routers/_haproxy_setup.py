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

from typing import Any, Dict, List, Mapping, Optional

from . import _haproxy_documents as documents
from . import _haproxy_share as share
from . import _managed_services as services
from . import rules
from ._haproxy_files import Files
from ._haproxy_master import Master, NotRunning
from ._haproxy_orders import Orders
from .api import Change, NotInForce, RouterError, Service, Unsupported


class Setup:
    """Makes services known to one HAProxy, running or not. ``router`` is its ``zdm_router``."""

    def __init__(self, router: Mapping[str, Any], master: Master, files: Files, orders: Orders, runtime: str) -> None:
        self._router, self._master, self._files, self._orders = router, master, files, orders
        self._runtime = runtime

    def define(self, service: Service, initial: str, check: bool) -> List[Change]:
        """See HaproxyManaged.define."""
        services.refuse_no_pool(service, initial)
        services.refuse_shared_address(self._router, service, "the system would deal their connections out by chance")
        shown = self._shown(service)
        word = self._word(service, shown, {initial: share.SCALE.top})
        shares = self._files.text(self._files.shares) or ""
        if share.values(shares, service.name) != [word]:
            shares = share.with_value(shares, service.name, word)
        wanted = {self._files.shares: shares, **self._texts(service)}
        changes = self._bring(service, wanted, shown is not None, check)
        if shown and shown != word:
            changes.append(Change(self._files.shares + " (as it runs)", shown, word))
        if shown is not None and changes and not check:
            self._orders.bring(service.name, word)
        return changes

    def detach(self, service: Service, check: bool) -> List[Change]:
        """See HaproxyManaged.detach."""
        shown = self._shown(service)
        word = self._word(service, shown, {})
        changes = self._bring(service, self._texts(service, word), shown is not None, check)
        text = self._files.text(self._files.shares)
        left = share.without(text or "", service.name)
        if text is not None and left != text:
            changes.append(Change(self._files.shares, text, left))
            if not check:
                self._files.put_back(self._files.shares, left if left or self._files.is_map_read() else None)
        return changes

    def _refuse_taken(self, path: str, wanted: Mapping[str, str], before: Mapping[str, Optional[str]]) -> None:
        """HAProxy's check does not see that an address is taken, and its reload then stops listening for two seconds
        before it gives up."""
        address, held = documents.listens(wanted.get(path, "")), documents.listens(before[path] or "")
        if address and address.rpartition(":")[2] != held.rpartition(":")[2]:
            services.refuse_taken_address("HAProxy", address)

    def _texts(self, service: Service, word: str = "") -> Dict[str, str]:
        """The documents that this service needs, by their paths."""
        try:
            text = documents.service_text(service, self._files.shares, word)
        except ValueError as error:
            raise Unsupported("%s; nothing was changed" % error) from error
        return {self._files.common: documents.common(self._runtime), self._files.service(service.name): text}

    def _shown(self, service: Service) -> Optional[str]:
        """The service's share in the worker that takes new connections, empty where it has none; None where HAProxy
        does not run."""
        try:
            pid, answers = self._master.ask_all([self._orders.question])
        except NotRunning:
            return None
        return next(iter(share.shown(answers[pid][0], service.name)), "")

    def _word(self, service: Service, shown: Optional[str], otherwise: Mapping[str, int]) -> str:
        """The split that is there, of the running HAProxy or else of the files, or else this one."""
        known = [shown or "", *share.values(self._files.text(self._files.shares) or "", service.name)]
        known.append(documents.static_word(self._files.text(self._files.service(service.name)) or ""))
        word = next((found for found in known if share.parse_value(found)), "")
        parts = share.parse_value(word) or otherwise
        if not parts:
            raise Unsupported("HAProxy has no share of service %s that could be kept" % service.name)
        lost = sorted(pool for pool, part in parts.items() if part and pool not in service.pools)
        if lost:
            raise Unsupported(
                "%s still gets traffic of service %s and is none of its pools (%s): bring its share to another first"
                % (lost[0], service.name, ", ".join(sorted(service.pools)))
            )
        whole = {pool: parts.get(pool, 0) for pool in service.pools}
        split = {pool: 100.0 * part / share.SCALE.top for pool, part in whole.items()}
        return share.value(whole, rules.kept(service.rules, split, share.parse_targets(word)))

    def _in_force(self, path: str, text: str) -> bool:
        name = "" if path == self._files.common else path[len(self._files.services) + 1 : -len(".cfg")]
        pid, answers = self._master.ask_all(["get var %s" % documents.variable(name)])
        return "<%s>" % documents.version(text) in answers[pid][0]

    def _bring(self, service: Service, wanted: Mapping[str, str], running: bool, check: bool) -> List[Change]:
        """These texts to their files and, where HAProxy runs, into force."""
        before = {path: self._files.text(path) for path in wanted}
        changed = {path: text for path, text in wanted.items() if before[path] != text}
        documented = [path for path in wanted if path != self._files.shares]
        stale = [
            path for path in documented if running and path not in changed and not self._in_force(path, wanted[path])
        ]
        changes = [Change(path, before[path] or "", text) for path, text in changed.items()]
        changes += [Change(path + " (not in force)", wanted[path], wanted[path]) for path in stale]
        if changes and not check:
            self._apply(service, changed, before, bool(stale), running)
            for path in [path for path in documented if running and not self._in_force(path, wanted[path])]:
                raise NotInForce(
                    "HAProxy runs and does not read %s: expected one that was started with -f %s -f %s"
                    % (path, self._files.common, self._files.services)
                )
        return changes

    def _apply(
        self,
        service: Service,
        changed: Mapping[str, str],
        before: Mapping[str, Optional[str]],
        stale: bool,
        running: bool,
    ) -> None:
        configuration = {path: text for path, text in changed.items() if path != self._files.shares}
        try:
            for path in set(changed) - set(configuration):
                self._files.write(path, changed[path])
            if running:
                self._refuse_taken(self._files.service(service.name), changed, before)
            if configuration or stale:
                self._files.check(configuration)
            for path, text in configuration.items():
                self._files.write(path, text)
            if running and (configuration or stale):
                self._master.reload()
        except RouterError:
            for path in changed:
                self._files.put_back(path, before[path])
            raise
