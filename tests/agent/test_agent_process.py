# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built agent as a process on a real HAProxy: whatever ends it, what is on loan goes back."""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import socket
import sys
import termios
from collections.abc import Callable
from itertools import count, islice, pairwise
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils._build import SOURCES, build
from tests.agent.conftest import AT_25, without_stable
from tests.support.agent import Connection, Installed, Refused
from tests.support.haproxy import Site
from tests.support.wait import until


def hang_up(connection: Connection) -> int:
    return connection.hang_up()


def tell_to_end(connection: Connection) -> int:
    connection.process.send_signal(signal.SIGTERM)
    return connection.process.wait(30)


def disarm_and_hang_up(connection: Connection) -> int:
    connection.ask("disarm", epoch=1)
    return connection.hang_up()


ENDS = {
    "its connection ends": (hang_up, 0.0, "reverted"),
    "it is told to end": (tell_to_end, 0.0, "reverted"),
    "it was disarmed: the control": (disarm_and_hang_up, AT_25, "idle"),
}


@pytest.mark.parametrize(("end", "share", "recorded"), ENDS.values(), ids=ENDS)
def test_whatever_ends_the_agent(
    armed: Connection,
    installed: Installed,
    site: Site,
    end: Callable[[Connection], int],
    share: float,
    recorded: str,
) -> None:
    assert end(armed) == 0
    assert site.share() == share
    assert json.loads((installed.state / "test" / "web.json").read_text())["state"] == recorded


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
        until(lambda: "session ended: the controller's connection ended" in installed.log, "the agent to end")
    assert site.share() == share


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_a_terminal_sends_does_not_end_it(armed: Connection, site: Site, number: signal.Signals) -> None:
    """It would end with the playbook before it is told what to do."""
    armed.process.send_signal(number)
    assert armed.ask("renew", epoch=1)["state"] == "armed"
    assert site.share() == AT_25
    assert armed.hang_up() == 0


def test_it_waits_for_a_stable_that_can_take_the_traffic(armed: Connection, installed: Installed, site: Site) -> None:
    with without_stable(site):
        assert armed.process.stdin
        armed.process.stdin.close()
        until(lambda: "REVERT NOT DONE, tried again: blue would get 100 % of web" in installed.log, "it to say so")
        assert site.weights()["green-1"] > 0
    assert armed.process.wait(30) == 0
    assert site.share() == 0


def test_what_a_killed_agent_owes_is_paid_by_the_next(armed: Connection, installed: Installed, site: Site) -> None:
    armed.process.kill()
    armed.process.wait()
    assert site.share() == AT_25
    with installed.connect() as following:
        reply = following.acquire("r2")
        assert (reply["epoch"], reply["took_over"]["run"]) == (2, "r1")
        assert site.share() == 0


def test_while_it_lives_nobody_takes_over(armed: Connection, installed: Installed, site: Site) -> None:
    with installed.connect() as other, pytest.raises(Refused, match="run r1 of ann@desk holds the lease") as error:
        other.acquire("r2")
    assert error.value.code == "busy"
    assert site.share() == AT_25


def altered(directory: Path, *changes: tuple[str, str, str]) -> bytes:
    """The agent with places of its source altered."""
    copy = Path(shutil.copytree(SOURCES, directory / "altered"))
    for file, text, instead in changes:
        content = (copy / file).read_text()
        assert content.count(text) == 1, "%s has %r not once" % (file, text)
        (copy / file).write_text(content.replace(text, instead))
    return build(copy)


#: A defect: the first sample after the first arm ends the agent with a ZeroDivisionError.
READ = "            traffic = self.driver.read(self._service)\n"
DEFECT = ("agent/session.py", READ, READ.replace("= ", "= 1 / 0 if self._armed else "))
UNMINDED = ("agent/pump.py", "            code = self._close()\n", "            code = 1\n")


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
        assert connection.process.wait(30) == 1
        assert connection.process.stderr is not None
        assert "ZeroDivisionError" in connection.process.stderr.read()
    assert site.share() == share


def unread(end: socket.socket) -> int:
    """How many bytes wait to be read."""
    return int.from_bytes(fcntl.ioctl(end, termios.FIONREAD, b"\0" * 4), sys.byteorder)


SERVE = "        selector = selectors.DefaultSelector()\n"
NONBLOCKING = ("agent/pump.py", SERVE, "        os.set_blocking(self._source, False)\n" + SERVE)


@pytest.mark.parametrize(("changes", "all_come"), [((), True), ((NONBLOCKING,), False)], ids=["blocking", "control"])
def test_replies_wait_for_a_slow_reader_also_where_one_socket_is_both_directions(
    site: Site, state: Path, tmp_path: Path, changes: tuple[tuple[str, str, str], ...], all_come: bool
) -> None:
    """As under sshd. The replies are many times what the socket holds."""
    agent = Installed(state, site.definition, site.service, agent=altered(tmp_path, *changes))
    requests = range(2000)
    ours, its = socket.socketpair()
    its.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with ours, its, agent.connect(its, its):
        its.close()
        ours.sendall(b"".join(b'{"id": %d, "op": "status"}\n' % number for number in requests))
        looks = pairwise(unread(ours) for dummy in count())

        def settled() -> bool:
            before, now = next(looks)
            return 0 < before == now

        until(settled, "the socket to be full")
        with ours.makefile() as stream:
            numbers = [json.loads(line)["id"] for line in islice(stream, len(requests)) if line.endswith("\n")]
    assert (numbers == list(requests)) == all_come


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
        hello = connection.ask("hello", versions=[1], router=site.definition)
        assert hello["python"].startswith("3.8.")
        connection.acquire()
        connection.arm(25)
        assert site.share() == AT_25
        until(lambda: connection.ask("renew", epoch=1)["counters"], "a sample")
        assert connection.hang_up() == 0
    assert site.share() == 0
    assert "reverted" in agent.command("status").stdout
