# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a service known to Envoy: members (EDS), clusters (CDS), routes (RDS), in the order that cuts nobody off.

    members -> clusters, until Envoy lists them -> routes -> (pools that are gone: clusters, members)

The same order repairs a start with broken files, because Envoy never tries a refused file again by itself: whatever
is not in force is renamed again. Files of other services are left alone, their clusters are kept as they are.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from . import _envoy_documents as documents
from . import _managed_services as services
from . import rules
from ._envoy_admin import CLUSTERS, ROUTE_CONFIGS, Admin, NotRunning
from ._envoy_files import Files
from ._envoy_push import DEADLINE, Pusher
from .api import Change, NotInForce, Service, Unsupported

CLUSTERS_PREFIX = "cluster_manager.cds"


def routes_prefix(service: str) -> str:
    """Envoy's name of the subscription to a service's routes; the role gives the listener the service's name."""
    return "http.%s.rds.%s" % (service, service)


def members_prefix(cluster: str) -> str:
    return "cluster.%s" % cluster


class Setup:
    """Makes services known to one Envoy, running or not."""

    def __init__(self, admin: Admin, files: Files, pusher: Pusher) -> None:
        self._admin, self._files, self._pusher = admin, files, pusher

    def define(self, service: Service, initial: str, check: bool) -> List[Change]:
        """See EnvoyManaged.define."""
        _refuse_unfit(service, initial)
        running = self._runs()
        weights, targets = self._routes(service, initial, running)
        present = self._present(service, running)
        wanted = [documents.cluster(service, pool, self._files.members) for pool in sorted(service.pools)]
        merged = documents.with_clusters(present, wanted)
        stale = [one for one in merged if documents.owner(one)[0] == service.name and one not in wanted]
        kept = [one for one in merged if one not in stale]

        changes: List[Change] = []
        versions: Dict[str, Optional[str]] = {}
        for pool in sorted(service.pools):
            name = documents.cluster_name(service.name, pool)
            text = documents.document([documents.endpoints(service, pool)])
            versions[name] = documents.version(text)
            changes += self._bring(members_prefix(name), self._files.members_of(name), text, running, check)
        text = documents.document(merged)
        changes += self._bring(CLUSTERS_PREFIX, self._files.clusters, text, running, check)
        if running and not check:
            self._await_clusters(service, versions)
        text = documents.document([documents.routes(service, weights, targets)])
        path = self._files.routes_of(service.name)
        changes += self._bring(routes_prefix(service.name), path, text, running, check)
        if stale:
            text = documents.document(kept)
            changes += self._bring(CLUSTERS_PREFIX, self._files.clusters, text, running, check)
            changes += self._forget([str(cluster["name"]) for cluster in stale], check)
        return changes

    def _runs(self) -> bool:
        try:
            self._admin.subscription(CLUSTERS_PREFIX)
        except NotRunning:
            return False
        return True

    def _routes(self, service: Service, initial: str, running: bool) -> Tuple[Dict[str, int], Dict[str, str]]:
        """Split and rules that are there, of the running Envoy or else of the file; all to ``initial`` without one."""
        found: Mapping[str, Any] = {}
        if running:
            entry = self._admin.dump(ROUTE_CONFIGS, [service.name]).get(service.name)
            found = entry["route_config"] if entry else {}
        if not documents.split_weights(found):
            parsed = documents.parse(self._files.text(self._files.routes_of(service.name)) or "")
            found = parsed[1][0] if parsed and parsed[1] else {}
        shown = documents.split_weights(found)
        names = {documents.cluster_name(service.name, pool): pool for pool in service.pools}
        lost = sorted(name for name, weight in shown.items() if weight and name not in names)
        if lost:
            raise Unsupported(
                "%s still gets traffic of service %s and is none of its pools (%s): bring its share to another first"
                % (lost[0], service.name, ", ".join(sorted(service.pools)))
            )
        if not sum(shown.values()):
            shown = documents.weights(service, {initial: 100.0})
        split = {pool: shown.get(name, 0) / 100.0 for name, pool in names.items()}
        targets = rules.kept(service.rules, split, documents.rule_targets(service, found))
        return {name: shown.get(name, 0) for name in sorted(names)}, targets

    def _present(self, service: Service, running: bool) -> List[Mapping[str, Any]]:
        """All services' clusters: from the file or, where it is broken, as they run."""
        text = self._files.text(self._files.clusters)
        parsed = documents.parse(text) if text is not None else ("", [])
        if parsed is not None:
            present: List[Mapping[str, Any]] = list(parsed[1])
        elif running:
            present = [entry["cluster"] for entry in self._admin.dump_all(CLUSTERS)]
        else:
            raise Unsupported(
                "%s is not a document of Envoy, and Envoy does not run, so that the other services' clusters are not "
                "known: put a good one there, or remove it and make every service known again" % self._files.clusters
            )
        for cluster in present:
            for pool in service.pools:
                mine = cluster.get("name") == documents.cluster_name(service.name, pool)
                if mine and documents.owner(cluster) != (service.name, pool):
                    raise Unsupported(
                        "cluster %s in %s is not pool %s of service %s but %s: give service or pool another name"
                        % (cluster.get("name"), self._files.clusters, pool, service.name, _owner_text(cluster))
                    )
        return present

    def _bring(self, prefix: str, path: str, text: str, running: bool, check: bool) -> List[Change]:
        """One document to its file and, where Envoy subscribes to it, into force."""
        before = self._files.text(path)
        seen = self._admin.subscription(prefix) if running else {}
        in_force = not seen or seen.get("version_text") == documents.version(text)
        if before == text and in_force:
            return []
        if not check:
            if seen:
                self._pusher.push(prefix, path, text, good=self._good(before, seen.get("version_text")))
            else:
                self._files.write(path, text)
        thing = path if before != text else path + " (not in force)"
        return [Change(thing, before or "", text)]

    def _good(self, before: Optional[str], version: Optional[str]) -> Optional[str]:
        """What to put back if Envoy refuses: a file that was in force, or at least one that can be read."""
        known = documents.version(before) if before else None
        return before if known is not None and (not version or known == version) else None

    def _await_clusters(self, service: Service, versions: Mapping[str, Optional[str]]) -> None:
        """Until Envoy lists the pools with our members: a new cluster first asks its members for their health."""

        def missing() -> List[str]:
            listed = self._admin.hosts()
            seen = {name: self._admin.subscription(members_prefix(name)).get("version_text") for name in versions}
            return sorted(name for name, version in versions.items() if name not in listed or seen[name] != version)

        deadline = DEADLINE + (service.health.timeout if service.health else 0.0)
        if not self._pusher.wait(lambda: not missing(), deadline):
            raise NotInForce(
                "Envoy does not have cluster %s with the members of %s within %g s: nothing was routed to it"
                % (" and ".join(missing()), self._files.members, deadline)
            )

    def _forget(self, clusters: Sequence[str], check: bool) -> List[Change]:
        """The members' files of pools that are gone."""
        changes = []
        for name in clusters:
            path = self._files.members_of(name)
            changes.append(Change(path, self._files.text(path) or "", ""))
            if not check:
                self._files.remove(path)
        return changes


def _refuse_unfit(service: Service, initial: str) -> None:
    services.refuse_no_pool(service, initial)
    for pool, members in service.pools.items():
        if not members:
            raise Unsupported("pool %s of service %s has no members: Envoy would answer 503" % (pool, service.name))
        for member in members:
            try:
                ipaddress.ip_address(member.address)
            except ValueError as error:
                raise Unsupported(
                    "member %s of pool %s has the address %r: Envoy takes IP addresses, set zdm_address of its host"
                    % (member.name, pool, member.address)
                ) from error


def _owner_text(cluster: Mapping[str, Any]) -> str:
    service, pool = documents.owner(cluster)
    return "pool %s of service %s" % (pool, service) if service else "somebody else's"
