# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built agent as processes on a real HAProxy: whatever becomes of the controller, what is on loan goes back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest

from tests.agent.conftest import AT_25, without_stable
from tests.support.agent import Connection, Installed, Refused, altered
from tests.support.haproxy import Site
from tests.support.wait import until

ENDED = "the controller's connection ended"
#: Seconds, with much to spare: the lease and five, at most.
LEASE = 15.0


def back(site: Site) -> None:
    until(lambda: site.share() == 0, "all traffic at stable", LEASE)


def hang_up(connection: Connection) -> int:
    return connection.hang_up()


def kill(connection: Connection) -> int:
    connection.process.kill()
    return -connection.process.wait()


@pytest.mark.parametrize(("end", "code"), [(hang_up, 0), (kill, signal.SIGKILL)])
def test_when_its_connection_ends_it_goes_back_before_the_lease_would_have_run_out(
    armed: Connection, installed: Installed, site: Site, end: Callable[[Connection], int], code: int
) -> None:
    left = armed.renew()["expires_in"]
    assert left > 9
    assert end(armed) == code
    back(site)
    until(lambda: installed.record["state"] == "reverted", "it to be recorded")
    assert installed.record["reason"] == ENDED
    until(lambda: not installed.guard, "the guard to go, as nothing is left to mind")
    assert "the guard has ended: nothing is left to mind" in installed.log


def test_what_was_disarmed_stays__control(armed: Connection, installed: Installed, site: Site) -> None:
    armed.ask("disarm", epoch=1)
    assert armed.hang_up() == 0
    until(lambda: not installed.guard, "the guard to go")
    assert site.share() == AT_25
    assert installed.record["state"] == "idle"


#: Nobody hears that the connection ended: then the lease goes on until it has run out.
DEAF = ("agent/tenures.py", "            tenure.left(carrier)\n", "            pass\n")


def test_the_end_of_a_connection_that_nobody_hears_is_a_silence__control(
    site: Site, state: Path, tmp_path: Path
) -> None:
    agent = Installed(state, site.definition, site.service, agent=altered(tmp_path, DEAF))
    with agent.connect() as connection:
        connection.acquire(ttl=2)
        connection.arm(25)
        assert connection.hang_up() == 0
    back(site)
    until(lambda: agent.record["state"] == "reverted", "it to be recorded")
    assert agent.record["reason"] == "nobody renewed the lease for 2 s"


def test_silence_on_a_connection_that_stays_open(installed: Installed, site: Site) -> None:
    with installed.connect() as connection:
        connection.acquire(ttl=1)
        connection.arm(25)
        beyond = connection.t + 1.5
        until(lambda: connection.renew()["t"] > beyond, "more than the lease would have lasted")
        assert site.share() == AT_25
        back(site)
        reply = connection.renew()
        assert (reply["state"], reply["reason"]) == ("reverted", "nobody renewed the lease for 1 s")
        assert (reply["ended_by"], reply["traffic"]["split"]) == ("guard", {"blue": 100.0, "green": 0.0})


def test_a_fresh_connection_that_renews_in_time_saves_the_lease(
    armed: Connection, installed: Installed, site: Site
) -> None:
    with installed.connect() as fresh:
        fresh.hello()
        armed.hang_up()
        assert fresh.renew_for(armed)["state"] == "armed"
        beyond = fresh.t + 1.5
        until(lambda: fresh.renew_for(armed)["t"] > beyond, "more than the second that it had left")
        assert site.share() == AT_25
        assert installed.record["state"] == "armed"
        assert fresh.hang_up() == 0
    back(site)
    until(lambda: "reverted: " + ENDED in installed.log, "it to say so")


#: Holds the only ends of the agent's pipes, and carries lines.
PARENT = """
import subprocess, sys
agent = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
for line in sys.stdin.buffer:
    agent.stdin.write(line)
    agent.stdin.flush()
    print(agent.stdout.readline().decode(), end="", flush=True)
"""


@pytest.mark.parametrize(("last", "share"), [(None, 0.0), ("disarm", AT_25)], ids=["armed", "disarmed: the control"])
def test_its_parent_is_killed(installed: Installed, site: Site, last: str | None, share: float) -> None:
    with installed.connect(parent=(sys.executable, "-c", PARENT)) as connection:
        connection.acquire()
        connection.arm(25)
        if last:
            connection.ask(last, epoch=1)
        connection.process.kill()
        until(lambda: not installed.guard, "the guard to go", LEASE)
    assert site.share() == share


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_a_terminal_sends_does_not_end_it(armed: Connection, site: Site, number: signal.Signals) -> None:
    """It would end with the playbook before it is told what to do."""
    armed.process.send_signal(number)
    assert armed.renew()["state"] == "armed"
    assert site.share() == AT_25


def test_it_waits_for_a_stable_that_can_take_the_traffic(armed: Connection, installed: Installed, site: Site) -> None:
    with without_stable(site):
        armed.hang_up()
        until(lambda: "STUCK, tried again: blue would get 100 % of web" in installed.log, "it to say so")
        assert site.weights()["green-1"] > 0
        said = installed.command("status").stdout
        assert "web in test: stuck" in said
        assert "minded by process %d\n" % installed.guard in said
    back(site)
    until(lambda: installed.record["state"] == "reverted", "it to be recorded")
    assert installed.record["reason"] == ENDED


def test_while_it_lives_nobody_takes_over(armed: Connection, installed: Installed, site: Site) -> None:
    with installed.connect() as other, pytest.raises(Refused, match="run r1 of ann@desk holds the lease") as error:
        other.acquire("r2")
    assert error.value.code == "busy"
    assert site.share() == AT_25


# --- what its user wants to be held


def test_what_is_abandoned_is_held_where_that_was_wanted(installed: Installed, site: Site) -> None:
    with installed.connect() as connection:
        connection.acquire(on_expiry="hold")
        connection.arm(25)
    until(lambda: installed.record["state"] == "held", "the lease to run out", LEASE)
    until(lambda: not installed.guard, "the guard to go")
    assert site.share() == AT_25
    said = installed.command("status").stdout
    for part in ("web in test: held", ENDED, "zdm-agent revert web", "zdm-agent disarm web"):
        assert part in said
    assert installed.command("revert", "web").returncode == 0
    assert site.share() == 0


# --- defects

#: The first look after an arm ends the guard with a ZeroDivisionError.
LOOK = "            self._sight.look(t, self.lease.stable)\n"
DEFECT = ("agent/tenure.py", LOOK, LOOK + "            1 / (self._armed is None)\n")
UNMINDED = ("agent/guard.py", "            code = self._close(lock)\n", "            code = 1\n")


@pytest.mark.parametrize(
    ("changes", "share"),
    [((DEFECT,), 0.0), ((DEFECT, UNMINDED), AT_25)],
    ids=["minded", "not minded: the control"],
)
def test_a_defect_of_its_own_does_not_keep_the_traffic_away(
    site: Site, state: Path, tmp_path: Path, changes: tuple[tuple[str, str, str], ...], share: float
) -> None:
    agent = Installed(state, site.definition, site.service, agent=altered(tmp_path, *changes))
    with agent.connect() as connection:
        connection.acquire()
        connection.arm(25)
        assert connection.process.wait(30) == 3
        assert connection.process.stderr is not None
        assert connection.process.stderr.read() == "zdm-agent: the guard on this host is gone\n"
    until(lambda: not agent.guard, "the guard to be gone")
    assert "ZeroDivisionError" in agent.log
    assert site.share() == share


def test_replies_wait_for_a_slow_reader_also_where_one_socket_is_both_directions(
    armed: Connection, installed: Installed
) -> None:
    """As under sshd. The replies are many times what the sockets hold, and the lease does not wait for them."""
    requests = range(4000)
    ours, its = socket.socketpair()
    its.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with ours, its, installed.connect(its, its):
        its.close()
        ours.sendall(b"".join(b'{"id": %d, "op": "status"}\n' % number for number in requests))
        beyond = armed.renew()["t"] + 0.5
        until(lambda: armed.renew()["t"] > beyond, "the sockets to be full for a while")
        with ours.makefile() as stream:
            numbers = [json.loads(line)["id"] for line in islice(stream, len(requests))]
        assert numbers == list(requests)
        assert armed.renew()["state"] == "armed"


@pytest.fixture
def oldest_python() -> str:
    """Python 3.8, the oldest that the agent promises to run on."""
    known = sorted((Path.home() / ".pyenv" / "versions").glob("3.8*/bin/python"))
    found = str(known[-1]) if known else shutil.which("python3.8")
    if found is None:
        pytest.skip("no Python 3.8: pyenv install 3.8")
    return found


def test_it_runs_on_the_oldest_python(site: Site, state: Path, oldest_python: str) -> None:
    agent = Installed(state, site.definition, site.service, python=oldest_python)
    with agent.connect() as connection:
        hello = connection.hello()
        assert (hello["python"].startswith("3.8."), hello["guard"]) == (True, "session")
        connection.acquire(reflex={"alpha": 0.0005, "dispersion": 2.0, "min_failures": 5})
        connection.arm(25)
        assert site.share() == AT_25
        until(lambda: connection.renew()["counters"], "a look at the router")
        assert connection.hang_up() == 0
    back(site)
    until(lambda: agent.record["state"] == "reverted", "it to be recorded")
    assert "reverted" in agent.command("status").stdout


def internet(pid: int) -> set[str]:
    """The sockets of a process that somebody on a network could speak to, as the kernel has them."""
    open_files, found = set(), set()
    for handle in os.listdir("/proc/%d/fd" % pid):
        with suppress(FileNotFoundError):  # closed by now, as that of this listing
            open_files.add(os.readlink("/proc/%d/fd/%s" % (pid, handle)))
    for table in ("tcp", "tcp6", "udp", "udp6"):
        path = Path("/proc/%d/net/%s" % (pid, table))
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            words = line.split()
            found |= {"%s %s" % (table, words[1])} if "socket:[%s]" % words[9] in open_files else set()
    return found


def test_no_port_is_opened(armed: Connection, installed: Installed) -> None:
    armed.renew()
    assert internet(installed.guard) == set()
    assert internet(armed.process.pid) == set()
    with socket.create_server(("127.0.0.1", 0)):
        assert len(internet(os.getpid())) == 1, "the control: this process has one"
