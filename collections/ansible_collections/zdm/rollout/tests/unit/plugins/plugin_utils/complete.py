# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Specs in order in which, all together, each key of the key table stands; and the way of the plan playbook for each.

They are small, so that many mutations of each can be read: what all specs have stands in example.yml.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible_collections.zdm.rollout.plugins.plugin_utils._freeze import refuse_frozen
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import LiveRouter, plan
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan_text import timeline
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._request import read_request
from ansible_collections.zdm.rollout.plugins.plugin_utils._undo import Serves

from .example import example, live_of

#: What the example's spec has of itself and a complete one needs no second time.
SMALL = ("spec.checks", "spec.health")
READY = {"ready": {"signal": "http", "path": "/ready"}}
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=timezone.utc)

_CHECKS: dict[str, Any] = {
    "errors": {
        "signal": "router",
        "of": "errors",
        "compare": "stable",
        "judge": "sequential",
        "margin": {"ratio": 1.5, "points": 0.2},
        "warm_up": "30s",
        "alpha": 0.001,
        "weight": 2,
        "dispersion": 3,
    },
    "few": {"signal": "router", "min": 0.5, "max": 3, "judge": "threshold", "every": "5s", "in_a_row": 2},
}
_ASKED: dict[str, Any] = {
    "ready": {
        "signal": "http",
        "path": "/ready",
        "port": 9000,
        "timeout": "2s",
        "expect": "status == 'ok'",
        "from": "controller",
        "every": "10s",
        "in_a_row": 3,
    },
    "code": {"signal": "http", "path": "/", "expect": 204},
}
_PAGES: dict[str, Any] = {
    "counted": {
        "signal": "metrics",
        "requests": "http_requests_total",
        "failures": 'http_requests_total{code=~"5.."}',
        "compare": "stable",
        "path": "/metrics",
        "timeout": 1,
    },
    "slow": {"signal": "metrics", "histogram": "http_request_duration_seconds", "compare": "stable", "every": "5s"},
    "queue": {"signal": "metrics", "value": "queue_depth", "min": -5, "max": 50, "port": 9100},
}

#: Name -> what is laid over the example's spec, without SMALL.
PARTS: dict[str, dict[str, Any]] = {
    "steps": {
        "checks": {"errors": {"signal": "router", "compare": "stable"}, **READY},
        "min_requests": 20,
        "steps": [
            {
                "weight": 5,
                "hold": "5m",
                "min_hold": "2m",
                "min_requests": 30,
                "checks": ["errors", "ready"],
                "approve": {"timeout": "4h", "on_timeout": "promote"},
            },
            {"weight": 100, "hold": 300, "approve": True},
        ],
    },
    "progression": {
        "checks": {"errors": {"signal": "router", "compare": "stable"}},
        "progression": {"first": 5, "factor": 2.5, "hold": "5m", "first_hold": "10m", "min_hold": "3m"},
    },
    "progressive": {"strategy": "progressive", "checks": READY, "progression": {"first": 10, "add": 22.5}},
    "blue_green": {"strategy": "blue_green", "checks": READY, "bake": "15m", "approve": {"timeout": "2h"}},
    "checks": {"checks": _CHECKS},
    "asked": {"checks": _ASKED},
    "pages": {"checks": _PAGES},
    "people": {
        "checks": READY,
        "guard": "resident",
        "notify": [
            {"command": ["/usr/local/bin/page", "--team", "web"], "on": ["stuck", "reverted"]},
            {"url": "https://example.com/hook"},
        ],
        "freeze": [
            {"from": "2026-12-20", "to": "2027-01-02 08:00", "zone": "UTC", "reason": "holidays"},
            {"days": ["fri", "sat"], "from": "16:00", "to": "24:00", "reason": "weekend"},
        ],
        "routers_ignore": [{"router": "p3", "reason": "dead"}],
        "hooks": {"deploy": {"tasks": "deploy.yml"}, "retire": {"tasks": "deploy.yml"}},
    },
    "terms": {
        "checks": READY,
        "initial": "blue",
        "health": {"path": "/health", "port": 9000, "expect": 200, "timeout": "2s"},
        "on_fail": "pause",
        "on_inconclusive": "rollback",
        "on_no_data": "pause",
        "no_data_deadline": "5m",
        "on_error": "pause",
        "error_deadline": 300,
        "progress_deadline": "10m",
        "lease": "10s",
        "guard": "session",
        "on_abandon": "hold",
        "reflex": {"alpha": 0.001, "dispersion": 2, "min_failures": 10},
        "on_foreign_change": "pause",
        "rollback_window": 2,
        "max_run": "3h",
        "park_for": "8h",
        "keep_old_for": "24h",
        "on_sick_stable": "leave",
        "on_revert": "close",
        "drain_timeout": "1m",
    },
    "rules": {
        "checks": READY,
        "match": [{"header": "x-canary", "value": "insider"}, {"cookie": "beta", "value": "1"}],
        "preview": [{"header": "x-preview", "value": "idle"}],
    },
}


def spec_of(name: str) -> dict[str, Any]:
    """One of the complete specs."""
    spec: dict[str, Any] = example(None, SMALL)["spec"]
    part = copy.deepcopy(PARTS[name])
    if "progression" in part or part.get("strategy") == "blue_green":
        del spec["steps"]
    return {**spec, **part}


def inventory() -> tuple[dict[str, list[str]], dict[str, dict[str, Any]]]:
    """The example's groups and variables of hosts, with a router more and a log of HAProxy's."""
    more = {"groups.proxies": ["p1", "p2", "p3"], "hostvars.p3": {"zdm_router": {"type": "envoy", "mode": "managed"}}}
    varied = example({**more, "hostvars.p1.zdm_router.log": {"ring": "lb"}})
    return varied["groups"], varied["hostvars"]


def planned(path: Path, release: str = "") -> list[str]:
    """The timeline for the spec in the file, as the plan playbook comes to it."""
    request = read_request(str(path), release, *inventory())
    spec, fleet = request.spec, request.fleet
    json.dumps({name: fleet.service_for(name, spec).to_json() for name in fleet.routers})
    json.dumps(fleet.to_json())
    rate = {pool: {"requests": 40.0, "failures": 0.1} for pool in spec.pools}
    serving = dict.fromkeys(spec.pools, 0.0) | {next(iter(spec.pools)): 100.0}
    live: Mapping[str, LiveRouter] = {
        name: replace(found, traffic=replace(found.traffic, rules={}, closes=True), guard="resident", rate=rate)
        for name, found in live_of(dict.fromkeys(fleet.routers, serving), fleet).items()
    }
    made = plan(spec, fleet, live, request.errand)
    json.dumps(made.to_json())
    refuse_frozen(spec.freeze, request.errand, "", NOW)
    return timeline(made, spec)


def refusal(path: Path, release: str = "") -> SpecError | None:
    """Why the spec in the file is refused; None where there is a plan. Anything else that is raised is a bug."""
    try:
        assert planned(path, release)
    except SpecError as error:
        return error
    except Serves:
        raise AssertionError("expected a rollout: nothing is recorded that could serve already") from None
    return None
