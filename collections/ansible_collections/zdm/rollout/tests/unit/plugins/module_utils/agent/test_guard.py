# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's life: how it begins, what it minds, and that whatever ends it takes back what is on loan."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import guard as room
from ansible_collections.zdm.rollout.plugins.module_utils.agent.guard import Guard
from ansible_collections.zdm.rollout.plugins.module_utils.agent.kinds import RESIDENT, SESSION, SOCKET
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Record
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import UP

from .agents import Agent
from .guards import DEADLINE, Client, Turned, guarded, until


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """The guard takes these for itself."""
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE)
    before = [(number, signal.getsignal(number)) for number in numbers]
    yield
    for number, handler in before:
        signal.signal(number, handler)


def file(agent: Agent, name: str) -> Path:
    return Path(agent.store.directory) / name


def reason(agent: Agent) -> str:
    assert agent.state == "reverted"
    return agent.record.lease.reason


# --- leases


def test_it_renews_ticks_and_ends_a_lease_that_is_silent(agent: Agent, clock: Turned) -> None:
    def talk() -> None:
        client = Client(agent)
        client.arm()
        for dummy in range(3):
            clock.seconds += 9
            client.t += 9
            assert client.renew()["state"] == "armed"
        clock.seconds += 10
        until(lambda: agent.state == "reverted", "the lease to run out")
        assert client.renew()["reason"] == "nobody renewed the lease for 10 s"
        client.close()

    assert guarded(agent, talk) == 0
    assert agent.driver.share() == 0


def test_a_connection_that_ends_takes_its_lease_with_it_in_a_second(agent: Agent, clock: Turned) -> None:
    def talk() -> None:
        client = Client(agent)
        client.arm()
        client.close()
        looks = agent.driver.calls.count("counters")
        until(lambda: agent.driver.calls.count("counters") > looks + 2, "it to go on looking")
        clock.seconds += 1
        until(lambda: agent.state == "reverted", "the lease to run out")

    assert guarded(agent, talk) == 0
    assert reason(agent) == "the controller's connection ended"


def test_the_router_is_looked_at_while_there_is_a_lease_and_not_before_and_after(agent: Agent, clock: Turned) -> None:
    def looks() -> int:
        return agent.driver.calls.count("counters")

    def talk() -> None:
        client = Client(agent)
        for dummy in range(5):
            client.ask("status")
        assert looks() == 0
        client.arm()
        until(lambda: looks() > 3, "some looks")
        client.ask("disarm", epoch=1)
        until_now = looks()
        clock.seconds += 10
        for dummy in range(5):
            client.ask("status")
        assert looks() == until_now
        client.close()

    assert guarded(agent, talk) == 0


# --- beginnings


def test_what_a_guard_before_it_left_behind_goes_back(agent: Agent, clock: Turned) -> None:
    agent.at_25()
    assert guarded(agent, lambda: until(lambda: agent.state == "reverted", "the debt to be paid")) == 0
    assert reason(agent) == "the guard that minded it has died"


def test_a_second_one_leaves_at_once_and_says_nothing(agent: Agent, clock: Turned) -> None:
    def talk() -> None:
        client = Client(agent)
        client.arm()
        said = list(agent.said)
        assert Guard(agent.store, SESSION, agent.said.append).run() == 0
        assert (agent.said, client.renew()["state"]) == (said, "armed")
        client.close()

    assert guarded(agent, talk) == 0


def test_a_socket_that_a_killed_one_left_is_no_obstacle(agent: Agent, clock: Turned) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        os.makedirs(agent.store.directory)
        left.bind(str(file(agent, SOCKET)))
        left.listen(1)

    def talk() -> None:
        until(lambda: "a session guard has begun" in agent.said, "it to begin")

        def answers() -> bool:
            try:
                return Client(agent).greeting == b"\n"
            except ConnectionRefusedError:
                return False

        until(answers, "an answer")

    assert guarded(agent, talk) == 0


# --- lifetimes


def test_a_session_guard_goes_when_nobody_is_there_and_nothing_is_on_loan(
    agent: Agent, clock: Turned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "FIRST_SECONDS", 1000.0)  # which was for the first one

    def talk() -> None:
        client = Client(agent)
        client.arm()
        client.ask("disarm", epoch=1)
        client.close()
        until(lambda: any("has ended" in text for text in agent.said), "it to go")

    assert guarded(agent, talk) == 0
    assert agent.said[-1] == "the guard has ended: nothing is left to mind"
    assert agent.driver.share() == 25
    assert not file(agent, SOCKET).exists()


def test_and_not_while_something_is(agent: Agent, clock: Turned) -> None:
    def talk() -> None:
        client = Client(agent)
        client.arm()
        agent.driver.broken = {"revert"}
        client.close()
        clock.seconds += 100
        until(lambda: any("REVERT NOT DONE" in text for text in agent.said), "it to try")
        clock.seconds += 100
        assert Client(agent).greeting == b"\n", "it is still there"
        agent.driver.broken = set()
        clock.seconds += 1
        until(lambda: agent.state == "reverted", "the debt to be paid")

    assert guarded(agent, talk) == 0


def test_one_to_whom_nobody_comes_goes(agent: Agent, clock: Turned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "FIRST_SECONDS", 0.0)
    assert guarded(agent, lambda: until(lambda: len(agent.said) > 1, "it to go")) == 0
    assert agent.said == ["a session guard has begun", "the guard has ended: nothing is left to mind"]


def test_a_resident_one_stays(agent: Agent, clock: Turned) -> None:
    def talk() -> None:
        for dummy in range(3):
            Client(agent).close()
            clock.seconds += 100
        assert Client(agent).greeting == b"\n"

    assert guarded(agent, talk, RESIDENT) == 0
    assert agent.said[-1] == "the guard has ended: the guard was told to end (signal 15)"


# --- ends


def test_a_signal_takes_back_what_is_on_loan(agent: Agent, clock: Turned) -> None:
    def talk() -> None:
        Client(agent).arm()
        os.kill(os.getpid(), signal.SIGTERM)

    assert guarded(agent, talk) == 0
    assert (reason(agent), agent.driver.share()) == ("the guard was told to end (signal 15)", 0)
    assert not file(agent, SOCKET).exists()


def test_also_what_would_be_held_if_it_were_abandoned(agent: Agent, clock: Turned) -> None:
    assert guarded(agent, lambda: Client(agent).arm(on_expiry="hold")) == 0
    assert (reason(agent), agent.driver.share()) == ("the guard was told to end (signal 15)", 0)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_what_a_terminal_sends_is_nothing_to_it(agent: Agent, clock: Turned, number: signal.Signals) -> None:
    def talk() -> None:
        client = Client(agent)
        client.arm()
        os.kill(os.getpid(), number)
        assert client.renew()["state"] == "armed"
        client.ask("disarm", epoch=1)

    assert guarded(agent, talk) == 0


def test_what_was_disarmed_stays__control(agent: Agent, clock: Turned) -> None:
    def talk() -> None:
        client = Client(agent)
        client.arm()
        client.ask("disarm", epoch=1)

    assert guarded(agent, talk) == 0
    assert (agent.state, agent.driver.share()) == ("idle", 25)


@pytest.mark.parametrize("minded", [True, False], ids=["minded", "not minded: the control"])
def test_a_defect_of_its_own_does_not_keep_the_traffic_away(
    agent: Agent, clock: Turned, monkeypatch: pytest.MonkeyPatch, minded: bool
) -> None:
    """It meets it with each look at the router."""
    if not minded:
        monkeypatch.setattr(Guard, "_close", lambda self, lock: 1)
    met = threading.Event()

    def fails(name: str) -> None:
        if name == "counters":
            met.set()
            raise ZeroDivisionError("a defect")

    def talk() -> None:
        client = Client(agent)
        client.arm()
        agent.driver.during = fails
        assert met.wait(DEADLINE)

    with pytest.raises(ZeroDivisionError):
        guarded(agent, talk)
    assert agent.driver.share() == (0 if minded else 25)
    assert agent.state == ("reverted" if minded else "armed")


def refuse(agent: Agent) -> None:
    agent.driver.broken = {"revert"}


def fall_ill(agent: Agent) -> None:
    agent.driver.ail("blue")


def recover(agent: Agent) -> None:
    agent.driver.broken = set()
    agent.driver.ail("blue", UP)


@pytest.mark.parametrize("trouble", [refuse, fall_ill])
def test_it_tries_until_it_can_before_it_goes(agent: Agent, clock: Turned, trouble: Callable[[Agent], None]) -> None:
    def talk() -> None:
        Client(agent).arm()
        trouble(agent)
        os.kill(os.getpid(), signal.SIGTERM)
        until(lambda: any("tried again" in text for text in agent.said), "it to try")
        recover(agent)
        clock.seconds += 1

    assert guarded(agent, talk) == 0
    assert (reason(agent), agent.driver.share()) == ("the guard was told to end (signal 15)", 0)


def test_and_says_so_when_it_never_could(agent: Agent, clock: Turned, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks, recall = [], agent.store.recall

    def counted(remembered: Record) -> Record:
        ticks.append(remembered)
        return recall(remembered)

    def talk() -> None:
        client = Client(agent)
        client.arm()
        fall_ill(agent)
        os.kill(os.getpid(), signal.SIGTERM)
        until(lambda: agent.state == "stuck", "it to try")
        client.send(client.line("status"))  # nobody attends to it any more
        monkeypatch.setattr(agent.store, "recall", counted)
        before = len(agent.driver.calls)
        until(lambda: len(agent.driver.calls) > before, "it to try again")
        monkeypatch.setattr(agent.store, "recall", recall)
        clock.seconds += room.END_SECONDS

    assert guarded(agent, talk) == 1
    assert agent.state == "stuck"
    assert len(ticks) < 100, "and not without a pause"


def test_a_disk_that_takes_nothing_is_not_in_its_way(
    agent: Agent, clock: Turned, monkeypatch: pytest.MonkeyPatch
) -> None:
    def talk() -> None:
        Client(agent).arm()

        def unlink(path: str) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr(os, "unlink", unlink)

    assert guarded(agent, talk) == 0
    assert agent.driver.share() == 0


@pytest.mark.parametrize("anew", [False, True], ids=["removed", "and made anew"])
def test_one_whose_directory_was_removed_takes_back_what_is_on_loan_and_goes(
    agent: Agent, clock: Turned, anew: bool
) -> None:
    def talk() -> None:
        Client(agent).arm()
        if anew:
            os.rename(agent.store.directory, agent.store.directory + ".old")
            os.makedirs(agent.store.directory)
            file(agent, "guard.lock").touch()
            file(agent, SOCKET).touch()  # another guard's
        else:
            # At once: file by file the guard may write its record in between.
            os.rename(agent.store.directory, agent.store.directory + ".removed")
            shutil.rmtree(agent.store.directory + ".removed")
        until(lambda: any("has ended" in text for text in agent.said), "it to go")

    assert guarded(agent, talk) == 0
    assert agent.said[-1] == "the guard has ended: the state directory was removed"
    assert agent.driver.share() == 0
    assert file(agent, SOCKET).exists() == anew


# --- who is told


@pytest.mark.parametrize("kind", [RESIDENT, SESSION])
def test_people_are_told_by_a_resident_one(agent: Agent, clock: Turned, tmp_path: Path, kind: str) -> None:
    told = tmp_path / "told"
    notify = [{"command": ["sh", "-c", "cat > %s" % told]}, {"command": ["sh", "-c", "exit 3"], "on": ["reverted"]}]

    def talk() -> None:
        client = Client(agent)
        client.arm(notify=notify)
        clock.seconds += 10
        until(lambda: agent.state == "reverted", "the lease to run out")

    assert guarded(agent, talk, kind) == 0
    assert told.exists() == (kind == RESIDENT)
    assert ("notify: sh ended with 3" in agent.said) == (kind == RESIDENT)
    if kind == RESIDENT:
        message: dict[str, Any] = json.loads(told.read_text())
        assert (message["event"], message["service"], message["run"]) == ("reverted", "web", "r1")
        assert (message["actor"], message["reason"]) == ("guard", "nobody renewed the lease for 10 s")
        assert message["router"] == socket.gethostname()


def test_the_service_manager_is_told_all_along(
    agent: Agent, clock: Turned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        heard = []

        def talk() -> None:
            Client(agent).arm()
            while b"WATCHDOG=1" not in heard:
                heard.append(manager.recv(100))

        assert guarded(agent, talk, RESIDENT) == 0
        while heard[-1] != b"STOPPING=1":
            heard.append(manager.recv(100))
    assert heard[0] == b"READY=1"
    assert set(heard[1:-1]) == {b"WATCHDOG=1"}
