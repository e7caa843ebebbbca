# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a router driver is: the words that every driver and its callers share.

Rules of this room: types and errors only, no I/O, nothing of one proxy.
A driver is opened from the router's definition (``zdm_router`` of the inventory) and asked about one
service at a time; it changes that service and nothing else. Shares are percent (0 to 100, sum 100),
times are seconds, and everything that leaves this room can be written as JSON.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import AbstractSet, Any, Dict, List, Mapping, Optional, Protocol, Sequence, Tuple, Type

from . import rules as _rules

#: Health of a member as far as the router (or, where it checks nothing, the agent's probe) can tell.
UP, DOWN, UNCHECKED = "up", "down", "unchecked"
#: Nobody checks it either, but the router leaves it out for a while once tries have failed, and tries another one.
TRIED = "tried"
#: So many tries took more than the first and up to the second, in seconds; None: without end.
Bin = Tuple[float, Optional[float], int]


class RouterError(Exception):
    """A router did not do what was asked; the text names the router's thing, its answer and the next step."""


class Unreachable(RouterError):
    """The proxy does not answer at its socket."""


class Refused(RouterError):
    """The proxy answered with an error, or rejected an update; what was in force before still is."""


class Unsupported(RouterError):
    """The proxy's configuration cannot do what zdm needs; nothing was changed."""


class Sick(RouterError):
    """The pool that should take the traffic has no healthy member; nothing was changed."""


class NotInForce(RouterError):
    """The proxy took the order, but what runs is not what was wanted."""


@dataclass(frozen=True)
class Member:
    """One server of a pool. ``name`` is the server's name at the proxy."""

    name: str
    address: str
    port: int

    @property
    def endpoint(self) -> str:
        return "%s:%d" % (self.address, self.port)


@dataclass(frozen=True)
class Health:
    """How a member is asked whether it is well: ``GET path`` on ``port`` (the member's own if None).

    ``expect`` is the status code that means well; None means any 2xx. ``timeout`` in seconds.
    """

    path: str = "/"
    port: Optional[int] = None
    expect: Optional[int] = None
    timeout: float = 2.0


@dataclass(frozen=True)
class Service:
    """A service as one router has to know it: its pools and this router's own names for it.

    ``options`` is the router's part, ``zdm_router.services.<name>`` (HAProxy: ``{"backend": "web"}``).
    ``rules``: who goes where whatever the shares are (rules.py).
    """

    name: str
    environment: str
    pools: Mapping[str, Tuple[Member, ...]]
    health: Optional[Health] = None
    options: Mapping[str, Any] = field(default_factory=dict)
    rules: _rules.Rules = field(default_factory=dict)

    def pool_of(self, member: str) -> Optional[str]:
        """The pool that ``member`` (its name at the proxy) belongs to, or None."""
        for pool, members in self.pools.items():
            if any(known.name == member for known in members):
                return pool
        return None

    def to_json(self) -> Dict[str, Any]:
        rules = {name: [rule.to_json() for rule in listed] for name, listed in self.rules.items()}
        return {
            "name": self.name,
            "environment": self.environment,
            "pools": {pool: [asdict(member) for member in members] for pool, members in self.pools.items()},
            "health": asdict(self.health) if self.health else None,
            "options": dict(self.options),
            **({"rules": rules} if rules else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Service:
        health = data.get("health")
        return cls(
            name=data["name"],
            environment=data["environment"],
            pools={pool: tuple(Member(**member) for member in members) for pool, members in data["pools"].items()},
            health=Health(**health) if health else None,
            options=data.get("options") or {},
            rules=_rules.read(data.get("rules") or {}),
        )


@dataclass(frozen=True)
class Scale:
    """The numbers that this router splits by: whole weights from 0 to ``top``, one per ``server`` or per ``pool``."""

    per: str
    top: int


@dataclass(frozen=True)
class MemberState:
    """A member as the running proxy has it. ``weight`` is in the router's own scale, ``base`` what the
    operator's configuration gives it (its part of its pool); ``health`` is UP, DOWN, UNCHECKED or TRIED. ``sessions``:
    how much (requests, a WebSocket, a download) is under way there; None where the proxy does not tell."""

    name: str
    pool: str
    health: str
    weight: int
    base: int = 1
    sessions: Optional[int] = None


@dataclass(frozen=True)
class Traffic:
    """What the running proxy does with a service now.

    ``split`` is the share of each pool in percent among the members that take traffic;
    ``held`` is False where the proxy's weights give no share at all (0/0). ``rules``: the pool that each set of rules
    leads to (rules.py); None where this router knows no rules. ``closes``: sessions can be ended here
    (``Driver.close``). ``costs``: what each change of the split costs, for people; empty where it costs nothing.
    """

    members: Tuple[MemberState, ...]
    split: Mapping[str, float]
    scale: Scale
    held: bool = True
    durable: str = "no"
    promises: Tuple[str, ...] = ()
    warnings: Tuple[str, ...] = ()
    rules: Optional[Mapping[str, str]] = None
    closes: bool = False
    costs: str = ""

    def healthy(self, pool: str) -> int:
        """How many members of ``pool`` are not known to be down."""
        return sum(1 for member in self.members if member.pool == pool and member.health != DOWN)

    def sessions(self, pool: str) -> Optional[int]:
        """How many requests and connections are under way at the members of ``pool``; None where nobody tells."""
        told = [member.sessions for member in self.members if member.pool == pool]
        return None if any(number is None for number in told) else sum(number or 0 for number in told)

    def given(self, pool: str) -> float:
        """The share in percent that the proxy is set to give ``pool``, whether or not its members are well."""
        if self.scale.per == "pool":
            return self.split.get(pool, 0.0)
        total = sum(member.weight for member in self.members)
        return 100.0 * sum(member.weight for member in self.members if member.pool == pool) / (total or 1)

    def to_json(self) -> Dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Traffic:
        """From an agent's reply, which may be a newer one's: what is not known is passed over."""
        rest = {key: data[key] for key in ("split", "held", "durable", "closes", "costs") if key in data}
        rules = data.get("rules")
        return cls(
            members=tuple(MemberState(**_known(MemberState, member)) for member in data["members"]),
            scale=Scale(**_known(Scale, data["scale"])),
            promises=tuple(data.get("promises", ())),
            warnings=tuple(data.get("warnings", ())),
            rules=None if rules is None else dict(rules),
            **rest,
        )


def _known(kind: Type[Any], data: Mapping[str, Any]) -> Dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {key: value for key, value in data.items() if key in names}


@dataclass(frozen=True)
class Wanted:
    """A split to bring about. ``stable`` is the pool to favour while it is being brought about.

    ``even_if_sick`` is a person's own word that a pool without a healthy member shall have its share.
    ``armed``: a rollout has it in its hands, which decides what rules are in force with it.
    """

    split: Mapping[str, float]
    stable: str
    even_if_sick: bool = False
    armed: bool = False

    def targets(self, service: Service) -> Dict[str, str]:
        """The pool that each set of the service's rules leads to with this split."""
        split = {pool: self.split.get(pool, 0.0) for pool in service.pools}
        return _rules.targets(service.rules, split, self.stable, self.armed)


@dataclass(frozen=True)
class Change:
    """One thing that ``write`` would change (a file, a server's weight): what is there, what would be."""

    thing: str
    before: str
    after: str


@dataclass(frozen=True)
class Counters:
    """Tries sent to one member since the proxy started counting; ``failures`` counts every failed try.

    ``kinds`` says of what kind they were as far as the proxy tells (``http_5xx``, ``connect``, ``timeout``);
    their sum may be less than ``failures``, never more is claimed than the proxy shows.
    """

    requests: int
    failures: int
    kinds: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Times:
    """How long tries took, by pool, since somebody began to count; they may be ``lag`` seconds late."""

    pools: Mapping[str, Sequence[Bin]]
    lag: float = 0.0

    def to_json(self) -> Dict[str, Any]:
        return {"times": {pool: [list(each) for each in bins] for pool, bins in self.pools.items()}, "lag": self.lag}


class Driver(Protocol):
    """What a proxy has to offer. Every method may raise RouterError; none retries in silence."""

    def read(self, service: Service) -> Traffic:
        """What is in force now, from the running proxy."""

    def changes(self, service: Service, wanted: Wanted) -> List[Change]:
        """What ``write`` would change; an empty list means that all is as wanted."""

    def write(self, service: Service, wanted: Wanted) -> None:
        """Bring the split about, raising before lowering; returns when the proxy has taken it."""

    def verify(self, service: Service, wanted: Wanted) -> Traffic:
        """Read back; NotInForce where the split is not the wanted one within the router's resolution."""

    def counters(self, service: Service) -> Dict[str, Counters]:
        """Counters of each member by its name at the proxy."""

    def times(self, service: Service) -> Times:
        """How long tries took; Unsupported, with what to do, where nobody counts it."""

    def observe(self, service: Service) -> Tuple[Traffic, Dict[str, Counters]]:
        """What ``read`` and ``counters`` say, for those who look many times a second."""

    def revert(self, service: Service, stable: str) -> None:
        """All traffic to ``stable`` the shortest way there is."""

    def leave_out(self, service: Service, members: AbstractSet[str]) -> None:
        """Send nothing to these members, by name, and to all others of their pools. It is ordered only where members
        are TRIED; of the share it changes nothing."""

    def close(self, service: Service, pool: str) -> None:
        """End whatever is under way at the members of ``pool``; Unsupported where this proxy cannot."""
