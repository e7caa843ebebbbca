# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A blue-green pair is switched: looked at before, all at once, baked; and back in one order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fleet import Fleet
from tests.support.traffic import traffic
from tests.support.wait import until

READY = {"signal": "http", "path": "/ready", "expect": "status == 'ok'", "every": "1s", "in_a_row": 2}
ERRORS = {"signal": "router", "of": "errors", "compare": "stable", "warm_up": 0}


@pytest.fixture(params=["haproxy", "haproxy-managed", "envoy", "nginx"])
def pair(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Two routers before a blue-green pair."""
    with Fleet(routers=2, proxy=request.param) as running:
        del running.spec["steps"]
        running.spec.update(strategy="blue_green", bake="2s", checks={"ready": READY}, min_requests=20)
        yield running


def ordinary(fleet: Fleet, pool: str) -> int:
    """Requests of clients that a pool's member had; probes are not among them."""
    return int(fleet.members[pool].count()["requests"])


def test_all_traffic_goes_over_at_once_and_nobody_notices(pair: Fleet) -> None:
    with traffic(pair, 100) as clients:
        ended = pair.play("rollout")
    assert ended.code == 0, ended.output
    assert pair.shares() == [100.0] * 2
    assert [client.result.failed for client in clients] == [0, 0]
    assert [step["weight"] for step in pair.outcome()["steps"]] == [0.0, 100.0]


def test_what_does_not_get_ready_gets_no_request(pair: Fleet) -> None:
    pair.spec["checks"]["ready"] = {**READY, "expect": "status == 'no'"}
    with traffic(pair, 100) as clients:
        ended = pair.play("rollout")
    assert ended.code == 2, ended.output
    assert pair.shares() == [0.0] * 2
    assert pair.outcome()["reason"].startswith("ready: ")
    assert ordinary(pair, "green") == 0
    assert [client.result.failed for client in clients] == [0, 0]


def test_what_fails_after_the_switch_goes_back_at_once(pair: Fleet) -> None:
    """There is no stable any more to compare with: the time before the switch is."""
    pair.spec.update(bake="60s", checks={"errors": ERRORS}, reflex="disabled")
    with traffic(pair, 100) as clients:
        running = pair.start("rollout")
        running.says("step 2 of 2: raising green to 100 %")
        until(lambda: ordinary(pair, "green") > 50, "green to have had requests")
        pair.members["green"].behave(fail=0.5)
        ended = running.wait()
    assert ended.code == 2, ended.output
    assert pair.shares() == [0.0] * 2
    outcome = pair.outcome()
    assert (outcome["outcome"], outcome["actor"]) == ("rolled_back", "verdict")
    assert "stable 0.00 % of" in outcome["reason"] and "before the switch" in outcome["reason"]
    failed = sum(client.result.failed for client in clients)
    answers = pair.members["green"].count()["statuses"]
    assert failed == int(answers.get("500", 0)), "only what the bad release itself answered may fail"


def test_the_switch_waits_for_somebody(pair: Fleet) -> None:
    pair.spec.update(approve={"timeout": "1h"}, bake=0, checks={})
    running = pair.start("rollout")
    running.says("it waits for approval")
    assert pair.shares() == [0.0] * 2
    assert pair.play("promote", log="promote.log").code == 0
    assert running.wait().code == 0
    assert pair.shares() == [100.0] * 2
