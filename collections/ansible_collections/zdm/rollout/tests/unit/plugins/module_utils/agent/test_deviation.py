# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose doing a deviation is, and what is done about somebody else's; told with a router in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.deviation import (
    AGAIN_SECONDS,
    END,
    FOREIGN,
    HEALTH,
    LEAVE,
    NONE,
    ON_FOREIGN_PAUSE,
    ON_FOREIGN_ROLLBACK,
    PUT_BACK,
    answer,
    deviation,
)
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import DOWN, Wanted

from .driver import SERVICE, FakeDriver

QUARTER = {"blue": 75.0, "green": 25.0}


def nothing(driver: FakeDriver) -> None:
    pass


def one_goes(driver: FakeDriver) -> None:
    driver.members["blue-1"] = replace(driver.members["blue-1"], health=DOWN)


def all_go(driver: FakeDriver) -> None:
    driver.ail("blue")
    driver.ail("green")


def somebody_raises(driver: FakeDriver) -> None:
    driver.weigh("green", 500)


def somebody_takes_all_back(driver: FakeDriver) -> None:
    driver.weigh("green", 0)


def somebody_doubles_all(driver: FakeDriver) -> None:
    """Other weights, the same split."""
    driver.weigh("green", 250)
    driver.weigh("blue", 750)


def a_hair(driver: FakeDriver) -> None:
    """Within what a router can hold."""
    driver.weigh("green", 126)


def one_goes_and_somebody_raises(driver: FakeDriver) -> None:
    one_goes(driver)
    somebody_raises(driver)


def one_comes_that_was_not_there(driver: FakeDriver) -> None:
    driver.members["green-3"] = replace(driver.members["green-1"], name="green-3")


@pytest.mark.parametrize(
    ("happens", "what"),
    [
        (nothing, NONE),
        (one_goes, HEALTH),
        (all_go, NONE),
        (somebody_raises, FOREIGN),
        (somebody_takes_all_back, FOREIGN),
        (somebody_doubles_all, NONE),
        (a_hair, NONE),
        (one_goes_and_somebody_raises, FOREIGN),
        (one_comes_that_was_not_there, FOREIGN),
    ],
)
def test_what_a_deviation_is(happens: Callable[[FakeDriver], None], what: str) -> None:
    driver = FakeDriver()
    driver.write(SERVICE, Wanted(QUARTER, "blue"))
    armed = driver.read(SERVICE)
    happens(driver)
    assert deviation(armed, driver.read(SERVICE), QUARTER) == what


def test_before_anything_was_read_back_there_is_nothing_to_deviate_from() -> None:
    assert deviation(None, FakeDriver().read(SERVICE), QUARTER) == NONE


MINUTE = AGAIN_SECONDS


@pytest.mark.parametrize(
    ("answered_at", "t", "policy", "above", "done"),
    [
        (None, 0.0, ON_FOREIGN_ROLLBACK, True, PUT_BACK),
        (None, 0.0, ON_FOREIGN_PAUSE, False, PUT_BACK),
        (100.0, 100.0 + MINUTE - 0.1, ON_FOREIGN_ROLLBACK, False, END),
        (100.0, 100.0 + MINUTE, ON_FOREIGN_ROLLBACK, False, PUT_BACK),
        (100.0, 100.0 + MINUTE - 0.1, ON_FOREIGN_PAUSE, False, LEAVE),
        (100.0, 100.0 + MINUTE - 0.1, ON_FOREIGN_PAUSE, True, PUT_BACK),
        (100.0, 100.0 + MINUTE, ON_FOREIGN_PAUSE, False, PUT_BACK),
    ],
)
def test_what_is_done_about_somebody_elses(
    answered_at: float | None, t: float, policy: str, above: bool, done: str
) -> None:
    assert MINUTE == 60.0  # contract
    assert answer(answered_at, t, policy, above) == done


def test_rules_that_are_not_those_that_were_set_are_somebodys_doing() -> None:
    armed = replace(FakeDriver().read(SERVICE), rules={"match": "green"})
    everything = {"blue": 100.0, "green": 0.0}
    assert deviation(armed, armed, everything) == NONE
    assert deviation(armed, replace(armed, rules={}), everything) == FOREIGN
