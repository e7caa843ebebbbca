# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All routers asked together: what becomes of those that gave their lease when another one refuses."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Service
from ansible_collections.zdm.rollout.plugins.plugin_utils._channel import Refusal
from ansible_collections.zdm.rollout.plugins.plugin_utils._routers import Routers

WEB = Service("web", "test", {"blue": (), "green": ()}, None)
BACK = {"traffic": {"split": {"blue": 100.0, "green": 0.0}}}


class Line:
    """A contract fake: the router whose name is its command's. ``lb2`` refuses with what stands in ``refusing``."""

    asked: list[tuple[str, str, Any]]
    refusing: Refusal

    def __init__(self, name: str) -> None:
        self.name = name

    async def ask(self, operation: str, timeout: float, **keys: Any) -> dict[str, Any]:
        self.asked.append((self.name, operation, keys.get("takes", keys.get("force"))))
        if self.name == "lb2" and operation in ("acquire", "park"):
            raise self.refusing
        return {"epoch": 4, "t": 1.0, "took_over": None, "parked": 7.5, **BACK}

    async def insist(self, operation: str, deadline: float, through_death: bool = False, **keys: Any) -> dict[str, Any]:
        return await self.ask(operation, deadline, **keys)


@pytest.fixture
def routers(monkeypatch: pytest.MonkeyPatch) -> Routers:
    monkeypatch.setattr(Line, "asked", [], raising=False)
    monkeypatch.setattr(Line, "refusing", Refusal("idle", "run r1 is not parked here"), raising=False)
    return Routers({name: Line(name) for name in ("lb1", "lb2")}, {"lb1": WEB, "lb2": WEB})  # type: ignore[misc]


def acquire(routers: Routers, takes: str) -> str:
    with pytest.raises(Refusal) as refused:
        asyncio.run(routers.acquire("r2", "ann", "v2", "blue", "green", {"ttl": 10}, takes))
    return refused.value.text


def test_what_was_taken_is_given_back(routers: Routers) -> None:
    acquire(routers, "")
    assert [each[:2] for each in Line.asked] == [("lb1", "acquire"), ("lb2", "acquire"), ("lb1", "disarm")]
    assert all(each[2] is None for each in Line.asked), "an agent that knows no parking is not asked for it"


def test_what_was_taken_up_goes_back(routers: Routers) -> None:
    """Canary's share is in force there, and no run of its own is left."""
    assert acquire(routers, "r1") == "lb2: run r1 is not parked here"
    assert [each[:2] for each in Line.asked] == [("lb1", "acquire"), ("lb2", "acquire"), ("lb1", "revert")]
    assert [each[2] for each in Line.asked[:2]] == ["r1", "r1"]
    assert routers.watched == {"lb1": 7.5}


@pytest.mark.parametrize("text", ["acquire: 'takes' is not known: expected canary", "op 'park' is not known: expected"])
def test_an_older_guard_is_told_with_the_way_out(routers: Routers, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(Line, "refusing", Refusal("bad_request", text))
    assert "run the role router" in acquire(routers, "r1")
    routers._epochs["lb2"] = 1
    with pytest.raises(Refusal, match="cannot park: run the role router"):
        asyncio.run(routers.park("lb2", 60.0, {}))


def test_parked_shares_are_forced_back_whoever_has_them(routers: Routers) -> None:
    asyncio.run(routers.force_back(["lb2", "lb1"], "they disagree"))
    assert sorted(Line.asked) == [("lb1", "revert", True), ("lb2", "revert", True)]
