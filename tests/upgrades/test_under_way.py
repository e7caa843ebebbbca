# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection is upgraded on the controller while a rollout runs: what it needs later was loaded before it began."""

from __future__ import annotations

import shutil

import pytest

from tests.support.fleet import UNUSED, Fleet
from tests.support.traffic import traffic
from tests.upgrades.frozen import words

#: What loads the later actions with the first one.
LOADED = (
    "from ansible_collections.zdm.rollout.plugins.action import connect, finish, step\n",
    "LOADED = (connect, finish, step)\n",
)
#: The worst that another release can be: none of its files goes together with those that are loaded already.
ANOTHER = "raise ImportError('of another release')\n"


@pytest.mark.parametrize("loaded", [True, False], ids=["", "control"])
def test_a_rollout_goes_on_to_its_end_when_its_collection_is_replaced(loaded: bool) -> None:
    with Fleet() as fleet, traffic(fleet, 50) as (client,):
        present = fleet.collections
        fleet.collections = shutil.copytree(present, fleet.directory / "collections", ignore=UNUSED)
        if not loaded:
            for line in LOADED:
                fleet.alter("action/watch.py", line, "")
        fleet.spec.update(checks={}, steps=[{"weight": 25, "hold": "120s"}, {"weight": 100}])
        running = fleet.start("rollout")
        running.says("lb1: read back")
        for path in fleet.collections.rglob("plugins/**/*.py"):
            path.write_text(ANOTHER, encoding="utf-8")
        fleet.collections = present
        assert fleet.play("promote", log="promote.log").code == 0
        ended = running.wait()
        assert (ended.code == 0) == loaded, ended.output
        assert ("of another release" in words(ended.output)) != loaded
        # Whatever becomes of the play: the watch is whole, and what it promoted stays.
        assert fleet.outcome()["outcome"] == "promoted"
        assert fleet.shares() == [100.0]
    assert client.result.failed == 0
