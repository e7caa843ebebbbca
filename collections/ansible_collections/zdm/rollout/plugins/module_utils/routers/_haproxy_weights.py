# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service in a backend: the split that its weights give, and the weights for another one.

Rules of this room: pure; a backend as it was read goes in, moves come out; nothing of sockets or of HAProxy's texts.

HAProxy has one scale, 0 to 256, for all servers of a backend, and divides requests by the weights of those that are
live. So all members of a service are put on that scale together, and the split is that of the live ones.
Every member has the weight of its pool, whatever its state: one that comes back (up again, maintenance over) takes
its proper part from the first request, so nobody has to remember it. Until the next look its pool then has more than
its share: with n of m members live, m/n times as much at most.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Tuple

from .. import _split
from ._haproxy_stat import Backend, Server
from .api import Service, Sick, Unsupported, Wanted

#: HAProxy's scale of weights.
TOP = 256

Move = Tuple[str, int]


class Weights:
    """The members of ``service`` that ``backend`` has. ``bases`` is each one's part of its pool: the configured
    weight, or 1 for all where the whole pool is configured with 0 (as people do for the idle one)."""

    def __init__(self, backend: Backend, service: Service) -> None:
        self.backend = backend
        self.pools: Dict[str, Dict[str, Server]] = {
            pool: {member.name: backend.servers[member.name] for member in members if member.name in backend.servers}
            for pool, members in service.pools.items()
        }
        self.bases: Dict[str, Dict[str, int]] = {pool: _bases(servers) for pool, servers in self.pools.items()}
        self.pool_of = {server: pool for pool, servers in self.pools.items() for server in servers}
        self.before = {server: backend.servers[server].weight for server in self.pool_of}

    def split(self) -> Dict[str, float]:
        """The share of each pool among the live members, in percent; all 0 where there is none (0/0)."""
        return _split.achieved(
            {
                pool: {name: server.weight for name, server in servers.items() if server.live}
                for pool, servers in self.pools.items()
            }
        )

    def configured(self) -> Dict[str, float]:
        """The split that the configured weights give when all are up: what a reload brings back."""
        return _split.achieved(
            {pool: {name: server.initial for name, server in servers.items()} for pool, servers in self.pools.items()}
        )

    def refuse_sick(self, wanted: Wanted) -> None:
        """Raise Sick if a pool that is to have a share has no live member.

        A stable pool that a rollout leaves is none, as long as it gets no more than it is set to have: HAProxy gives
        that to those that live.
        """
        left = wanted.armed and self._is_left(wanted)
        for pool, share in wanted.split.items():
            if share > 0 and not self._takers(pool) and not (left and pool == wanted.stable):
                states = ", ".join("%s %s" % (name, server.status) for name, server in self.pools.get(pool, {}).items())
                raise Sick(
                    "pool %s is to get %s %% of backend %s, but none of its members is up at HAProxy (%s): "
                    "bring one up, then try again"
                    % (pool, _split.percent(share), self.backend.name, states or "it has none of them")
                )

    def _is_left(self, wanted: Wanted) -> bool:
        set_to = _split.achieved(
            {pool: {name: self.before[name] for name in servers} for pool, servers in self.pools.items()}
        )
        keeps, stable = set_to.get(wanted.stable, 0.0), wanted.split.get(wanted.stable, 0.0)
        others = [pool for pool, share in wanted.split.items() if share > 0 and pool != wanted.stable]
        return stable <= keeps + _split.POINTS_TOLERANCE and any(map(self._takers, others))

    def moves(self, wanted: Wanted) -> List[Move]:
        """The weights to set, in the order that is safe at every instant; none when all is as wanted.

        A pool without a live member is planned as if all its members were up. Unsupported if whole weights cannot
        come near enough to the wanted split; Sick if a pool with a share has no members here at all.
        """
        if self._settled(wanted.split):
            return []
        if any(share > 0 and not self.bases.get(pool) for pool, share in wanted.split.items()):
            self.refuse_sick(wanted)
        target = self._lowered(wanted.split) or self._target(wanted.split)
        return _split.order(self.before, target, self.pool_of, wanted.stable)

    def _takers(self, pool: str) -> Dict[str, int]:
        """The bases of the members that take their part of what the pool gets."""
        return {
            name: base for name, base in self.bases.get(pool, {}).items() if base > 0 and self.pools[pool][name].live
        }

    def _lowered(self, split: Mapping[str, float]) -> Dict[str, int]:
        """For all to one pool whose members have exactly their parts: these stay, the others go to 0. It is the
        shortest way back, and the only one that a static algorithm takes. Empty where it does not do."""
        pool = max(split, key=lambda name: split[name])
        bases, weights = self.bases.get(pool, {}), {name: self.before[name] for name in self.pools.get(pool, {})}
        exact = all(weights[name] * sum(bases.values()) == base * sum(weights.values()) for name, base in bases.items())
        if split[pool] < 100 or not exact or not any(weights[name] for name in self._takers(pool)):
            return {}
        return {name: weights.get(name, 0) for name in self.pool_of}

    def _target(self, split: Mapping[str, float]) -> Dict[str, int]:
        takers = {pool: self._takers(pool) or self.bases[pool] for pool in self.pools}
        allotted = _split.allot(split, takers, TOP)
        got = _split.achieved(allotted)
        if not _split.can_hold(got, split):
            raise Unsupported(
                "backend %s cannot hold %s: the nearest that whole weights from 0 to %d give its %d live members is %s"
                % (self.backend.name, _split.describe(split), TOP, sum(map(len, takers.values())), _split.describe(got))
            )
        target: Dict[str, int] = {}
        for pool, bases in self.bases.items():
            each = sum(allotted[pool].values()) / (sum(takers[pool].values()) or 1)
            for name, base in bases.items():
                target[name] = allotted[pool][name] if name in allotted[pool] else _whole(each * base)
        return target

    def _settled(self, split: Mapping[str, float]) -> bool:
        idle_pools_rest = all(
            self.before[name] == 0 for pool, names in self.pools.items() if split.get(pool, 0.0) == 0 for name in names
        )
        return idle_pools_rest and _split.can_hold(self.split(), split) and all(map(self._even, self.pools))

    def _even(self, pool: str) -> bool:
        """Whether the members' weights keep the proportion of their bases, as near as whole numbers come."""
        bases = self.bases[pool]
        each = sum(self.before[name] for name in bases) / (sum(bases.values()) or 1)
        return all(
            abs(self.before[name] - each * base) <= max(1.0, _split.RELATIVE_TOLERANCE * each * base)
            for name, base in bases.items()
        )


def _bases(servers: Mapping[str, Server]) -> Dict[str, int]:
    configured = {name: server.initial for name, server in servers.items()}
    return configured if any(configured.values()) else dict.fromkeys(configured, 1)


def _whole(weight: float) -> int:
    return min(TOP, max(1, int(weight + 0.5))) if weight > 0 else 0
