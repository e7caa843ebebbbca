# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet: the routers and pool members that the inventory gives a spec.

Rules of this room: the inventory as plain mappings in, a Fleet or SpecError out; nothing of Ansible, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..module_utils.routers.api import Member, Service
from . import _spec_keys
from ._kinds import NAME, PATH, PORT, SERVER, TEXT
from ._problem import Problem, SpecError
from ._reader import Reader, nearest, read
from ._rules import problem
from ._spec import Spec

Groups = Mapping[str, Sequence[str]]
HostVars = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class PoolMember:
    """A member of a pool and the inventory host that it runs on."""

    host: str
    member: Member


@dataclass(frozen=True)
class Fleet:
    """``routers``: host name -> its ``zdm_router``, in inventory order; ``ignored``: router -> reason."""

    routers: Mapping[str, Mapping[str, Any]]
    ignored: Mapping[str, str]
    pools: Mapping[str, tuple[PoolMember, ...]]

    def service_for(self, router: str, spec: Spec) -> Service:
        """The service as ``router`` has to know it."""
        services = self.routers[router].get("services") or {}
        return Service(
            name=spec.service,
            environment=spec.environment,
            pools={pool: tuple(known.member for known in members) for pool, members in self.pools.items()},
            health=spec.health,
            options=services.get(spec.service) or {},
            rules=spec.rules,
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "routers": {name: dict(definition) for name, definition in self.routers.items()},
            "ignored": dict(self.ignored),
            "pools": {
                pool: [{"host": known.host, "member": asdict(known.member)} for known in members]
                for pool, members in self.pools.items()
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Fleet:
        return cls(
            routers=data["routers"],
            ignored=data["ignored"],
            pools={
                pool: tuple(PoolMember(known["host"], Member(**known["member"])) for known in members)
                for pool, members in data["pools"].items()
            },
        )


def resolve(spec: Spec, groups: Groups, hostvars: HostVars) -> Fleet:
    """The fleet that the inventory gives ``spec``; SpecError with everything that keeps it from one."""
    problems: list[Problem] = []
    ignored = {entry.router: entry.reason for entry in spec.routers_ignore}
    names = _hosts("routers", spec.routers, groups, problems)
    for index, name in enumerate(ignored):
        if names and name not in names:
            path = f"routers_ignore[{index}].router"
            problems.append(problem("fleet.ignored", path, name, group=spec.routers, known=", ".join(names)))
    if names and set(names) <= set(ignored):
        problems.append(problem("fleet.all_ignored", "routers_ignore", list(ignored)))
    routers = {name: _router(name, hostvars.get(name, {}), problems) for name in names if name not in ignored}
    problems += _untimed(spec, routers)
    pools = _pools(spec, groups, hostvars, problems)
    problems += _same_pages(spec, pools)
    if problems:
        raise SpecError(problems)
    return Fleet(routers, ignored, pools)


def _hosts(path: str, group: str, groups: Groups, problems: list[Problem]) -> list[str]:
    if group not in groups:
        problems.append(problem("fleet.no_group", path, group, hint=nearest(group, groups)))
        return []
    if not groups[group]:
        problems.append(problem("fleet.empty", path, group, group=group))
    return list(groups[group])


def _router(name: str, variables: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    path = f"{name}.zdm_router"
    if variables.get("zdm_router") is None:
        problems.append(problem("fleet.no_router", path, router=name))
        return {}
    written = Reader(variables["zdm_router"], path, _spec_keys.ANY_ROUTER, problems)
    if not written.is_mapping:
        return {}
    kind = written.choice("type", _spec_keys.ROUTER_TYPES, None, required=True)
    if kind is None:
        return {}
    mode = written.choice("mode", _spec_keys.ROUTER_MODES[kind], None, required=True)
    if mode is None:
        return {}
    own = _spec_keys.ROUTER.known + _spec_keys.ROUTER_OF[kind, mode]
    for key in _spec_keys.ANY_ROUTER.known:
        if key not in own and written.has(key):
            written.note("fleet.other_type", key, written.raw(key), type=_types_with(key))
    for key in _spec_keys.ROUTER_PATHS:
        written.optional(key, PATH, None)
    written.optional("binary", TEXT, None)
    _log(written)
    for service, options in written.mapping("services", None).entries(_spec_keys.ROUTER_SERVICE[kind, mode]):
        read(NAME, service, options.path, "", problems)
        options.optional("backend", SERVER, None)
        options.optional("upstream", SERVER, None)
        if (kind, mode) == ("nginx", "servers"):
            options.required("file", PATH, "")
        options.optional("listen", TEXT, None)
    return dict(variables["zdm_router"])


def _types_with(key: str) -> str:
    """The types of routers that have this key, with the modes where not all have it."""
    found: dict[str, list[str]] = {}
    for (kind, mode), keys in _spec_keys.ROUTER_OF.items():
        if key in keys:
            found.setdefault(kind, []).append(mode)
    return " or ".join(
        kind if list(_spec_keys.ROUTER_MODES[kind].known) == modes else f"{kind}, mode: {' or '.join(modes)}"
        for kind, modes in found.items()
    )


def _log(router: Reader) -> None:
    """Where a proxy's log can be read: one place."""
    if not router.has("log"):
        return
    log = router.mapping("log", _spec_keys.ROUTER_LOG)
    log.optional("ring", SERVER, None)
    log.optional("file", PATH, None)
    log.optional("udp", PORT, None)
    if log.is_mapping and len([key for key in _spec_keys.ROUTER_LOG.known if log.has(key)]) != 1:
        router.note("fleet.log", "log", ", ".join(log.keys()) or None)


def _untimed(spec: Spec, routers: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    """Routers that could not say how long tries take, or how many failed, where a check wants to know."""
    wanting = [check.name for check in spec.checks.values() if check.signal == "router" and check.of == "latency"]
    counting = [check.name for check in spec.checks.values() if check.signal == "router"]
    for name, router in routers.items():
        kind = (router.get("type"), router.get("mode"))
        if counting and kind == ("nginx", "servers") and not router.get("log"):
            yield problem("fleet.uncounted", f"{name}.zdm_router.log", None, check=counting[0])
        if wanting and kind == ("haproxy", "servers") and not router.get("log"):
            yield problem("fleet.untimed", f"{name}.zdm_router.log", None, check=wanting[0])


def _same_pages(spec: Spec, pools: Mapping[str, Sequence[PoolMember]]) -> Iterator[Problem]:
    """Checks of metrics for which both pools would be read off the same page, and never differ."""
    of = {pool: {known.member.address for known in members} for pool, members in pools.items()}
    shared = sorted(set.intersection(*of.values())) if len(of) > 1 else []
    for check in spec.checks.values():
        if shared and check.signal == "metrics" and check.port is not None and check.of != "value":
            both = f"{' and '.join(of)} on {shared[0]}"
            yield problem("fleet.same_page", f"checks.{check.name}.port", check.port, both=both)


def _pools(
    spec: Spec, groups: Groups, hostvars: HostVars, problems: list[Problem]
) -> dict[str, tuple[PoolMember, ...]]:
    pools: dict[str, tuple[PoolMember, ...]] = {}
    servers: dict[str, str] = {}
    endpoints: dict[str, str] = {}
    for pool, wanted in spec.pools.items():
        members = []
        for host in _hosts(f"pools.{pool}.group", wanted.group, groups, problems):
            variables = hostvars.get(host, {})
            written = variables.get("zdm_address") or variables.get("ansible_host") or host
            server = wanted.server.replace("{host}", host).replace("{pool}", pool)
            named: list[Problem] = []
            read(SERVER, server, f"pools.{pool}.server", "", named)
            _note_once(named, problems)
            address = _address(host, written, problems)
            who = f"{host} in pool {pool}"
            if not named:
                _once("fleet.server_twice", f"pools.{pool}.server", server, who, servers, problems)
            _once("fleet.endpoint_twice", f"pools.{pool}.port", f"{address}:{wanted.port}", who, endpoints, problems)
            members.append(PoolMember(host, Member(server, address, wanted.port)))
        pools[pool] = tuple(members)
    return pools


def _address(host: str, written: Any, problems: list[Problem]) -> str:
    if not isinstance(written, str) or not written or any(not sign.isprintable() or sign == " " for sign in written):
        wrong = problem("fleet.address", f"{host}.zdm_address", written, host=host)
        if wrong not in problems:  # the host may be in both pools
            problems.append(wrong)
        return host
    return str(written)


def _once(rule: str, path: str, value: str, who: str, seen: dict[str, str], problems: list[Problem]) -> None:
    if value in seen:
        _note_once([problem(rule, path, value, first=seen[value])], problems)
    seen.setdefault(value, who)


def _note_once(found: list[Problem], problems: list[Problem]) -> None:
    """What is wrong with a pool is wrong with each of its hosts, and said of the first."""
    told = {(each.rule, each.key) for each in problems}
    problems += [each for each in found if (each.rule, each.key) not in told]
