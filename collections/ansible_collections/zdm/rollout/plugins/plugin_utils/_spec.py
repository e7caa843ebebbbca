# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The spec: what a user wrote, read once and for all into plain values (contracts, section 1).

Rules of this room: a document (what YAML made of the file) in, a Spec or SpecError out; no files, no inventory.
Every problem is found in one go. What a Spec holds needs no further check by its readers: names are names, times are
seconds, steps rise to 100, each check that a step names is there, and lint has nothing to say against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..module_utils.agent.record import HISTORY
from ..module_utils.routers.api import Health
from ..module_utils.routers.rules import Rules
from . import _checks, _freeze, _lint, _routing, _spec_keys, _steps, _terms
from ._checks import Check
from ._freeze import Freeze
from ._kinds import DAY, NAME, PATTERN, PORT, REQUESTS, STATUS, TEXT, TIMEOUT, URL_PATH, duration, whole
from ._problem import Problem, SpecError
from ._reader import Reader, read
from ._rules import problem
from ._steps import StepSpec
from ._terms import Notify, Reflex

__all__ = ["Check", "IgnoredRouter", "Notify", "PoolSpec", "Reflex", "Spec", "StepSpec", "parse"]

#: The newest version of the spec that this zdm reads.
VERSION = 1

DEADLINE = duration(high=DAY)
MAX_RUN = duration(60)
PARK_FOR = duration(60)
KEEP = duration()
DRAIN = duration(high=DAY)
#: As many releases as an agent's history has rollouts.
WINDOW = whole(1, HISTORY)


@dataclass(frozen=True)
class PoolSpec:
    """Where a pool's members are: on the hosts of ``group``, named at the proxy by the pattern ``server``."""

    group: str
    port: int
    server: str


@dataclass(frozen=True)
class IgnoredRouter:
    """A router that is left out, by name and with a reason."""

    router: str
    reason: str


@dataclass(frozen=True)
class Spec:
    """``routers`` is a group; ``deploy_tasks``, ``retire_tasks`` paths as written, relative to the spec; seconds."""

    version: int
    service: str
    environment: str
    release: str
    strategy: str
    routers: str
    routers_ignore: tuple[IgnoredRouter, ...]
    pools: Mapping[str, PoolSpec]
    initial: str | None
    health: Health | None
    steps: tuple[StepSpec, ...]
    checks: Mapping[str, Check]
    on_fail: str
    on_no_data: str
    on_error: str
    on_inconclusive: str | None
    no_data_deadline: float
    error_deadline: float
    progress_deadline: float
    deploy_tasks: str | None
    retire_tasks: str | None
    lease: float
    guard: str
    on_abandon: str
    reflex: Reflex | None
    on_foreign_change: str
    on_sick_stable: str
    notify: tuple[Notify, ...]
    rollback_window: int
    freeze: tuple[Freeze, ...]
    max_run: float | None
    park_for: float
    keep_old_for: float
    on_revert: str
    drain_timeout: float
    rules: Rules


def parse(document: Any, release: str | None = None) -> Spec:
    """The Spec that ``document`` describes; ``release`` wins over the one in it. SpecError with every problem."""
    problems: list[Problem] = []
    top = Reader(document, "", _spec_keys.SPEC, problems)
    if not top.is_mapping:
        raise SpecError(problems)
    pools = _pools(top)
    written = top.mapping("checks", None)
    checks = _checks.read_checks(written)
    strategy = top.choice("strategy", _spec_keys.STRATEGIES, None, required=True) or ""
    hooks = top.mapping("hooks", _spec_keys.HOOKS)
    guard, on_abandon = _terms.read_guard(top)
    spec = Spec(
        version=_version(top),
        service=top.required("service", NAME, ""),
        environment=top.required("environment", NAME, ""),
        release=_release(top, release),
        strategy=strategy,
        routers=top.required("routers", TEXT, ""),
        routers_ignore=_ignored(top),
        pools=pools,
        initial=_initial(top, pools),
        health=_health(top.mapping("health", _spec_keys.HEALTH)) if top.has("health") else None,
        steps=_steps.read_steps(
            top, strategy, top.optional("min_requests", REQUESTS, 50), checks, tuple(written.keys())
        ),
        checks=checks,
        on_fail=_policy(top, "on_fail"),
        on_no_data=_policy(top, "on_no_data"),
        on_error=_policy(top, "on_error"),
        on_inconclusive=top.choice("on_inconclusive", _spec_keys.POLICIES, None),
        no_data_deadline=top.optional("no_data_deadline", DEADLINE, 300.0),
        error_deadline=top.optional("error_deadline", DEADLINE, 300.0),
        progress_deadline=top.optional("progress_deadline", DEADLINE, 600.0),
        deploy_tasks=_tasks(hooks, "deploy"),
        retire_tasks=_tasks(hooks, "retire"),
        keep_old_for=top.optional("keep_old_for", KEEP, 0.0),
        on_revert=_terms.read_on_revert(top, guard),
        drain_timeout=top.optional("drain_timeout", DRAIN, 30.0),
        lease=top.optional("lease", _terms.LEASE, 10.0),
        guard=guard,
        on_abandon=on_abandon,
        reflex=_terms.read_reflex(top),
        on_foreign_change=top.choice("on_foreign_change", _spec_keys.ON_FOREIGN_CHANGE, _terms.ROLLBACK),
        on_sick_stable=top.choice("on_sick_stable", _spec_keys.ON_SICK_STABLE, _terms.PAUSE),
        notify=_terms.read_notify(top),
        rollback_window=top.optional("rollback_window", WINDOW, 1),
        freeze=_freeze.read_freezes(top),
        max_run=top.optional("max_run", MAX_RUN, None),
        park_for=top.optional("park_for", PARK_FOR, DAY),
        rules=_routing.read_rules(top),
    )
    found = problems or _lint.lint(spec)
    if found:
        raise SpecError(found)
    return spec


def _policy(top: Reader, key: str) -> str:
    return top.choice(key, _spec_keys.POLICIES, _steps.ROLLBACK)


def _version(top: Reader) -> int:
    version = top.raw("version")
    number = version if isinstance(version, int) and not isinstance(version, bool) else None
    if number is not None and number > VERSION:
        raise SpecError([problem("spec.newer", "version", version, version=version)])
    if not top.has("version"):
        top.note("key.missing", "version", what=VERSION)
    elif version is not None and number != VERSION:
        top.note("value.choice", "version", version, known=VERSION)
    return VERSION


def _release(top: Reader, override: str | None) -> str:
    written = top.optional("release", TEXT, "")
    if override is not None:
        return read(TEXT, override, "zdm_release", "", top.problems)
    if not top.has("release"):
        top.note("spec.release", "release")
    return written


def _ignored(top: Reader) -> tuple[IgnoredRouter, ...]:
    ignored: dict[str, IgnoredRouter] = {}
    for entry in top.mappings("routers_ignore", _spec_keys.IGNORED_ROUTER):
        router, reason = entry.required("router", TEXT, ""), entry.required("reason", TEXT, "")
        if router and router in ignored:
            entry.note("spec.ignored_twice", "router", router)
        ignored[router] = IgnoredRouter(router, reason)
    return tuple(ignored.values())


def _pools(top: Reader) -> dict[str, PoolSpec]:
    written = top.mapping("pools", None)
    if not top.has("pools"):
        top.note("key.missing", "pools", what="exactly two pools")
    elif written.is_mapping and top.raw("pools") is not None and len(list(written.keys())) != 2:
        top.note("spec.pools", "pools", top.raw("pools"))
    pools = {}
    for name, pool in written.entries(_spec_keys.POOL):
        read(NAME, name, pool.path, "", top.problems)
        pools[name] = PoolSpec(
            pool.required("group", TEXT, ""), pool.required("port", PORT, 0), pool.optional("server", PATTERN, "{host}")
        )
    return pools


def _initial(top: Reader, pools: Mapping[str, PoolSpec]) -> str | None:
    initial = top.optional("initial", TEXT, None)
    if initial is not None and initial not in pools:
        top.note("spec.initial", "initial", initial, pools=" and ".join(pools))
    return initial


def _health(health: Reader) -> Health:
    return Health(
        path=health.optional("path", URL_PATH, "/"),
        port=health.optional("port", PORT, None),
        expect=health.optional("expect", STATUS, None),
        timeout=health.optional("timeout", TIMEOUT, 2.0),
    )


def _tasks(hooks: Reader, name: str) -> str | None:
    if not hooks.has(name):
        return None
    hook = hooks.mapping(name, _spec_keys.HOOK)
    return hook.required("tasks", TEXT, None) if hook.is_mapping and hooks.raw(name) is not None else None
