# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guard sees of a router, look by look: what was counted between two, and whether stable could take it all."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.gate import Gate
from ansible_collections.zdm.rollout.plugins.module_utils.agent.probe import Answer
from ansible_collections.zdm.rollout.plugins.module_utils.agent.sight import ASK_SECONDS, Sight
from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import UNCHECKED, Counters, Health, Member

from .driver import SERVICE, FakeDriver, well

DEADLINE = 10.0


class Asked:
    """A prober that answers when it may: blue-1 is well or ``ill``; ``times`` it was asked."""

    def __init__(self) -> None:
        self.times, self.ill, self.may, self.answered = 0, False, Event(), Event()
        self.may.set()

    def __call__(self, requests: list[tuple[Member, Health]]) -> dict[str, Answer]:
        self.times += 1
        assert self.may.wait(DEADLINE)
        self.answered.set()
        failure = "refused" if self.ill else ""
        return {**well(requests), "blue-1": Answer(None, failure, "", 0.0)}


@pytest.fixture
def asked() -> Iterator[Asked]:
    made = Asked()
    yield made
    made.may.set()


def seen(driver: FakeDriver, asked: Asked | None = None) -> Sight:
    return Sight(driver, SERVICE, Gate(asked) if asked else Gate())


def test_what_is_counted_is_what_came_since_the_last_look() -> None:
    driver = FakeDriver()
    sight = seen(driver)
    sight.look(0.0)
    assert sight.counted("green") == Counts(0, 0), "what was there before is nobody's"
    driver.try_("green", 7, 2)
    driver.try_("blue", 5)
    sight.look(0.1)
    assert (sight.counted("green"), sight.counted("blue")) == (Counts(7, 2), Counts(5, 0))
    sight.look(0.2)
    assert sight.counted("green") == Counts(0, 0)
    assert sight.counters == driver.tries


def test_counters_that_jumped_back_begin_anew() -> None:
    """The proxy was restarted, and all that it has counted came since."""
    driver = FakeDriver()
    sight = seen(driver)
    sight.look(0.0)
    driver.tries["green-1"] = Counters(3, 0)
    sight.look(0.1)
    assert sight.counted("green") == Counts(3, 0)
    driver.try_("green", 4, 1)
    sight.look(0.2)
    assert sight.counted("green") == Counts(4, 1)


def test_a_look_that_fails_says_why_and_counts_nothing_and_the_last_traffic_stays() -> None:
    driver = FakeDriver()
    sight = seen(driver)
    sight.look(0.0)
    before = sight.traffic
    driver.try_("green", 7)
    driver.broken = {"read"}
    sight.look(0.1)
    assert (sight.failure, sight.traffic, sight.counted("green")) == ("read: the proxy says no", before, Counts())
    driver.broken = set()
    sight.look(0.2)
    assert (sight.failure, sight.counted("green")) == ("", Counts(7, 0)), "nothing is lost by a look that failed"


def test_what_the_proxy_checks_the_proxy_knows() -> None:
    driver = FakeDriver()
    sight = seen(driver)
    sight.look(0.0, "blue")
    assert sight.stable_is_sick == ""
    driver.ail("blue")
    sight.look(0.1)
    assert sight.stable_is_sick == "", "nobody wanted to know"
    sight.look(0.1, "blue")
    assert sight.stable_is_sick == "none of its members is healthy (down: blue-1, blue-2)"


def test_members_that_nobody_checks_are_asked_beside_and_not_too_often(asked: Asked) -> None:
    driver = FakeDriver(health=UNCHECKED)
    sight = seen(driver, asked)
    asked.may.clear()
    sight.look(100.0, "blue")
    sight.look(100.0 + 2 * ASK_SECONDS, "blue")
    assert (asked.times, sight.stable_is_sick) == (1, ""), "one is under way, and nobody waits for it"
    asked.ill = True
    asked.may.set()
    assert sight._asking is not None
    sight._asking.join(DEADLINE)
    assert "blue-1: refused" in sight.stable_is_sick
    sight.look(100.0 + ASK_SECONDS - 0.1, "blue")
    assert asked.times == 1
    asked.ill = False
    sight.look(100.0 + ASK_SECONDS, "blue")
    sight._asking.join(DEADLINE)
    assert (asked.times, sight.stable_is_sick) == (2, "")
