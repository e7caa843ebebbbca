# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout that is parked at its resident guards, and taken up by another run, from another machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.client import Client
from tests.support.agent import altered
from tests.support.fleet import Fleet
from tests.support.load import seen_more
from tests.support.playbook import Ended, Playbook
from tests.support.processes import Process
from tests.support.residents import residents
from tests.support.traffic import traffic
from tests.support.wait import until

AT_25, BACK, ALL = [pytest.approx(25, abs=0.5)] * 2, [0.0, 0.0], [100.0, 100.0]
#: Requests a second that each router gets; a lease and a hold in seconds. Who parks lives without many leases.
RATE, LEASE, HOLD = 60, 3, 20
DEPLOY = """\
- name: Once for each time that the release is brought
  ansible.builtin.shell: echo {{ zdm_release }} >> %s
"""


class Parking:
    """Two routers with resident guards, and their traffic."""

    def __init__(self, fleet: Fleet, clients: list[Client], guards: list[Process]) -> None:
        self.fleet, self.clients, self.guards = fleet, clients, guards
        self.deployed = fleet.directory / "deployed"
        (fleet.directory / "deploy.yml").write_text(DEPLOY % self.deployed, encoding="utf-8")
        fleet.spec.update(
            guard="resident",
            lease="%ds" % LEASE,
            steps=[{"weight": 25, "hold": "%ds" % HOLD}, {"weight": 100}],
            hooks={"deploy": {"tasks": "deploy.yml"}},
        )

    def park(self) -> Ended:
        """Parked in the hold of 25 %; how the rollout's own play ended."""
        running = self.held()
        ordered = self.fleet.play("park", "-e", "zdm_reason='the job may live no longer'", log="park.log")
        assert ordered.code == 0, ordered.output
        ended = running.wait()
        assert ended.code == 0, ended.output
        return ended

    def held(self) -> Playbook:
        running = self.fleet.start("rollout")
        running.says(": read back", times=2)
        return running

    def elsewhere(self) -> dict[str, str]:
        """What makes it another machine: nothing of the first run's files is there."""
        return {"ZDM_STATE": str(self.fleet.directory / "elsewhere")}

    def events(self) -> list[dict[str, Any]]:
        """The journal of the last run on the other machine."""
        runs = sorted((self.fleet.directory / "elsewhere" / "test" / "web").glob("*"))
        lines = (runs[-1] / "journal.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def only_guards_are_left(self) -> None:
        pids = sorted(guard.pid for guard in self.guards)
        until(lambda: sorted(self.fleet.left()) == pids, "all but the guards to end")

    def wait(self, seconds: float) -> None:
        """The traffic of so many seconds."""
        seen_more(self.clients[0], round(seconds * RATE))

    def records(self) -> list[dict[str, Any]]:
        return [router.record() for router in self.fleet.routers]

    def lost(self) -> dict[str, int]:
        kinds: dict[str, int] = {}
        for client in self.clients:
            for kind, count in client.result.kinds.items():
                kinds[kind] = kinds.get(kind, 0) + count
        return kinds


@pytest.fixture(params=["haproxy", "envoy", "nginx"])
def two(request: pytest.FixtureRequest) -> Iterator[Parking]:
    with Fleet(routers=2, proxy=request.param) as fleet, residents(fleet) as guards, traffic(fleet, RATE) as clients:
        yield Parking(fleet, clients, guards)


@pytest.fixture
def pair() -> Iterator[Parking]:
    """One kind of proxy, for what has nothing to do with it."""
    with Fleet(routers=2) as fleet, residents(fleet) as guards, traffic(fleet, RATE) as clients:
        yield Parking(fleet, clients, guards)


def first_held(parking: Parking, running: Playbook) -> float:
    """The hold of which the second run's watch told first."""
    found: list[float] = []

    def told() -> bool:
        record = parking.fleet.routers[0].record()
        note = record["note"] or {}
        if record["epoch"] == 2 and note.get("state") == "running":
            found.append(float(note["held"]))
        return bool(found)

    until(told, "the second run to tell of its hold")
    return found[0]


def test_parked_and_taken_up_elsewhere(two: Parking) -> None:
    ended = two.park()
    said = " ".join(ended.output.split())
    assert "the playbook rollout takes it up" in said
    assert (two.fleet.outcome()["outcome"], two.fleet.outcome()["actor"]) == ("parked", "person")
    assert two.fleet.outcome()["parked_until"] in said
    two.only_guards_are_left()
    two.wait(3 * LEASE)
    assert two.fleet.shares() == AT_25
    assert [record["state"] for record in two.records()] == ["armed"] * 2
    assert "a rollout of release v2 takes it up" in two.fleet.routers[0].agent("status").stdout
    # The second run, and what it counts as hold.
    running = two.fleet.start("rollout", log="again.log", **two.elsewhere())
    credit = first_held(two, running)
    ended = running.wait()
    assert ended.code == 0, ended.output
    assert two.fleet.shares() == ALL
    (took_up,) = [event["took_up"] for event in two.events() if "took_up" in event]
    assert took_up["run"] == two.fleet.runs()[-1].name
    assert took_up["watched"] > 2 * LEASE, "its guards watched it while nobody else did"
    assert credit >= min(took_up["held"] + took_up["watched"], HOLD) > 2 * LEASE
    intended = [event["weight"] for event in two.events() if event["event"] == "intended"]
    assert intended == [25, 100]
    assert two.deployed.read_text(encoding="utf-8").split() == ["v2"], "it was brought once"
    assert [len(record["rollouts"]) for record in two.records()] == [1, 1], "it is one rollout"
    assert two.lost() == {}


def test_nobody_renews_it__control(request: pytest.FixtureRequest) -> None:
    """A guard that takes the end of the connection for what it was before."""
    with Fleet(routers=2) as fleet:
        agent = altered(
            fleet.directory,
            ("agent/loan.py", "if self.unattended or t + GRACE_SECONDS", "if t + GRACE_SECONDS"),
        )
        with residents(fleet, agent) as guards, traffic(fleet, RATE) as clients:
            parking = Parking(fleet, clients, guards)
            parking.park()
            until(lambda: fleet.shares() == BACK, "both routers to be back at stable")


def test_the_reflex_takes_back_what_is_parked_and_who_takes_it_up_brings_all_back(two: Parking, tmp_path: Path) -> None:
    two.park()
    two.only_guards_are_left()
    assert two.fleet.shares() == AT_25
    # One guard alone sees it: the requests of the other router are stopped.
    two.clients[1].stop()
    two.fleet.members["green"].behave(fail=1.0)
    until(lambda: two.fleet.routers[0].share() == 0, "the first guard to take it back")
    two.fleet.members["green"].behave(fail=0.0)
    assert two.fleet.routers[1].share() == pytest.approx(25, abs=0.5), "each guard acts alone"
    ended = two.fleet.play("rollout", log="again.log", **two.elsewhere())
    said = " ".join(ended.output.split())
    assert ended.code == 2
    assert "all routers to have parked the same" in said
    assert "reflex" in said
    assert two.fleet.shares() == BACK
    assert [record["state"] for record in two.records()] == ["reverted"] * 2


def test_another_release_is_refused_with_the_way_out(pair: Parking) -> None:
    pair.park()
    pair.fleet.spec["release"] = "v3"
    ended = pair.fleet.play("rollout", log="again.log", **pair.elsewhere())
    said = " ".join(ended.output.split())
    assert ended.code == 2
    assert 'release: "v3", expected v2, which run' in said
    assert "or abort it first" in said
    assert pair.fleet.shares() == AT_25
    planned = pair.fleet.play("plan", "-e", "zdm_release=v2", log="plan.log", **pair.elsewhere())
    assert planned.code == 0, planned.output
    assert "takes up the parked run" in planned.output
    paused = pair.fleet.play("pause", log="pause.log")
    assert (paused.code, "there is no run to pause" in " ".join(paused.output.split())) == (2, True)


def test_an_abort_brings_back_what_is_parked(two: Parking) -> None:
    two.park()
    ended = two.fleet.play("abort", log="abort.log", **two.elsewhere())
    assert ended.code == 0, ended.output
    assert two.fleet.shares() == BACK
    ended = two.fleet.play("rollout", "-e", '{"zdm_release": "v3"}', log="again.log")
    assert ended.code == 0, ended.output
    assert two.fleet.shares() == ALL


def test_with_session_guards_it_is_not_done_and_says_why() -> None:
    with Fleet() as fleet, traffic(fleet, RATE):
        fleet.spec["steps"] = [{"weight": 25, "hold": "5s"}, {"weight": 100}]
        running = fleet.start("rollout")
        running.says(": read back")
        assert fleet.play("park", log="park.log").code == 0
        running.says("orders: park -- not done: its guards are not resident")
        ended = running.wait()
        assert ended.code == 0, ended.output
        assert fleet.shares() == [100.0]


def test_of_two_controllers_one_takes_it_up(pair: Parking) -> None:
    pair.fleet.spec.update(lease="10s")
    pair.park()
    running = pair.fleet.start("rollout", log="again.log", **pair.elsewhere())
    first_held(pair, running)
    ended = pair.fleet.play("rollout", log="third.log", ZDM_STATE=str(pair.fleet.directory / "third"))
    assert (ended.code, "holds the lease" in " ".join(ended.output.split())) == (2, True)
    ended = running.wait()
    assert ended.code == 0, ended.output
    assert pair.fleet.shares() == ALL
