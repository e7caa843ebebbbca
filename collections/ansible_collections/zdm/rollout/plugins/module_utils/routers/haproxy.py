# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy, mode ``servers``: a backend of the user's own configuration, split by the weights of its servers.

Nothing is needed but the runtime socket, at level admin. A pool's members are servers of one backend, known by their
names there; everything else in the configuration is left alone, and so is every server that is in no pool.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import AbstractSet, Any, Dict, List, Mapping, Tuple

from .. import _split
from . import _haproxy_limits as limits
from . import _haproxy_stat as stat
from ._haproxy_log import Follower
from ._haproxy_socket import RuntimeSocket, packed
from ._haproxy_weights import TOP, Move, Weights
from .api import (
    Change,
    Counters,
    MemberState,
    NotInForce,
    Refused,
    Scale,
    Service,
    Times,
    Traffic,
    Unreachable,
    Unsupported,
    Wanted,
)

SOCKET = "/run/haproxy/admin.sock"

#: What HAProxy allows as a name; anything else could end the command and begin another.
NAME = re.compile(r"[A-Za-z0-9_.:-]+\Z")
#: Backend and servers of the backend with this number.
STAT = "show stat %s 6 -1"


class HaproxyServers:
    """The driver of ``{type: haproxy, mode: servers, socket: PATH}``.

    A service's backend is its option ``backend``, or its own name. ``read`` tells of obstacles in its warnings;
    ``changes`` and ``write`` refuse them (Unsupported) for every split but "all to stable", so that a revert
    never fails because somebody added a server. Sick is raised where a pool with a share has nobody up.
    """

    def __init__(self, definition: Mapping[str, Any]) -> None:
        path = str(definition.get("socket") or SOCKET)
        self._socket = RuntimeSocket(path)
        log = definition.get("log")
        self._follower = Follower(log, path) if log else None
        #: The numbers of backends, as HAProxy gave them when it was last looked at.
        self._numbers: Dict[str, str] = {}

    def read(self, service: Service) -> Traffic:
        return self._traffic(service, self._weights(service))

    def observe(self, service: Service) -> Tuple[Traffic, Dict[str, Counters]]:
        weights, rows = self._look(service)
        return self._traffic(service, weights), _counters(service, rows)

    @staticmethod
    def _traffic(service: Service, weights: Weights) -> Traffic:
        split = weights.split()
        members = [
            MemberState(name, pool, server.health, server.weight, weights.bases[pool][name], server.sessions)
            for pool, servers in weights.pools.items()
            for name, server in servers.items()
        ]
        obstacles = ["backend %s: %s" % (weights.backend.name, what) for what in limits.obstacles(weights, service)]
        return Traffic(
            members=tuple(members),
            split=split,
            scale=Scale(per="server", top=TOP),
            held=any(split.values()),
            durable="no",
            promises=tuple(limits.promises(weights)),
            warnings=tuple(obstacles + limits.warnings(weights)),
            closes=True,
        )

    def changes(self, service: Service, wanted: Wanted) -> List[Change]:
        weights = self._weights(service)
        _refuse_obstacles(weights, service, wanted)
        return [
            Change(
                thing="weight of server %s/%s" % (weights.backend.name, name),
                before=str(weights.before[name]),
                after=str(weight),
            )
            for name, weight in weights.moves(wanted)
        ]

    def write(self, service: Service, wanted: Wanted) -> None:
        weights = self._weights(service)
        _refuse_obstacles(weights, service, wanted)
        if not wanted.even_if_sick:
            weights.refuse_sick(wanted)
        moves = weights.moves(wanted)
        raised = list(takewhile(lambda move: move[1] > weights.before[move[0]], moves))
        # HAProxy goes on with a line after a command that failed: who is to take traffic has to have it before others
        # lose theirs.
        self._set(weights.backend.name, raised)
        self._set(weights.backend.name, moves[len(raised) :])

    def verify(self, service: Service, wanted: Wanted) -> Traffic:
        traffic = self.read(service)
        idle = [m for m in traffic.members if wanted.split.get(m.pool, 0.0) == 0 and m.weight > 0]
        if idle or not _in_force(traffic, wanted):
            raise NotInForce(
                "backend %s: wanted %s, in force is %s (%s): somebody else may have set a weight or reloaded HAProxy; "
                "look at `show servers state %s`"
                % (
                    _backend_name(service),
                    _split.describe(wanted.split),
                    _split.describe(traffic.split) if traffic.held else "no share at all",
                    ", ".join("%s %d %s" % (m.name, m.weight, m.health) for m in traffic.members) or "no members",
                    _backend_name(service),
                )
            )
        return traffic

    def counters(self, service: Service) -> Dict[str, Counters]:
        name = _backend_name(service)
        state = self._state(name, self._socket.ask(_state_of(name)))
        return _counters(service, stat.parse_stat(self._socket.ask(["show stat %s 4 -1" % state.number])))

    def times(self, service: Service) -> Times:
        if self._follower is None:
            raise Unsupported(
                "HAProxy's runtime socket does not say how long each request took: let its configuration write a line"
                " for each, and name where (zdm_router.log, such as {ring: lb}), or use a check with signal: metrics"
            )
        backend = _backend_name(service)
        servers = {pool: [member.name for member in members] for pool, members in service.pools.items()}
        return Times({pool: self._follower.times(backend, names) for pool, names in servers.items()})

    def revert(self, service: Service, stable: str) -> None:
        if stable not in service.pools:
            raise Unsupported(
                "stable is %r: expected a pool of service %s (%s)" % (stable, service.name, ", ".join(service.pools))
            )
        self.write(service, Wanted({pool: 100.0 if pool == stable else 0.0 for pool in service.pools}, stable))

    def leave_out(self, service: Service, members: AbstractSet[str]) -> None:
        """HAProxy itself does, where it checks."""

    def close(self, service: Service, pool: str) -> None:
        """Those of the process that answers at the socket: one of before a reload finishes what it has."""
        backend = _backend_name(service)
        known = self._weights(service).pools.get(pool, {})
        self._order(["shutdown sessions server %s/%s" % (backend, name) for name in known])

    def _weights(self, service: Service) -> Weights:
        return self._look(service)[0]

    def _look(self, service: Service) -> Tuple[Weights, List[stat.Row]]:
        """The service as it is in force. ``show stat`` takes the backend's number, because by name it would find a
        frontend of the same name; so it is asked along with the rest once the number is known."""
        name = _backend_name(service)
        number = self._numbers.get(name, "")
        answer = self._socket.ask([*_state_of(name), *([STAT % number] if number else [])])
        state = self._state(name, answer)
        if state.number != number:
            self._numbers[name] = state.number
            answer = self._socket.ask([STAT % state.number])
        rows = stat.parse_stat(answer)
        backend = stat.backend(name, state, rows)
        if backend is None:
            raise Unreachable("HAProxy was reloaded, or backend %s changed, while it was read: ask again" % name)
        return Weights(backend, service), rows

    def _state(self, name: str, answer: str) -> stat.State:
        level = answer.partition("\n")[0].rpartition(":")[2]
        if level != "admin":
            raise Unsupported(
                "HAProxy's runtime socket %s has level %s, and weights can be set at level admin only: "
                "write `level admin` on its line `stats socket`" % (self._socket.path, level or "unknown")
            )
        state = stat.parse_state(answer)
        if state is None:
            known = ", ".join(stat.parse_backends(self._socket.ask(["show backend"]))) or "none"
            raise Unsupported(
                "HAProxy has no backend %s (there are %s): name the right one as zdm_router.services.<service>.backend"
                % (name, known)
            )
        if not state.weights:
            raise Unsupported("HAProxy's backend %s has no servers: add the pools' members to it" % name)
        return state

    def _set(self, backend: str, moves: List[Move]) -> None:
        """Set weights in this order."""
        self._order(["set server %s/%s weight %d" % (backend, name, weight) for name, weight in moves])

    def _order(self, orders: List[str]) -> None:
        """In one write as long as HAProxy can read it; every reply is read."""
        for commands in packed(orders):
            replies = stat.parse_replies(self._socket.ask(commands))
            if replies == [""] * len(commands):
                continue
            said = "; ".join(reply for reply in replies if reply)
            raise Refused(
                "HAProxy did not take all of `%s`: %s"
                % ("; ".join(commands), said or "%d replies to %d commands" % (len(replies), len(commands)))
            )


def _state_of(backend: str) -> List[str]:
    return ["show cli level", "show servers state %s" % backend]


def _counters(service: Service, rows: List[stat.Row]) -> Dict[str, Counters]:
    name = _backend_name(service)
    return {
        row["svname"]: stat.counters(row)
        for row in rows
        if row["pxname"] == name and service.pool_of(row["svname"]) is not None
    }


def _in_force(traffic: Traffic, wanted: Wanted) -> bool:
    """Whether the live members hold the split; whether the weights do, on a person's word that nobody need be up, and
    where stable is dead and another pool has what is left."""
    leaves = wanted.armed and wanted.split.get(wanted.stable, 0.0) < 100
    if wanted.even_if_sick or (leaves and traffic.held and not traffic.healthy(wanted.stable)):
        return _split.can_hold({pool: traffic.given(pool) for pool in wanted.split}, wanted.split)
    return traffic.held and _split.can_hold(traffic.split, wanted.split)


def _backend_name(service: Service) -> str:
    name = service.options.get("backend") or service.name
    if not isinstance(name, str) or not NAME.match(name):
        raise Unsupported(
            "backend of service %s is %r: expected a backend's name (letters, digits and _ . : -)"
            % (service.name, name)
        )
    return name


def _refuse_obstacles(weights: Weights, service: Service, wanted: Wanted) -> None:
    found = limits.obstacles(weights, service)
    if found and any(share > 0 for pool, share in wanted.split.items() if pool != wanted.stable):
        raise Unsupported("backend %s cannot be split: %s" % (weights.backend.name, "; ".join(found)))
