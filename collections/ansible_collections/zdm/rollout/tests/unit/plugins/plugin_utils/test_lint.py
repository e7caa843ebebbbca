# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lint: a check that can never fire stops a rollout before it starts; what may be meant is a warning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils import _lint
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError

from .example import spec_of

HELD = {"weight": 5, "hold": "5m"}
LAST = {"weight": 100}
ERRORS = {"errors": {"signal": "router", "compare": "stable"}}
FIXED = {"errors": {**ERRORS["errors"], "judge": "threshold"}}
WARMING = "checks.errors: in step 1 (5 %, hold 1m) only hard failures are found: its warm_up of 1m is not over"
UNGUARDED = "notify: without a resident guard nobody pages when the controller is gone"


def ready(**keys: Any) -> dict[str, Any]:
    return {"ready": {"signal": "http", "path": "/ready", **keys}}


def rules(change: Mapping[str, Any]) -> list[str]:
    try:
        spec_of(change)
    except SpecError as error:
        return [problem.rule for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        # 5 m of hold and 10 m of patience are 15 m in which to measure.
        ({"steps": [HELD, LAST], "checks": ready(every="5m", in_a_row=3)}, []),
        ({"steps": [HELD, LAST], "checks": ready(every="301s", in_a_row=3)}, ["lint.slow"]),
        # No patience: an inconclusive step goes back at the end of its hold.
        ({"steps": [HELD, LAST], "checks": ready(every="100s", in_a_row=3), "on_inconclusive": "rollback"}, []),
        (
            {"steps": [HELD, LAST], "checks": ready(every="101s", in_a_row=3), "on_inconclusive": "rollback"},
            ["lint.slow"],
        ),
        ({"steps": [HELD, LAST], "checks": ready(every="1h"), "progress_deadline": "55m"}, []),
        ({"steps": [LAST], "checks": ready()}, ["lint.unused"]),
        ({"steps": [{**HELD, "checks": []}, LAST], "checks": ready()}, ["lint.unused"]),
        ({"steps": [HELD, {**LAST, "hold": "5m"}], "checks": ERRORS}, []),
        ({"steps": [{**LAST, "hold": "5m"}], "checks": ERRORS}, ["lint.baseline"]),
        ({"steps": [{"weight": 5}, {**LAST, "hold": "5m"}], "checks": ERRORS}, ["lint.baseline"]),
        ({"checks": {"errors": {"signal": "router", "max": 99.9}}}, []),
        ({"checks": {"errors": {"signal": "router", "max": 100}}}, ["lint.max"]),
        ({"checks": {"errors": {"signal": "router", "min": 0.1}}}, []),
        ({"checks": {"errors": {"signal": "router", "min": 0}}}, ["lint.min"]),
    ],
)
def test_a_check_that_can_never_fire_stops_before_the_start(change: Mapping[str, Any], found: list[str]) -> None:
    assert rules(change) == found


@pytest.mark.parametrize(
    ("change", "warned"),
    [
        ({}, []),
        ({"checks": {}}, ["no checks"]),
        ({"checks": ready()}, ["no check counts what users get"]),
        ({"steps": [HELD, LAST], "checks": {**ERRORS, **ready(every="2m", in_a_row=3)}}, ["checks.ready: 6m"]),
        ({"min_requests": 49}, []),
        ({"steps": [HELD, LAST], "checks": FIXED, "min_requests": 50}, []),
        ({"steps": [HELD, LAST], "checks": FIXED, "min_requests": 49}, ["checks.errors: step 1"]),
        ({"steps": [{**HELD, "hold": "60s"}, LAST], "checks": ERRORS}, [WARMING]),
        ({"steps": [{**HELD, "hold": "61s"}, LAST], "checks": ERRORS}, []),
        ({"steps": [{"weight": 5}, LAST], "checks": {}}, ["no checks", "no step has a hold"]),
        ({"steps": [{**LAST, "hold": "5m"}], "checks": ready()}, ["no check counts", "one step of 100 %"]),
        ({"notify": [{"command": ["page"]}]}, [UNGUARDED]),
        ({"notify": [{"command": ["page"], "on": ["stuck"]}, {"command": ["mail"], "on": ["reverted"]}]}, [UNGUARDED]),
        ({"notify": [{"command": ["page"]}], "guard": "none", "on_abandon": "hold"}, [UNGUARDED]),
        ({"notify": [{"command": ["page"]}], "guard": "resident"}, []),
        ({"notify": [{"command": ["page"], "on": ["rolled_back", "stuck"]}]}, []),
    ],
    ids=[
        "nothing",
        "no checks",
        "only http",
        "longer than the hold",
        "few requests",
        "enough for fixed limits",
        "few for fixed limits",
        "warm when it is over",
        "warm before",
        "no hold",
        "all at once",
        "nobody pages",
        "one of two",
        "no guard at all",
        "a guard pages",
        "of what the watch tells",
    ],
)
def test_what_may_be_meant_is_a_warning(change: Mapping[str, Any], warned: list[str]) -> None:
    texts = _lint.warnings(spec_of(change))
    assert len(texts) == len(warned)
    for text, start in zip(texts, warned, strict=True):
        assert text.startswith(start)
