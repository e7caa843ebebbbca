# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timekeeper: all routers' histograms as one, and a router that does not say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Histogram
from ansible_collections.zdm.rollout.plugins.plugin_utils._channel import ChannelLost, Refusal
from ansible_collections.zdm.rollout.plugins.plugin_utils._timekeeper import Timekeeper

from .example import spec_of

CHECK = spec_of({"checks.errors": {"signal": "router", "of": "latency", "compare": "stable"}}).checks["errors"]
FAST, SLOW = (
    {"times": {"blue": [[0, 0.1, 7]], "green": []}, "lag": 1.0},
    {"times": {"blue": [[1, None, 2]]}, "lag": 5.0},
)


class Routers:
    """Answers as it is told, router by router."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers, self.names = answers, list(answers)

    async def latency(self, name: str) -> Any:
        answer = self._answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Judging:
    def __init__(self) -> None:
        self.told: list[Any] = []

    def timed(self, name: str, totals: Any, t: float, lag: float) -> None:
        self.told.append((name, totals, lag))

    def unread(self, name: str, why: str) -> None:
        self.told.append((name, why))


def told(**answers: Any) -> Any:
    judging = Judging()
    asyncio.run(Timekeeper(Routers(answers), judging).measure(CHECK))  # type: ignore[arg-type]
    assert len(judging.told) == 1
    return judging.told[0]


def test_routers_stay_apart_and_the_latest_says_how_late() -> None:
    name, totals, lag = told(lb1=FAST, lb2=SLOW)
    assert (name, lag) == ("errors", 5.0)
    assert totals == {
        "blue": {"lb1": Histogram({(0.0, 0.1): 7}), "lb2": Histogram({(1.0, float("inf")): 2})},
        "green": {"lb1": Histogram({})},
    }


@pytest.mark.parametrize("error", [ChannelLost("its channel is lost"), Refusal("bad_request", "unknown operation")])
def test_one_that_does_not_say_makes_it_an_error(error: Exception) -> None:
    name, why = told(lb1=FAST, lb2=error)
    assert (name, why) == ("errors", f"lb2: {error}")


def test_a_fault_of_our_own_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        told(lb1=FAST, lb2=ZeroDivisionError())
