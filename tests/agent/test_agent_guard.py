# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's own faults, and its proxy's, on a real HAProxy: killed, stopped, woken up; restarted while armed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.agent.conftest import AT_25
from tests.support.agent import Connection, Installed, Refused, altered
from tests.support.haproxy import Site
from tests.support.processes import Process
from tests.support.wait import until

DIED = "the guard that minded it has died"
Change = tuple[str, str, str]


def send(installed: Installed, number: signal.Signals) -> int:
    """A signal to the guard; its process id."""
    pid = installed.guard
    os.kill(pid, number)
    return pid


@contextmanager
def armed_with(site: Site, state: Path, directory: Path, *changes: Change) -> Iterator[tuple[Connection, Installed]]:
    """An altered agent, and a connection to it that holds the lease with a quarter at green."""
    agent = Installed(state, site.definition, site.service, agent=altered(directory, *changes))
    with agent.connect() as connection:
        connection.acquire()
        connection.arm(25)
        yield connection, agent


# --- killed


def test_a_guard_that_is_killed_is_told_apart_and_the_next_pays_what_it_owes(
    armed: Connection, installed: Installed, site: Site
) -> None:
    installed.end_guard()
    assert armed.process.wait(10) == 3
    assert armed.process.stderr is not None
    assert armed.process.stderr.read() == "zdm-agent: the guard on this host is gone\n"
    assert site.share() == AT_25
    with installed.connect() as following:
        assert following.hello()["guard"] == "session"
        until(lambda: site.share() == 0, "what was owed to be paid")
        reply = following.renew_for(armed)
        assert (reply["state"], reply["reason"], reply["ended_by"]) == ("reverted", DIED, "guard")
        with pytest.raises(Refused, match=DIED):
            wanted = {"split": {"blue": 50, "green": 50}, "stable": "blue"}
            following.ask("arm", epoch=1, wanted=wanted, name="web", environment="test")


UNADOPTED = ("agent/guard.py", "            self.tenures.adopt()\n", "")


def test_one_that_adopts_nothing_leaves_it__control(site: Site, state: Path, tmp_path: Path) -> None:
    with armed_with(site, state, tmp_path, UNADOPTED) as (dummy, agent):
        agent.end_guard()
        with agent.connect() as following:
            following.hello()
            beyond = following.t + 0.5
            until(lambda: following.hello()["t"] > beyond, "some of its ticks")
            assert site.share() == AT_25


def test_the_next_run_takes_over_and_says_from_whom(armed: Connection, installed: Installed, site: Site) -> None:
    installed.end_guard()
    with installed.connect() as following:
        reply = following.acquire("r2")
        assert (reply["epoch"], reply["took_over"]["run"], reply["took_over"]["owner"]) == (2, "r1", "ann@desk")
        assert site.share() == 0


def test_a_second_guard_leaves_at_once(armed: Connection, installed: Installed) -> None:
    pid = installed.guard
    words = [installed.python, str(installed.file), "--guard", "session"]
    assert subprocess.run(words, check=False, timeout=30).returncode == 0
    assert (installed.guard, armed.renew()["state"]) == (pid, "armed")


# --- stopped


def test_past_a_guard_that_is_stopped_traffic_goes_back_and_nothing_is_lent(
    armed: Connection, installed: Installed, site: Site
) -> None:
    pid = send(installed, signal.SIGSTOP)
    with installed.connect() as other:
        assert other.hello()["guard"] == "none"
        said = "no guard minds leases on this host: process %d (stopped) does not answer" % pid
        orders: list[Callable[[], object]] = [
            lambda: other.acquire("r2"),
            lambda: other.arm(50),
            lambda: other.renew_for(armed),
        ]
        for order in orders:
            with pytest.raises(Refused) as error:
                order()
            assert (error.value.code, str(error.value)) == ("router", said)
        assert site.share() == AT_25
        where = {"name": "web", "environment": "test"}
        assert other.ask("revert", epoch=1, reason="bad", **where)["traffic"]["split"]["green"] == 0
    assert site.share() == 0
    assert "served without a guard: process %d (stopped) does not answer" % pid in installed.log


FORGETFUL = ("agent/tenure.py", "        self.record = self._means.store.recall(self.record)\n", "        pass\n")
#: Under the apply lock it is remembered as well.
UNREAD = (
    "agent/apply.py",
    "old = store.recall(order.remembered) if order.remembered else",
    "old = order.remembered if order.remembered else",
)


@pytest.mark.parametrize(
    ("changes", "share"), [((), 40.0), ((FORGETFUL, UNREAD), 0.0)], ids=["as it is", "it reads nothing: the control"]
)
def test_a_guard_that_wakes_up_heeds_what_was_done_meanwhile_and_changes_nothing(
    site: Site, state: Path, tmp_path: Path, changes: tuple[Change, ...], share: float
) -> None:
    with armed_with(site, state, tmp_path, *changes) as (connection, agent):
        pid = send(agent, signal.SIGSTOP)
        assert agent.command("revert", "web").returncode == 0
        assert site.share() == 0
        site.bring(40)  # somebody's own decision, after the rollout
        connection.process.kill()
        record = agent.record
        os.kill(pid, signal.SIGCONT)
        until(lambda: not agent.guard, "it to go, as nothing is left to mind")
        assert site.share() == pytest.approx(share, abs=0.5)
        assert (agent.record == record) == (not changes)


#: Holds the lock until it is ended.
HOLD = (
    "import fcntl, signal, sys\n"
    "stream = open(sys.argv[1], 'a')\n"
    "fcntl.flock(stream, fcntl.LOCK_EX)\n"
    "print('held', flush=True)\n"
    "signal.pause()\n"
)
HASTY = ("agent/record.py", "APPLY_PATIENCE = 5.0", "APPLY_PATIENCE = 0.2")
SOFT = ("agent/locks.py", "os.kill(found.pid, signal.SIGKILL)", "os.kill(found.pid, 0)")


@pytest.mark.parametrize(
    ("changes", "stopped", "code"),
    [((HASTY,), True, 0), ((HASTY, SOFT), True, 1), ((HASTY,), False, 1)],
    ids=["stopped", "stopped, and never ended: the control", "one that works is left alone"],
)
def test_a_stopped_process_does_not_keep_the_apply_lock(
    site: Site, state: Path, tmp_path: Path, changes: tuple[Change, ...], stopped: bool, code: int
) -> None:
    with armed_with(site, state, tmp_path, *changes) as (dummy, agent):
        words = [sys.executable, "-c", HOLD, str(state / "apply.lock")]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout is not None and holder.stdout.readline() == "held\n"
            if stopped:
                holder.send_signal(signal.SIGSTOP)
                os.waitpid(holder.pid, os.WUNTRACED)
            result = agent.command("revert", "web")
            assert (result.returncode, site.share()) == (code, 0 if code == 0 else AT_25)
            if code:
                said = "apply.lock is held by process %d%s" % (holder.pid, " (stopped)" if stopped else "")
                assert said in result.stderr
                assert holder.poll() is None
            holder.kill()
            assert holder.wait() == -signal.SIGKILL


# --- its proxy is restarted, and comes back with the weights of its file


def restart(site: Site) -> None:
    site.haproxy.kill()
    site.start()


UNANSWERED = (
    "agent/deviation.py",
    "    if answered_at is None or t - answered_at >= AGAIN_SECONDS:\n        return PUT_BACK\n",
    "    if answered_at is None or t - answered_at >= AGAIN_SECONDS:\n        return LEAVE\n",
)


def test_what_a_restart_of_the_proxy_undid_is_put_back_and_the_second_time_ends_it(
    armed: Connection, site: Site
) -> None:
    restart(site)
    until(lambda: armed.renew()["foreign"], "it to be found")
    assert site.share() == AT_25
    (foreign,) = armed.renew()["foreign"]
    assert (foreign["number"], foreign["shown"], foreign["put_back"]) == (1, {"blue": 100.0, "green": 0.0}, True)
    site.haproxy.reload()
    until(lambda: armed.renew()["state"] == "reverted", "the second time to end it")
    reply = armed.renew()
    assert "somebody else changed the split again, to {'blue': 100.0, 'green': 0.0}" in reply["reason"]
    assert reply["ended_by"] == "guard"
    assert site.share() == 0


def test_it_is_put_back_before_a_second_is_over(armed: Connection, site: Site) -> None:
    site.haproxy.reload()
    began = armed.renew()["t"]
    until(lambda: site.share() == AT_25, "it to be put back")
    assert armed.renew()["t"] - began < 1.0 + 5.0, "and the machine's own time"


def test_what_is_not_answered_stays_as_the_restart_left_it__control(site: Site, state: Path, tmp_path: Path) -> None:
    with armed_with(site, state, tmp_path, UNANSWERED) as (connection, dummy):
        restart(site)
        until(lambda: connection.renew()["foreign"], "it to be found")
        assert (site.share(), connection.renew()["foreign"][0]["put_back"]) == (0, False)


# --- resident


@contextmanager
def resident(installed: Installed) -> Iterator[Process]:
    words = [installed.python, str(installed.file), "--guard", "resident"]
    with Process(words, installed.state.parent / "resident.log") as guard:
        until(lambda: installed.guard == guard.pid, "the guard to begin")
        yield guard


def test_a_resident_guard_stays_and_takes_back_what_is_on_loan_when_it_is_told_to_end(
    installed: Installed, site: Site
) -> None:
    with resident(installed) as guard:
        with installed.connect() as connection:
            assert connection.hello()["guard"] == "resident"
            connection.acquire(guard="resident")
            connection.arm(25)
            assert site.share() == AT_25
            assert guard.stop() == 0
            assert connection.process.wait(10) == 3
        assert site.share() == 0
        assert installed.record["reason"] == "the guard was told to end (signal 15)"


def test_one_that_was_restarted_while_it_was_armed_comes_back_reverted(installed: Installed, site: Site) -> None:
    with resident(installed) as guard, installed.connect() as connection:
        connection.acquire(guard="resident")
        connection.arm(25)
        guard.kill()
    with resident(installed):
        until(lambda: installed.record["state"] == "reverted", "what was owed to be paid")
        assert (site.share(), installed.record["reason"]) == (0, DIED)


def test_where_a_resident_one_is_wanted_a_session_guard_does_not_do(installed: Installed, site: Site) -> None:
    with installed.connect() as connection, pytest.raises(Refused, match="apply the role router"):
        connection.acquire(guard="resident")
