# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake keeps the driver's contract: it refuses what a driver would refuse, and says what is in force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import (
    DOWN,
    Driver,
    NotInForce,
    Refused,
    RouterError,
    Unsupported,
    Wanted,
)

from .driver import SERVICE, FakeDriver

OTHER = replace(SERVICE, name="api")
QUARTER = Wanted({"blue": 75.0, "green": 25.0}, "blue")

WRONG: dict[str, Callable[[Driver], object]] = {
    "another service": lambda driver: driver.read(OTHER),
    "another service's counters": lambda driver: driver.counters(OTHER),
    "a sum over 100": lambda driver: driver.write(SERVICE, Wanted({"blue": 90.0, "green": 20.0}, "blue")),
    "a pool left out": lambda driver: driver.write(SERVICE, Wanted({"blue": 100.0}, "blue")),
    "a pool too many": lambda driver: driver.changes(SERVICE, Wanted({"blue": 95.0, "green": 0.0, "red": 5.0}, "blue")),
    "a stable that is no pool": lambda driver: driver.write(SERVICE, replace(QUARTER, stable="red")),
    "a return to no pool": lambda driver: driver.revert(SERVICE, "red"),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_a_wrong_call_is_refused_and_changes_nothing(call: Callable[[Driver], object]) -> None:
    driver = FakeDriver()
    before = dict(driver.members)
    with pytest.raises(Unsupported, match="expected"):
        call(driver)
    assert (driver.members, driver.calls) == (before, [])


def test_what_is_written_is_in_force() -> None:
    driver = FakeDriver()
    assert {change.thing for change in driver.changes(SERVICE, QUARTER)} == set(driver.members)
    with pytest.raises(NotInForce):
        driver.verify(SERVICE, QUARTER)
    driver.write(SERVICE, QUARTER)
    assert driver.verify(SERVICE, QUARTER).split == QUARTER.split
    assert driver.changes(SERVICE, QUARTER) == []
    driver.revert(SERVICE, "blue")
    assert driver.read(SERVICE).split == {"blue": 100.0, "green": 0.0}
    assert driver.wrote == ["write", "revert"]


def test_a_member_that_goes_down_changes_the_split_and_no_weight() -> None:
    driver = FakeDriver()
    driver.write(SERVICE, QUARTER)
    weights = {name: member.weight for name, member in driver.members.items()}
    driver.members["blue-1"] = replace(driver.members["blue-1"], health=DOWN)
    assert driver.read(SERVICE).split["green"] == pytest.approx(40)  # 250 of 625
    assert {name: member.weight for name, member in driver.members.items()} == weights


def test_with_nobody_up_no_share_is_held() -> None:
    driver = FakeDriver()
    driver.ail("blue")
    assert not driver.read(SERVICE).held


@pytest.mark.parametrize("name", ["read", "changes", "write", "verify", "counters", "revert"])
def test_a_broken_method_refuses(name: str) -> None:
    driver = FakeDriver()
    driver.broken.add(name)
    arguments = {"read": (), "counters": (), "revert": ("blue",)}.get(name, (QUARTER,))
    with pytest.raises(Refused, match="%s: the proxy says no" % name) as error:
        getattr(driver, name)(SERVICE, *arguments)
    assert isinstance(error.value, RouterError)
    assert driver.calls == [name]


def test_a_deaf_one_takes_an_order_and_is_found_out() -> None:
    driver = FakeDriver()
    driver.deaf = True
    driver.write(SERVICE, QUARTER)
    with pytest.raises(NotInForce):
        driver.verify(SERVICE, QUARTER)
