# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx, mode ``servers``: an upstream of the user's own configuration, split by the weights of its servers.

The upstream's ``server`` lines stand in a file that it includes. zdm writes other weights into it, lets nginx test its
configuration, has it reloaded, and waits until nobody answers by the one from before. Nothing else is touched.
"""

from __future__ import annotations

import os
from typing import AbstractSet, Any, Dict, List, Mapping, Tuple

from .. import _split
from . import _nginx_config as config
from . import _nginx_servers as lines
from . import _nginx_upstream as limits
from ._nginx_connections import NO_CLOSE
from ._nginx_log import AccessLog
from ._nginx_process import Generation, NginxProcess
from ._nginx_servers import endpoint_of
from ._nginx_weights import Weights
from .api import (
    Change,
    Counters,
    NotInForce,
    RouterError,
    Scale,
    Service,
    Times,
    Traffic,
    Unreachable,
    Unsupported,
    Wanted,
)

#: Seconds that a change waits for requests of before; what is still there then is told, and does no harm.
PATIENCE = 1.0
#: Seconds in which the new weights have to be in force: within a lease's time.
WITHIN = 5.0
NO_LOG = (
    "nginx counts nothing by itself: let it write a line for each request, and name the file as zdm_router.log, "
    "such as {file: %s}. %s" % (limits.LOG, "; ".join(limits.LOGGED))
)


class NginxServers:
    """The driver of ``{type: nginx, mode: servers}``. Of a service it needs ``upstream`` (its own name) and ``file``.

    ``read`` tells of obstacles in its warnings; ``changes`` and ``write`` refuse them (Unsupported) for every split but
    "all to stable". Health is nobody's at nginx: members are TRIED, with ``max_fails=0`` UNCHECKED, and DOWN when their
    operator has marked them so.
    """

    def leave_out(self, service: Service, members: AbstractSet[str]) -> None:
        """Another set of members would be a reload: nginx leaves out by itself whom it tried in vain."""

    def close(self, service: Service, pool: str) -> None:
        raise Unsupported(NO_CLOSE % pool)

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self._process = NginxProcess.of(definition)
        log = definition.get("log") or {}
        if log and (not isinstance(log, Mapping) or not log.get("file")):
            raise Unsupported("zdm_router.log of nginx is %r: expected a file, such as {file: %s}" % (log, limits.LOG))
        self._log_path = str(log.get("file") or "")
        self._logs: Dict[str, AccessLog] = {}
        #: What the configuration was like when these workers were first seen.
        self._looked: Dict[str, Tuple[Generation, List[str], List[str]]] = {}

    def read(self, service: Service) -> Traffic:
        self._looked.pop(service.name, None)
        return self._traffic(service, Weights(service, self._generation()), self._held())

    def observe(self, service: Service) -> Tuple[Traffic, Dict[str, Counters]]:
        """Counters are of no member where there is no log: a guard looks all the same. Nobody is asked who holds an old
        worker: that goes through all processes of the host."""
        counters = self.counters(service) if self._log_path else {}
        return self._traffic(service, Weights(service, self._generation()), []), counters

    def changes(self, service: Service, wanted: Wanted) -> List[Change]:
        self._looked.pop(service.name, None)
        look = Weights(service, self._generation())
        self._refuse_obstacles(service, look, wanted)
        return look.changes(wanted)

    def write(self, service: Service, wanted: Wanted) -> None:
        look = Weights(service, self._generation())
        self._refuse_obstacles(service, look, wanted)
        if not look.changes(wanted):
            return
        text = lines.rewritten(look.shown.file, look.target(wanted))
        look.replace(text)
        try:
            self._process.test()
            self._process.reload(patience=PATIENCE, within=WITHIN)
        except NotInForce:
            raise  # it was told, and may do it yet
        except RouterError as error:
            look.replace(look.shown.file)
            raise type(error)("%s. %s says again what it said before" % (error, look.path)) from error
        look.keep(text, self._generation())

    def verify(self, service: Service, wanted: Wanted) -> Traffic:
        look = Weights(service, self._generation())
        traffic = self._traffic(service, look, self._held())
        idle = [m for m in traffic.members if wanted.split.get(m.pool, 0.0) == 0 and m.weight > 0]
        if idle or not look.shown.in_force or not traffic.held or not _split.can_hold(traffic.split, wanted.split):
            raise NotInForce(
                "upstream %s: wanted %s, in force is %s (%s): somebody else may have written %s or reloaded nginx"
                % (
                    look.upstream,
                    _split.describe(wanted.split),
                    _split.describe(traffic.split) if traffic.held else "not known",
                    ", ".join("%s %d" % (m.name, m.weight) for m in traffic.members) or "no members",
                    look.path,
                )
            )
        return traffic

    def counters(self, service: Service) -> Dict[str, Counters]:
        counted = self._log(service).counters()
        none = Counters(requests=0, failures=0)
        return {
            member.name: counted.get(endpoint_of(member), none)
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

    def revert(self, service: Service, stable: str) -> None:
        if stable not in service.pools:
            raise Unsupported(
                "stable is %r: expected a pool of service %s (%s)" % (stable, service.name, ", ".join(service.pools))
            )
        self.write(service, Wanted({pool: 100.0 if pool == stable else 0.0 for pool in service.pools}, stable))

    def _traffic(self, service: Service, look: Weights, held: List[str]) -> Traffic:
        obstacles, warnings = self._configured(service, look)
        found = ["upstream %s: %s" % (look.upstream, text) for text in obstacles]
        split = look.split()
        known = look.shown.running is not None
        return Traffic(
            members=tuple(look.members()),
            split=split if known else dict.fromkeys(split, 0.0),
            scale=Scale(per="server", top=lines.TOP),
            held=known and any(split.values()),
            durable="yes",
            promises=tuple(limits.promises(logged=bool(self._log_path))),
            warnings=(*found, *warnings, *look.warnings(), *held),
            costs=limits.COST,
        )

    def _log(self, service: Service) -> AccessLog:
        if not self._log_path:
            raise Unsupported(NO_LOG)
        if service.name not in self._logs:
            self._logs[service.name] = AccessLog(self._log_path, service.name, self._process.owners())
        log = self._logs[service.name]
        log.read()
        return log

    def _held(self) -> List[str]:
        return ["requests of a configuration from before go on: %s" % str(old) for old in self._process.old_workers()]

    def _refuse_obstacles(self, service: Service, look: Weights, wanted: Wanted) -> None:
        if all(share == 0 for pool, share in wanted.split.items() if pool != wanted.stable):
            return
        found, dummy = self._configured(service, look)
        if found:
            raise Unsupported("upstream %s cannot be split: %s" % (look.upstream, "; ".join(found)))

    def _configured(self, service: Service, look: Weights) -> Tuple[List[str], List[str]]:
        """Obstacles and warnings, of the files as they were when these workers were first seen."""
        known = self._looked.get(service.name)
        if known is None or known[0] != look.generation:
            known = (look.generation, *self._limits(service, look))
            self._looked[service.name] = known
        return known[1], known[2]

    def _limits(self, service: Service, look: Weights) -> Tuple[List[str], List[str]]:
        try:
            texts = config.files(self._process.dump())
        except RouterError as error:
            return ["%s" % error], []
        tree = config.tree(texts)
        all_of_them = limits.upstreams(tree)
        upstream = all_of_them.get(look.upstream)
        if upstream is None:
            listed = ", ".join(all_of_them) or "none"
            return [
                "nginx has no upstream of this name (there are %s): name the right one as "
                "zdm_router.services.%s.upstream" % (listed, service.name)
            ], []
        file = next((path for path in texts if os.path.realpath(path) == os.path.realpath(look.path)), look.path)
        members = {endpoint_of(member): member.name for pool in service.pools.values() for member in pool}
        warnings = limits.warnings(upstream, all_of_them, file)
        if self._log_path:
            warnings += limits.unlogged(tree, self._log_path, service.name)
        return limits.obstacles(upstream, file, service, members), warnings

    def _generation(self) -> Generation:
        found = self._process.generation()
        if not found:
            raise Unreachable("nginx's master process %d has no workers: see its error log" % self._process.master())
        return found
