# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example that the tests vary: a spec, the inventory around it, and what its routers show (example.yml)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import DOWN, UP, MemberState, Scale, Traffic
from ansible_collections.zdm.rollout.plugins.plugin_utils import _document
from ansible_collections.zdm.rollout.plugins.plugin_utils._fleet import Fleet, resolve
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import LiveRouter, Plan, plan
from ansible_collections.zdm.rollout.plugins.plugin_utils._spec import Spec, parse

HERE = Path(__file__).resolve().parent
TEXT = (HERE / "example.yml").read_bytes()
EXAMPLE: Mapping[str, Any] = _document.load(TEXT, "example.yml")

#: What HAProxy and Envoy split by.
PER_SERVER, PER_POOL = Scale("server", 256), Scale("pool", 10000)


def example(change: Mapping[str, Any] | None = None, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The example, other at some dotted paths and without what stands at others."""
    varied: dict[str, Any] = copy.deepcopy(dict(EXAMPLE))
    for path in without:
        place, key = _at(varied, path)
        del place[key]
    for path, value in (change or {}).items():
        place, key = _at(varied, path)
        place[key] = value
    return varied


def _at(document: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    *parents, key = path.split(".")
    for parent in parents:
        document = document[parent]
    return document, key


def spec_of(change: Mapping[str, Any] | None = None, without: tuple[str, ...] = ()) -> Spec:
    """The example's spec, other at some paths (without "spec.")."""
    paths = {"spec." + path: value for path, value in (change or {}).items()}
    return parse(example(paths, tuple("spec." + path for path in without))["spec"])


def fleet_of(varied: Mapping[str, Any], spec: Spec) -> Fleet:
    return resolve(spec, varied["groups"], varied["hostvars"])


def plan_of(varied: Mapping[str, Any]) -> Plan:
    """The plan for an example as a whole."""
    spec = parse(varied["spec"])
    fleet = fleet_of(varied, spec)
    return plan(spec, fleet, live_of(varied["live"], fleet))


def live_of(
    splits: Mapping[str, Mapping[str, float]], fleet: Fleet, down: Mapping[str, str] | None = None
) -> dict[str, LiveRouter]:
    """Routers that show these splits, by the scale of their type; no records.

    ``down``: router -> the pool whose members are down there.
    """
    down = down or {}
    return {
        name: LiveRouter(traffic_of(split, fleet, name, down.get(name, "")), None) for name, split in splits.items()
    }


def traffic_of(split: Mapping[str, float], fleet: Fleet, router: str, down: str = "") -> Traffic:
    scale = PER_POOL if fleet.routers[router]["type"] == "envoy" else PER_SERVER
    members = tuple(
        MemberState(known.member.name, pool, DOWN if pool == down else UP, round(split[pool] * scale.top / 100))
        for pool, members in fleet.pools.items()
        for known in members
    )
    rules: Mapping[str, str] | None = {} if fleet.routers[router]["type"] == "envoy" else None
    return Traffic(members, dict(split), scale, durable="no", rules=rules, closes=rules is None)
