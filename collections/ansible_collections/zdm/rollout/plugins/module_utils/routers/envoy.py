# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Envoy whose files are zdm's own (``{type: envoy, mode: managed}``), written by the role ``router``.

The split of a service is in its routes' file. A change is one atomic document, so raising and lowering are the
same instant; it is in force when Envoy shows our version and our weights and has counted a reload. Nothing is
ordered at the admin socket, so what runs is what a restart would read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import AbstractSet, Any, Dict, List, Mapping, Optional, Tuple

from . import _envoy_documents as documents
from . import _envoy_state as state
from ._envoy_admin import CLUSTERS, ROUTE_CONFIGS, Admin
from ._envoy_files import Files
from ._envoy_push import Pusher
from ._envoy_setup import Setup, routes_prefix
from .api import Change, Counters, NotInForce, Service, Times, Traffic, Unsupported, Wanted

Clusters = Mapping[str, Mapping[str, Any]]

#: How often, in looks, an observer asks anew how a cluster is configured. Its health is in every look.
CONFIGURED_LOOKS = 10


@dataclass(frozen=True)
class _Routes:
    """A service's routes as they run."""

    version: str
    weights: Mapping[str, int]
    rules: Mapping[str, str]
    config: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The same as the text of a file."""
        return documents.as_text(self.version, [self.config])


class EnvoyManaged:
    """The driver. ``definition`` is ``zdm_router``: ``config`` (directory), ``admin`` (socket)."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        config = str(definition.get("config") or "/etc/zdm/envoy").rstrip("/")
        self._admin = Admin(str(definition.get("admin") or config + "/admin.sock"))
        self._files = Files(config)
        self._pusher = Pusher(self._admin, self._files)
        self._configured: Clusters = {}
        self._looks = 0
        self._flush: Optional[float] = None

    def read(self, service: Service) -> Traffic:
        routes = self._routes(service)
        clusters, hosts = self._clusters(service), self._admin.hosts()
        return state.traffic(service, routes.weights, clusters, hosts, routes.rules, self._warnings(service, routes))

    def observe(self, service: Service) -> Tuple[Traffic, Dict[str, Counters]]:
        routes = self._routes(service)
        if self._looks % CONFIGURED_LOOKS == 0:
            self._configured = self._clusters(service)
        self._looks += 1
        clusters, hosts = self._configured, self._admin.hosts()
        traffic = state.traffic(service, routes.weights, clusters, hosts, routes.rules, self._warnings(service, routes))
        return traffic, state.counters(service, hosts)

    def changes(self, service: Service, wanted: Wanted) -> List[Change]:
        return self._changes(service, wanted, self._routes(service))

    def write(self, service: Service, wanted: Wanted) -> None:
        running = self._routes(service)
        if not self._changes(service, wanted, running):
            return
        self._clusters(service)
        path, text = self._files.routes_of(service.name), _text(service, wanted)
        moves = (_weights(service, wanted), wanted.targets(service)) != (running.weights, running.rules)
        on_disk = self._files.text(path)
        good = on_disk if on_disk and documents.version(on_disk) == running.version else running.text
        self._pusher.push(routes_prefix(service.name), path, text, good, reload=moves)

    def verify(self, service: Service, wanted: Wanted) -> Traffic:
        routes, weights = self._routes(service), _weights(service, wanted)
        version = self._admin.subscription(routes_prefix(service.name)).get("version_text")
        expected = documents.version(_text(service, wanted))
        if routes.weights != weights or (version, routes.version) != (expected, expected):
            raise NotInForce(
                "Envoy does not split %s as wanted: expected %s (version %s), it runs %s (version %s, last taken %s). "
                "Somebody else may have changed %s"
                % (
                    service.name,
                    _listed(weights),
                    expected,
                    _listed(routes.weights),
                    routes.version,
                    version,
                    self._files.routes_of(service.name),
                )
            )
        return self.read(service)

    def counters(self, service: Service) -> Dict[str, Counters]:
        return state.counters(service, self._admin.hosts())

    def times(self, service: Service) -> Times:
        if self._flush is None:
            self._flush = self._admin.flush_seconds()
        return Times(state.times(service, self._admin.histograms(list(state.time_names(service)))), self._flush)

    def revert(self, service: Service, stable: str) -> None:
        split = {pool: 100.0 if pool == stable else 0.0 for pool in service.pools}
        self.write(service, Wanted(split=split, stable=stable))

    def leave_out(self, service: Service, members: AbstractSet[str]) -> None:
        """Envoy itself does, by its health checks."""

    def close(self, service: Service, pool: str) -> None:
        raise Unsupported(
            "Envoy has no order that ends the requests of pool %s: those that last go on until they or their member end"
            % pool
        )

    def define(self, service: Service, initial: str, check: bool = False) -> List[Change]:
        """Make the service known: members, clusters, routes; whether or not Envoy runs. With ``check`` only say what.

        A split that is there is kept; without one all goes to the pool ``initial``. Raises RouterError.
        """
        return Setup(self._admin, self._files, self._pusher).define(service, initial, check)

    def _routes(self, service: Service) -> _Routes:
        entry = self._admin.dump(ROUTE_CONFIGS, [service.name]).get(service.name)
        if entry is None:
            raise Unsupported(
                "Envoy has no routes for service %s in force: make it known with the module zdm.rollout.service, and "
                "give it a listener with the role zdm.rollout.router (zdm_router.services.%s.listen); both also repair "
                "what a broken file has left" % (service.name, service.name)
            )
        config, version = entry["route_config"], str(entry.get("version_info", ""))
        return _Routes(version, documents.split_weights(config), documents.rule_targets(service, config), config)

    def _clusters(self, service: Service) -> Clusters:
        names = [documents.cluster_name(service.name, pool) for pool in service.pools]
        clusters = {name: entry["cluster"] for name, entry in self._admin.dump(CLUSTERS, names).items()}
        missing = sorted(set(names) - set(clusters))
        if missing:
            raise Unsupported(
                "Envoy has no cluster %s, so it does not know a pool of service %s: make it known with the module "
                "zdm.rollout.service" % (" and ".join(missing), service.name)
            )
        return clusters

    def _changes(self, service: Service, wanted: Wanted, running: _Routes) -> List[Change]:
        path, after = self._files.routes_of(service.name), _text(service, wanted)
        before = self._files.text(path) or ""
        if before != after:
            return [Change(path, before, after)]
        if running.version != documents.version(after):
            return [Change(path + " (as it runs)", running.text, after)]
        return []

    def _warnings(self, service: Service, routes: _Routes) -> Tuple[str, ...]:
        path = self._files.routes_of(service.name)
        if documents.version(self._files.text(path) or "") == routes.version:
            return ()
        return (
            "%s is not what runs (version %s): a restart of Envoy would read another split; the next change of the "
            "split puts it right" % (path, routes.version or "unknown"),
        )


def _weights(service: Service, wanted: Wanted) -> Dict[str, int]:
    try:
        return documents.weights(service, wanted.split)
    except ValueError as error:
        raise Unsupported("%s; nothing was changed" % error) from error


def _text(service: Service, wanted: Wanted) -> str:
    return documents.document([documents.routes(service, _weights(service, wanted), wanted.targets(service))])


def _listed(weights: Mapping[str, int]) -> str:
    return ", ".join("%s %d" % item for item in sorted(weights.items())) or "no weights"
