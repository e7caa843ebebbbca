# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invariant 2: no traffic to a pool that is not well now, neither forward nor back; with its controls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.apply import Applied, apply
from ansible_collections.zdm.rollout.plugins.module_utils.agent.gate import Gate
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import ARMED, Arm, Event, Revert
from ansible_collections.zdm.rollout.plugins.module_utils.agent.probe import Answer
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Record, Store
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import (
    DOWN,
    TRIED,
    UNCHECKED,
    UP,
    Health,
    Member,
    Scale,
    Sick,
)

from .driver import SERVICE, Blind, FakeDriver, acquire, order, well

AT_25 = Arm(1, {"blue": 75.0, "green": 25.0}, 1.0)
BACK = Revert(None, "bad")


def prober(ill: tuple[str, ...] = ()) -> Callable[[list[tuple[Member, Health]]], dict[str, Answer]]:
    """Members are well but for those that are ``ill``."""

    def ask(requests: list[tuple[Member, Health]]) -> dict[str, Answer]:
        return {
            name: replace(answer, failure="refused" if name in ill else "") for name, answer in well(requests).items()
        }

    return ask


def nobody(requests: list[tuple[Member, Health]]) -> dict[str, Answer]:
    raise AssertionError("the router knows; the agent need not ask %s" % requests)


@pytest.mark.parametrize(
    ("healths", "ill", "because"),
    [
        ((UP, UP), (), ""),
        ((UP, DOWN), (), ""),
        ((DOWN, DOWN), (), "none of its members is healthy (down: green-1, green-2)"),
        ((), (), "it has no members at the router"),
        ((UNCHECKED, UNCHECKED), (), ""),
        ((UNCHECKED, UNCHECKED), ("green-2",), "the agent found green-2: refused"),
        ((UNCHECKED, UNCHECKED), ("green-1", "green-2"), "green-1: refused; green-2: refused"),
        ((UP, UNCHECKED), ("green-2",), "green-2: refused"),
        ((TRIED, TRIED), (), ""),
        ((TRIED, TRIED), ("green-1",), ""),
        ((TRIED, TRIED), ("green-1", "green-2"), "green-1: refused; green-2: refused"),
        ((TRIED, DOWN), ("green-1",), "green-1: refused"),
        ((TRIED, UNCHECKED), ("green-2",), "green-2: refused"),
        ((TRIED, UNCHECKED), ("green-1",), ""),
        ((DOWN, UNCHECKED), (), ""),
    ],
)
def test_whether_a_pool_can_take_traffic(healths: tuple[str, ...], ill: tuple[str, ...], because: str) -> None:
    driver = FakeDriver()
    traffic = driver.read(SERVICE)
    blue = [replace(member, health=DOWN) for member in traffic.members if member.pool == "blue"]
    green = [
        replace(driver.members["green-%d" % number], health=health) for number, health in enumerate(healths, start=1)
    ]
    gate = Gate(prober(ill) if {UNCHECKED, TRIED} & set(healths) else nobody)
    sickness = gate.sickness(SERVICE, replace(traffic, members=(*blue, *green)), "green")
    assert because in sickness
    assert bool(sickness) == bool(because)


@pytest.mark.parametrize(
    ("health", "asked"), [(Health("/health", timeout=0.5), "/health"), (None, "")], ids=["request", "connection"]
)
def test_a_member_is_asked_as_the_service_says_or_for_a_connection(health: Health | None, asked: str) -> None:
    requests: list[tuple[Member, Health]] = []

    def ask(given: list[tuple[Member, Health]]) -> dict[str, Answer]:
        requests.extend(given)
        return well(given)

    service = replace(SERVICE, health=health)
    driver = FakeDriver(service, UNCHECKED)
    assert Gate(ask).sickness(service, driver.read(service), "green") == ""
    assert [(member.name, how.path) for member, how in requests] == [("green-1", asked), ("green-2", asked)]
    assert all(how == health for dummy, how in requests if health)


def seen(gate: Gate, *healths: str, per: str = "pool") -> list[str]:
    """What is told of green's members, who are these to the router."""
    traffic = FakeDriver().read(SERVICE)
    green = [member for member in traffic.members if member.pool == "green"]
    members = tuple(replace(member, health=health) for member, health in zip(green, healths, strict=False))
    told = gate.asked(SERVICE, replace(traffic, members=members, scale=Scale(per, 1000)))
    return [member.health for member in told.members]


def test_who_looks_is_told_what_the_agent_finds_of_unchecked_members() -> None:
    assert seen(Gate(prober(ill=("green-2",))), UNCHECKED, UNCHECKED) == [UP, DOWN]
    assert seen(Gate(prober(ill=("green-2",))), DOWN, UNCHECKED) == [DOWN, DOWN]
    assert seen(Gate(prober(ill=("green-2",))), TRIED, TRIED) == [UP, DOWN]
    assert seen(Gate(nobody), UP, DOWN) == [UP, DOWN]
    assert seen(Gate(nobody), UNCHECKED, UNCHECKED, per="server") == [UNCHECKED, UNCHECKED]


class Router:
    def __init__(self, directory: Path, health: str, gate: Gate) -> None:
        self.store, self.driver, self.gate = Store(str(directory)), FakeDriver(health=health), gate
        self.remembered: Record | None = None
        self.apply(acquire())

    def apply(self, event: Event, even_if_sick: bool = False) -> Applied:
        applied = apply(self.store, self.driver, self.gate, order(event, even_if_sick, self.remembered))
        self.remembered = applied.record
        return applied


#: How a pool is sick: by the router's own checks, or by what the agent finds.
Sicken = Callable[[Router, str], None]


def goes_down(router: Router, pool: str) -> None:
    router.driver.ail(pool)


def no_longer_answers(router: Router, pool: str) -> None:
    if not isinstance(router.gate, Blind):
        router.gate = Gate(prober((pool + "-1",)))


WAYS: dict[str, tuple[str, Sicken]] = {"checked": (UP, goes_down), "unchecked": (UNCHECKED, no_longer_answers)}
ways = pytest.mark.parametrize(("health", "sicken"), WAYS.values(), ids=WAYS)


def raised(router: Router, sicken: Sicken) -> None:
    """A raise to a canary that is sick."""
    sicken(router, "green")
    router.apply(AT_25)


def returned(router: Router, sicken: Sicken) -> None:
    """A return to a stable that is sick."""
    router.apply(AT_25)
    sicken(router, "blue")
    router.apply(BACK)


@ways
def test_no_raise_to_a_sick_pool(tmp_path: Path, health: str, sicken: Sicken) -> None:
    router = Router(tmp_path, health, Gate(prober()))
    with pytest.raises(Sick, match=r"green would get 25 % of web, but .*: nothing was changed"):
        raised(router, sicken)
    assert router.driver.wrote == []


@ways
def test_no_raise_to_a_sick_pool__control(tmp_path: Path, health: str, sicken: Sicken) -> None:
    router = Router(tmp_path, health, Blind())
    raised(router, sicken)
    assert router.driver.wrote == ["write"]


@ways
def test_no_return_to_a_sick_stable(tmp_path: Path, health: str, sicken: Sicken) -> None:
    router = Router(tmp_path, health, Gate(prober()))
    with pytest.raises(Sick, match=r"blue would get 100 % of web, but .*: nothing was changed"):
        returned(router, sicken)
    assert router.driver.wrote == ["write"]
    assert router.store.load("test", "web").lease.state == ARMED, "it is still owed"


@ways
def test_no_return_to_a_sick_stable__control(tmp_path: Path, health: str, sicken: Sicken) -> None:
    router = Router(tmp_path, health, Blind())
    returned(router, sicken)
    assert router.driver.wrote == ["write", "revert"]


def test_a_persons_own_word_stands_against_the_gate(tmp_path: Path) -> None:
    router = Router(tmp_path, UP, Gate(nobody))
    router.apply(AT_25)
    router.driver.ail("blue")
    router.apply(BACK, even_if_sick=True)
    assert {name: member.weight > 0 for name, member in router.driver.members.items()} == {
        "blue-1": True,
        "blue-2": True,
        "green-1": False,
        "green-2": False,
    }


def test_a_pool_that_gets_no_more_than_it_has_need_not_be_well(tmp_path: Path) -> None:
    """A canary that falls ill has to lose its traffic; a stable that is ill stays where it is."""
    router = Router(tmp_path, UNCHECKED, Gate(prober()))
    router.apply(AT_25)
    router.gate = Gate(prober(("green-1", "green-2")))
    router.apply(Arm(1, {"blue": 90.0, "green": 10.0}, 2.0))
    assert router.driver.share() == 10
    router.apply(BACK)
    assert router.driver.share() == 0
