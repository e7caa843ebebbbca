# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules (match, preview) came after version 1: a guard that does not know them is not asked to keep them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import urllib.request

import pytest

from tests.support.fleet import Fleet
from tests.support.traffic import traffic
from tests.support.wait import until
from tests.upgrades.frozen import OLD, PRESENT, VERSION1, resident, words

INSIDER = {"x-canary": "insider"}


def release(fleet: Fleet) -> str:
    """What answers somebody who matches."""
    with urllib.request.urlopen(urllib.request.Request(fleet.url(), headers=INSIDER), timeout=5) as answer:
        return str(json.loads(answer.read())["release"])


def configuration(fleet: Fleet) -> dict[str, str]:
    """Envoy's files."""
    directory = fleet.routers[0].envoy.directory
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.suffix in (".yaml", ".json")
    }


@pytest.mark.parametrize("agent", [OLD, PRESENT], ids=["version1", "control"])
def test_an_older_resident_guard_is_refused_in_the_plan_before_anything_moves(agent: bytes) -> None:
    with Fleet(proxy="envoy") as fleet, traffic(fleet, 50) as (client,), resident(fleet, agent) as placed:
        fleet.spec.update(
            guard="resident",
            checks={},
            match=[{"header": "X-Canary", "value": "insider"}],
            steps=[{"weight": 25, "approve": True}, {"weight": 100}],
        )
        before = configuration(fleet)
        assert before
        running = fleet.start("rollout")
        if agent is OLD:
            ended = running.wait()
            assert ended.code == 2
            said = words(ended.output)
            assert "expected a router that leads requests by match" in said
            assert "its guard may be an older one" in said
            assert configuration(fleet) == before
            assert not (placed.state / "test" / "web.json").exists(), "no lease was taken"
            assert release(fleet) == "v1"
            return
        running.says("it waits for approval")
        assert release(fleet) == "v2"
        # The one command that ends it, with the agent's file of before: an older controller had copied it here.
        command = [sys.executable, str(VERSION1 / "zdm-agent.pyz"), "--state", str(placed.state), "revert", "web"]
        reverted = subprocess.run(command, text=True, capture_output=True, check=False)
        assert reverted.returncode == 0, reverted.stderr
        assert fleet.shares() == [0.0]
        until(lambda: release(fleet) == "v1", "those who match to be back too")
        assert running.wait().code == 2
        assert fleet.outcome()["outcome"] == "rolled_back"
    assert client.result.failed == 0
