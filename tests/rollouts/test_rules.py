# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who matches sees the new release first and nobody else does; a preview reaches whichever pool has no traffic."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers.rules import read
from tests.support.fleet import Fleet
from tests.support.traffic import traffic
from tests.support.wait import until

MATCH = [{"header": "X-Canary", "value": "insider"}, {"cookie": "beta", "value": "1"}]
PREVIEW = [{"header": "x-preview", "value": "idle"}]
INSIDERS = [
    {"x-canary": "insider"},
    {"cookie": "beta=1"},
    {"cookie": "theme=dark; beta=1; lang=de"},
]
OUTSIDERS: list[dict[str, str]] = [
    {},
    {"x-canary": "outsider"},
    {"x-canary": "insider2"},
    {"cookie": "beta=10"},
    {"cookie": "alphabeta=1"},
    {"cookie": "theme=beta=1"},
]


@pytest.fixture(params=["envoy", "haproxy-managed", "nginx"])
def led(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Two routers that know rules, under the traffic of those that match none."""
    with Fleet(routers=2, proxy=request.param) as running:
        running.spec.update(checks={}, min_requests=0)
        for router in running.routers:
            router.know(read({"match": MATCH, "preview": PREVIEW}))
        with traffic(running, 50) as clients:
            yield running
        assert [client.result.failed for client in clients] == [0, 0]


def releases(fleet: Fleet, headers: dict[str, str]) -> set[str]:
    """The releases that answer requests with these headers, at all routers."""
    found = set()
    for router in range(len(fleet.routers)):
        for dummy in range(10):
            request = urllib.request.Request(fleet.url(router), headers=headers)
            with urllib.request.urlopen(request, timeout=5) as answer:
                found.add(json.loads(answer.read())["release"])
    return found


def seen_by(fleet: Fleet, all_of: list[dict[str, str]]) -> list[set[str]]:
    return [releases(fleet, headers) for headers in all_of]


def test_who_matches_sees_the_new_release_and_nobody_else(led: Fleet) -> None:
    led.spec.update(match=MATCH, steps=[{"weight": 0, "approve": True}, {"weight": 100}])
    assert seen_by(led, INSIDERS) == [{"v1"}] * len(INSIDERS), "before the rollout nobody is led anywhere"
    running = led.start("rollout")
    running.says("it waits for approval")
    assert led.shares() == [0.0] * 2
    assert seen_by(led, INSIDERS) == [{"v2"}] * len(INSIDERS)
    assert seen_by(led, OUTSIDERS) == [{"v1"}] * len(OUTSIDERS)
    matched = len(INSIDERS) * 10 * 2
    assert led.members["green"].count()["requests"] == matched, "of the clients' requests none may come to green"
    assert "match rules lead to green" in led.routers[0].agent("status").stdout

    assert led.play("promote", log="promote.log").code == 0
    assert running.wait().code == 0
    assert led.shares() == [100.0] * 2
    assert seen_by(led, [*INSIDERS, *OUTSIDERS]) == [{"v2"}] * len([*INSIDERS, *OUTSIDERS])


def test_a_revert_takes_those_who_match_back_too(led: Fleet) -> None:
    led.spec.update(match=MATCH, steps=[{"weight": 0, "approve": True}, {"weight": 100}])
    running = led.start("rollout")
    running.says("it waits for approval")
    assert seen_by(led, INSIDERS) == [{"v2"}] * len(INSIDERS)
    assert led.play("abort", log="abort.log").code == 0
    assert running.wait().code == 2
    assert seen_by(led, INSIDERS) == [{"v1"}] * len(INSIDERS)


def test_rules_that_somebody_removes_are_put_back(led: Fleet) -> None:
    led.spec.update(match=MATCH, steps=[{"weight": 25, "approve": True}, {"weight": 100}])
    running = led.start("rollout")
    running.says("it waits for approval")
    led.routers[0].meddle(25)  # the same shares, without a rule
    running.says("somebody else changed the split")
    until(lambda: releases(led, INSIDERS[0]) == {"v2"}, "those who match to be led to green again")
    assert led.play("abort", log="abort.log").code == 0
    assert running.wait().code == 2


def test_a_preview_reaches_the_idle_pool_before_and_after_the_switch(led: Fleet) -> None:
    del led.spec["steps"]
    led.spec.update(strategy="blue_green", approve=True, bake=0, preview=PREVIEW)
    running = led.start("rollout")
    running.says("it waits for approval")
    assert seen_by(led, [PREVIEWED, {}]) == [{"v2"}, {"v1"}]
    assert led.play("promote", log="promote.log").code == 0
    assert running.wait().code == 0
    assert seen_by(led, [PREVIEWED, {}]) == [{"v1"}, {"v2"}], "the old pool is the idle one now"


PREVIEWED = {"x-preview": "idle"}


def test_what_was_refused_before_the_switch_is_reached_by_the_preview_alone(led: Fleet) -> None:
    del led.spec["steps"]
    smoke = {"signal": "http", "path": "/ready", "expect": "status == 'no'", "every": "1s", "in_a_row": 1}
    led.spec.update(strategy="blue_green", bake=0, preview=PREVIEW, checks={"smoke": smoke})
    assert led.play("rollout").code == 2
    assert led.shares() == [0.0] * 2
    before = led.members["green"].count()["requests"]
    assert seen_by(led, [PREVIEWED, {}]) == [{"v2"}, {"v1"}]
    assert led.members["green"].count()["requests"] == before + 10 * 2


def test_a_router_that_knows_no_rules_is_refused_before_anything_moves() -> None:
    with Fleet(proxy="haproxy") as fleet:
        fleet.spec.update(match=MATCH)
        refused = fleet.play("rollout")
        assert refused.code == 2
        assert "expected a router that leads requests by match" in " ".join(refused.output.split())
        assert fleet.shares() == [0.0]


def test_a_configuration_without_the_rules_is_refused_before_anything_moves() -> None:
    with Fleet(proxy="haproxy-managed") as fleet:
        fleet.spec.update(match=MATCH)
        refused = fleet.play("rollout")
        assert refused.code == 2
        assert "once the role router has run with them" in " ".join(refused.output.split())
        assert fleet.shares() == [0.0]
