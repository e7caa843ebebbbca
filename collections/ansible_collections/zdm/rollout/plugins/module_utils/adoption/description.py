# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found at a proxy, as data (contracts, section 7)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Dict, List, Mapping, Optional, Tuple, Type

VERSION = 1


@dataclass(frozen=True)
class Limit:
    """Something that zdm cannot promise there. ``mend``: what mends it, a line each of the proxy's
    configuration, or an act.

    ``stops``: no split can be had before it is mended.
    """

    what: str
    mend: str
    stops: bool = False


@dataclass(frozen=True)
class FoundServer:
    """A server. ``weight`` is in force, ``configured`` what the configuration gives; ``status`` is the proxy's word.

    ``port`` is 0, and ``address`` empty, where the proxy has none. ``slowstart``: None where it is not known.
    ``wraps``: what it expects around its HTTP (``TLS``, ``the PROXY protocol``).
    """

    name: str
    address: str
    port: int
    weight: int
    configured: int
    health: str
    status: str
    backup: bool = False
    resting: bool = False
    cookie: str = ""
    agent: bool = False
    slowstart: Optional[str] = None
    dns: str = ""
    check_port: int = 0
    wraps: str = ""

    @property
    def endpoint(self) -> str:
        return "%s:%d" % (self.address or "-", self.port)


@dataclass(frozen=True)
class FoundBackend:
    """A backend. What only the configuration file tells is None, or empty, where that was not read.

    ``check``: what tells whether a server is up: ``http``, ``tcp``, ``none``, ``other``, or empty where it is not
    known. ``path`` and ``expect`` are those of an HTTP check, which names a host where ``vhost`` is true. ``table``:
    its stick table; ``sticky``: the lines that tie users to it; ``around``: those that go round the weights.
    ``options``: what a service in it has at its router; ``used``: who sends requests to it. Not ``named``: its servers
    have no names but their addresses.
    """

    name: str
    mode: str
    algorithm: str
    servers: Tuple[FoundServer, ...]
    check: str = ""
    path: str = ""
    expect: Optional[int] = None
    vhost: Optional[bool] = None
    retries: Optional[int] = None
    redispatch: Optional[bool] = None
    table: str = ""
    sticky: Tuple[str, ...] = ()
    around: Tuple[str, ...] = ()
    from_state_file: Optional[bool] = None
    limits: Tuple[Limit, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    used: Tuple[str, ...] = ()
    named: bool = True

    @property
    def fits(self) -> bool:
        """Whether mode ``servers`` can split it as it is."""
        return not any(limit.stops for limit in self.limits)

    def server(self, name: str) -> FoundServer:
        return next(server for server in self.servers if server.name == name)


@dataclass(frozen=True)
class Found:
    """A proxy. ``files``: its configuration files, where they were read; ``unread``: else why not.

    ``state_file`` is its server-state file; None: not known. ``log``: where zdm could read a line a request
    (``zdm_router.log``); None: nowhere. ``definition``: what else ``zdm_router`` needs; ``top``: the largest weight.
    """

    type: str
    mode: str
    socket: str
    level: str
    proxy: str
    threads: int
    processes: int
    backends: Tuple[FoundBackend, ...]
    rings: Tuple[str, ...] = ()
    log: Optional[Mapping[str, Any]] = None
    files: Tuple[str, ...] = ()
    unread: str = ""
    state_file: Optional[str] = None
    limits: Tuple[Limit, ...] = ()
    definition: Mapping[str, Any] = field(default_factory=dict)
    top: int = 256

    def backend(self, name: str) -> Optional[FoundBackend]:
        return next((backend for backend in self.backends if backend.name == name), None)

    def to_json(self) -> Dict[str, Any]:
        data = asdict(self)
        for backend, written in zip(self.backends, data["backends"]):
            written["fits"] = "servers" if self.fits and backend.fits else ""
        return {"version": VERSION, **data}

    @property
    def fits(self) -> bool:
        return not any(limit.stops for limit in self.limits)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Found:
        """From a module's result; ValueError for another version of it."""
        if data.get("version") != VERSION:
            raise ValueError(
                "the description has version %r, expected %d: use the same version of zdm.rollout everywhere"
                % (data.get("version"), VERSION)
            )
        backends = tuple(
            FoundBackend(
                **{
                    **_known(FoundBackend, each),
                    "servers": tuple(FoundServer(**_known(FoundServer, server)) for server in each["servers"]),
                    "limits": _limits(each),
                    "sticky": tuple(each["sticky"]),
                    "around": tuple(each["around"]),
                    "used": tuple(each.get("used", ())),
                }
            )
            for each in data["backends"]
        )
        lists = {"backends": backends, "limits": _limits(data), "rings": tuple(data["rings"])}
        return cls(**{**_known(cls, data), **lists, "files": tuple(data["files"])})


def _limits(data: Mapping[str, Any]) -> Tuple[Limit, ...]:
    listed: List[Mapping[str, Any]] = data["limits"]
    return tuple(Limit(**_known(Limit, limit)) for limit in listed)


def _known(kind: Type[Any], data: Mapping[str, Any]) -> Dict[str, Any]:
    names = {each.name for each in fields(kind)}
    return {key: value for key, value in data.items() if key in names}
