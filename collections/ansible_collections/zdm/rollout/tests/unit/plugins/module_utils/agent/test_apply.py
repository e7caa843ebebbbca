# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way of an order, step by step, and what the record says when a step fails."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.apply import Applied, apply
from ansible_collections.zdm.rollout.plugins.module_utils.agent.gate import Gate
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import (
    ARMED,
    HELD,
    IDLE,
    LEASED,
    REVERTED,
    STUCK,
    Arm,
    Disarm,
    Event,
    Lease,
    LeaseError,
    Place,
    Renew,
    Revert,
    Stuck,
    Tick,
)
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Record, RecordError, Store
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import (
    Health,
    NotInForce,
    Refused,
    RouterError,
    Service,
    Traffic,
)

from .driver import SERVICE, FakeDriver, acquire, order

AT_25 = Arm(1, {"blue": 75.0, "green": 25.0}, 1.0)
BACK = Revert(None, "bad")
#: When the run's loan is over.
OVER = 10.0


class Written(Store):
    """A store that says what is done with it."""

    def __init__(self, directory: Path, said: list[str]) -> None:
        super().__init__(str(directory / "state"))
        self.said = said

    @contextmanager
    def applying(self, for_return: bool = False) -> Iterator[None]:
        with super().applying(for_return):
            self.said.append("lock")
            yield
        self.said.append("unlock")

    def load(self, environment: str, name: str) -> Record:
        self.said.append("load")
        return super().load(environment, name)

    def save(self, record: Record) -> None:
        self.said.append("save " + record.lease.state)
        super().save(record)

    @property
    def locked(self) -> bool:
        with open(Path(self.directory) / "apply.lock") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False


class Asked(Gate):
    """A gate that says whom it was asked about; all are well."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self.said = said

    def sickness(self, service: Service, traffic: Traffic, pool: str) -> str:
        self.said.append("gate " + pool)
        return ""


class Router:
    """A router, its store and gate; ``said`` is all that was done, in order."""

    def __init__(self, directory: Path) -> None:
        self.said: list[str] = []
        self.store = Written(directory, self.said)
        self.gate = Asked(self.said)
        self.driver = FakeDriver()
        self.driver.during = self._during
        self.remembered: Record | None = None

    def _during(self, name: str) -> None:
        self.said.append(name)
        assert not Path(self.store.directory).exists() or self.store.locked, "%s without the apply lock" % name

    def apply(self, event: Event, check: bool = False, even_if_sick: bool = False) -> Applied:
        """As a guard that remembers the loan."""
        self.said.clear()
        given = order(event, even_if_sick, self.remembered)
        applied = apply(self.store, self.driver, self.gate, given, check)
        if not check:
            self.remembered = applied.record
        return applied

    @property
    def record(self) -> Record:
        return Store(self.store.directory).load("test", "web")


@pytest.fixture
def router(tmp_path: Path) -> Router:
    return Router(tmp_path)


@pytest.fixture
def armed(router: Router) -> Router:
    router.apply(acquire())
    router.apply(AT_25)
    return router


def test_a_raise_is_intended_before_it_is_done(router: Router) -> None:
    router.apply(acquire())
    applied = router.apply(AT_25)
    assert [step for step in router.said if step not in ("read", "changes")] == [
        "lock",
        "load",
        "save armed",
        "gate green",
        "write",
        "verify",
        "unlock",
    ]
    assert applied.traffic.split == AT_25.split
    assert router.record.lease.split == AT_25.split


def test_a_return_is_recorded_once_it_was_read_back(armed: Router) -> None:
    armed.apply(BACK)
    assert [step for step in armed.said if step not in ("read", "changes")] == [
        "lock",
        "load",
        "gate blue",
        "revert",
        "verify",
        "save reverted",
        "unlock",
    ]
    assert armed.driver.share() == 0


def test_what_the_lease_refuses_reaches_neither_gate_nor_router_nor_record(armed: Router) -> None:
    before = armed.record
    with pytest.raises(LeaseError):
        armed.apply(replace(AT_25, epoch=7))
    assert armed.said == ["lock", "load"]
    assert armed.record == before
    assert not armed.store.locked


def test_a_second_time_nothing_is_written_to_the_router(armed: Router) -> None:
    assert armed.apply(AT_25).changes == []
    assert "write" not in armed.said
    assert "verify" in armed.said


@pytest.mark.parametrize(
    ("fault", "error"),
    [("revert", Refused), ("changes", Refused), ("verify", Refused), ("read", Refused), ("deaf", NotInForce)],
)
def test_a_revert_that_cannot_be_done_stays_owed(armed: Router, fault: str, error: type[RouterError]) -> None:
    armed.driver.deaf = fault == "deaf"
    armed.driver.broken = {fault}
    with pytest.raises(error):
        armed.apply(BACK)
    assert (armed.record.lease.state, armed.record.lease.split) == (ARMED, AT_25.split)
    assert armed.record.rollouts == ()

    armed.driver.deaf, armed.driver.broken = False, set()
    armed.apply(BACK)
    assert armed.record.lease.state == REVERTED
    assert armed.driver.share() == 0


@pytest.mark.parametrize("fault", ["write", "deaf"])
def test_a_raise_that_failed_half_way_is_owed_back(router: Router, fault: str) -> None:
    """Nobody knows how far it came, so the intention stands and what follows is a revert."""
    router.apply(acquire())
    router.driver.deaf = fault == "deaf"
    router.driver.broken = {fault}
    with pytest.raises(RouterError):
        router.apply(AT_25)
    assert (router.record.lease.state, router.record.lease.split) == (ARMED, AT_25.split)


@pytest.mark.parametrize("event", [acquire(), Place({"blue": 50.0, "green": 50.0}, "ann")])
def test_with_check_nothing_is_there_afterwards_that_was_not_before(router: Router, event: Event) -> None:
    bringing = replace(order(event), service=SERVICE, router={"type": "fake"})
    applied = apply(router.store, router.driver, router.gate, bringing, check=True)
    assert not Path(router.store.directory).exists()
    assert router.driver.wrote == []
    assert bool(applied.changes) == isinstance(event, Place)


def test_with_check_a_record_stays_as_it_was_and_what_would_change_is_said(armed: Router) -> None:
    before = {path: path.stat().st_mtime_ns for path in Path(armed.store.directory).rglob("*")}
    armed.driver.during = lambda name: None
    changes = armed.apply(BACK, check=True).changes
    assert {change.thing: (change.before, change.after) for change in changes} == {
        "blue-1": ("375", "500"),
        "blue-2": ("375", "500"),
        "green-1": ("125", "0"),
        "green-2": ("125", "0"),
    }
    assert {path: path.stat().st_mtime_ns for path in Path(armed.store.directory).rglob("*")} == before
    assert armed.driver.share() == 25


@pytest.mark.parametrize(
    ("last", "event", "outcome"),
    [
        (25.0, BACK, "rolled_back"),
        (100.0, BACK, "rolled_back"),
        (100.0, Disarm(1), "promoted"),
        (25.0, Disarm(1), "released"),
    ],
)
def test_how_a_rollout_ended_is_in_the_history(router: Router, last: float, event: Event, outcome: str) -> None:
    router.apply(acquire())
    router.apply(replace(AT_25, split={"blue": 100 - last, "green": last}))
    router.apply(event)
    (rollout,) = router.record.rollouts
    assert (rollout["run"], rollout["outcome"], rollout["until"]) == ("r1", outcome, "later")


def test_who_takes_over_pays_the_dead_ones_debt_first(armed: Router) -> None:
    applied = armed.apply(acquire("r2", stable="green", canary="blue", t=OVER))
    assert applied.took_over == {"run": "r1", "owner": "ann", "since": "noon", "state": ARMED, "reason": ""}
    assert armed.driver.share("blue") == 100, "to the dead run's stable, not to its own"
    assert armed.record.lease.state == LEASED
    assert [step for step in armed.said if step in ("revert", "verify", "save leased")] == [
        "revert",
        "verify",
        "save leased",
    ]


def test_who_takes_over_pays_with_the_dead_ones_own_definition(armed: Router) -> None:
    """Its own may name members that the dead run did not know; the fake refuses any but the dead one's."""
    other = replace(SERVICE, health=Health("/other"))
    apply(armed.store, armed.driver, armed.gate, replace(order(acquire("r2", t=OVER)), service=other))
    assert armed.driver.share() == 0
    assert armed.record.service == other.to_json()


def test_the_dead_ones_rollout_is_in_the_history_and_its_orders_are_not_the_next_ones(armed: Router) -> None:
    abort = {"verb": "abort", "by": "bob", "at": "noon"}
    armed.store.save(replace(armed.record, orders=(abort,)))
    armed.apply(acquire("r2", t=OVER))
    (rollout,) = armed.record.rollouts
    assert (rollout["run"], rollout["outcome"]) == ("r1", "rolled_back")
    assert "r2 took over" in rollout["reason"]
    assert armed.record.orders == ()


def test_a_take_over_that_cannot_pay_is_none(armed: Router) -> None:
    armed.driver.broken = {"revert"}
    before = armed.record
    with pytest.raises(Refused):
        armed.apply(acquire("r2", t=OVER))
    assert armed.record == before


def test_a_persons_split_outside_of_a_rollout(router: Router) -> None:
    placing = replace(order(Place({"blue": 40.0, "green": 60.0}, "ann")), service=SERVICE, router={"type": "fake"})
    applied = apply(router.store, router.driver, router.gate, placing)
    assert applied.traffic.split == {"blue": 40.0, "green": 60.0}
    placed = Lease(split={"blue": 40.0, "green": 60.0}, reason="placed by ann", ended_by="person")
    assert router.record.lease == placed
    assert router.record.lease.state == IDLE


def test_the_same_split_by_a_person_leaves_a_living_lease_what_its_revert_needs(armed: Router) -> None:
    placing = replace(order(Place(AT_25.split, "ann")), service=replace(SERVICE, health=Health("/other")))
    assert placing.service
    armed.driver.service = placing.service
    apply(armed.store, armed.driver, armed.gate, replace(placing, router={"type": "other"}))
    assert (armed.record.service, armed.record.router) == (SERVICE.to_json(), {"type": "fake"})
    assert armed.record.lease.state == ARMED


# --- the end of a loan


def test_a_loan_that_is_over_goes_back_and_one_that_is_not_stays(armed: Router) -> None:
    armed.apply(Tick(OVER - 0.1))
    assert (armed.record.lease.state, armed.driver.share()) == (ARMED, 25)
    armed.apply(Tick(OVER))
    assert (armed.record.lease.state, armed.driver.share()) == (REVERTED, 0)


def test_a_loan_that_is_over_is_held_where_that_was_wanted(router: Router) -> None:
    router.apply(acquire(on_expiry="hold"))
    router.apply(AT_25)
    assert router.apply(Tick(OVER)).changes == []
    assert (router.record.lease.state, router.driver.share()) == (HELD, 25)
    assert router.record.rollouts[-1]["outcome"] == "held"


def test_what_is_stuck_is_recorded_and_nothing_is_written(armed: Router) -> None:
    wrote = list(armed.driver.wrote)
    armed.apply(Stuck("blue is down"))
    assert (armed.record.lease.state, armed.record.lease.split, armed.driver.wrote) == (STUCK, AT_25.split, wrote)
    assert armed.record.rollouts[-1]["outcome"] == "rolled_back"
    armed.apply(Tick(OVER))
    assert (armed.record.lease.state, armed.driver.share(), len(armed.record.rollouts)) == (REVERTED, 0, 1)


def test_who_comes_after_a_guards_own_end_is_told_of_it(armed: Router) -> None:
    armed.apply(Tick(OVER))
    took_over = armed.apply(acquire("r2", t=OVER)).took_over
    assert took_over is not None
    assert (took_over["run"], took_over["state"]) == ("r1", REVERTED)
    armed.apply(Revert(2, "bad"))
    assert armed.apply(acquire("r3", t=OVER)).took_over is None, "its own run ended it"


# --- a disk that takes nothing


def full(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    def save(record: Record) -> None:
        raise RecordError("no space left")

    monkeypatch.setattr(router.store, "save", save)


@pytest.mark.parametrize("event", [BACK, Revert(1, "bad"), Tick(OVER)], ids=["a person", "the run", "a tick"])
def test_traffic_goes_back_all_the_same_and_it_is_said(
    armed: Router, monkeypatch: pytest.MonkeyPatch, event: Event
) -> None:
    full(armed, monkeypatch)
    applied = armed.apply(event)
    assert (armed.driver.share(), applied.unsaved) == (0, "no space left")
    assert (applied.record.lease.state, armed.record.lease.state) == (REVERTED, ARMED)


@pytest.mark.parametrize(
    ("event", "share"),
    [(replace(AT_25, split={"blue": 0.0, "green": 100.0}), 25), (Disarm(1), 25), (acquire("r2", t=OVER), 0)],
    ids=["arm", "disarm", "take over"],
)
def test_nothing_else_is_done(armed: Router, monkeypatch: pytest.MonkeyPatch, event: Event, share: float) -> None:
    full(armed, monkeypatch)
    before = armed.record
    with pytest.raises(RecordError, match="no space left"):
        armed.apply(event)
    assert (armed.driver.share(), armed.record) == (share, before)


def test_a_guard_that_remembers_pays_also_where_the_record_is_gone(armed: Router) -> None:
    (Path(armed.store.directory) / "test" / "web.json").unlink()
    armed.apply(Tick(OVER))
    assert (armed.record.lease.state, armed.driver.share()) == (REVERTED, 0)


def test_what_moves_nothing_at_the_router_only_reads_it(armed: Router) -> None:
    wrote = list(armed.driver.wrote)
    armed.apply(Renew(1, 1.0, 2.0))
    armed.apply(Disarm(1))
    assert (armed.driver.wrote, armed.driver.share(), armed.record.lease.state) == (wrote, 25, IDLE)
