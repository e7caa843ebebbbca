# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else reloads or restarts the proxy, or sets a split by hand, in a hold: put back once, then the rule."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.scene import Scene
from tests.faults.table import RUNS, note
from tests.support.wait import until

UNANSWERED = ("module_utils/agent/tenure.py", "elif what == deviation.FOREIGN:", "elif False:")


def reload(router: Any) -> None:
    router.haproxy.reload()


def restart(router: Any) -> None:
    router.kill()
    router.start()


def meddle(router: Any) -> None:
    router.meddle(50)


@pytest.mark.parametrize("run", range(RUNS))
@pytest.mark.parametrize(
    ("name", "proxy", "strike"),
    [
        ("proxy reloaded by somebody else", "haproxy", reload),
        ("proxy restarted by somebody else", "haproxy", restart),
        ("split set by somebody else", "haproxy", meddle),
        ("split set by somebody else", "envoy", meddle),
        ("split set by somebody else", "nginx", meddle),
    ],
)
def test_it_is_put_back_once_and_then_ends_the_rollout(
    name: str, proxy: str, strike: Callable[[Any], None], run: int
) -> None:
    with Scene(proxy) as scene:
        scene.begin()
        router = scene.fleet.routers[1]
        strike(router)
        t = time.monotonic()
        until(lambda: scene.is_armed(router), "its share to be put back")
        seconds = time.monotonic() - t
        until(lambda: scene.changes() == [(1, True)], "it to be journalled")
        strike(router)
        t = time.monotonic()
        back = scene.back_at(deadline=30) - t
        assert scene.running.wait().code == 2
        outcome = scene.fleet.outcome()
        assert (outcome["outcome"], outcome["actor"]) == ("rolled_back", "guard")
        assert "lb2: it went back to stable: somebody else changed the split again" in outcome["reason"]
        note(name, proxy, "1 s, put back", seconds, scene.failed())
        note(name + ", again", proxy, "1 s, all at stable", back, 0)


def test_an_envoy_that_is_restarted_has_what_it_had() -> None:
    with Scene("envoy") as scene:
        scene.begin()
        held = scene.fleet.held()
        restart(scene.fleet.routers[1])
        until(lambda: scene.fleet.held() > held + 2, "the rollout to have looked on")
        assert scene.all_armed
        assert scene.changes() == []
        assert scene.running.process.ended is None


@pytest.mark.parametrize(
    ("name", "proxy", "strike"),
    [
        ("proxy reloaded by somebody else", "haproxy", reload),
        ("split set by somebody else", "haproxy", meddle),
        ("split set by somebody else", "envoy", meddle),
    ],
)
def test_what_is_not_answered_stays__control(name: str, proxy: str, strike: Callable[[Any], None]) -> None:
    with Scene(proxy, routers=1) as scene:
        scene.fleet.alter(*UNANSWERED)
        scene.begin()
        strike(scene.fleet.routers[0])
        share, held = scene.fleet.routers[0].share(), scene.fleet.held()
        until(lambda: scene.fleet.held() > held + 2, "the rollout to have looked on")
        assert scene.fleet.routers[0].share() == share
        assert not scene.all_armed
        note(name, proxy, "", None, 0, "%g %% stays" % round(share))
