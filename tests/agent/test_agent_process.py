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
from collections.abc import Callable, Iterator
from itertools import count, islice, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils._build import SOURCES, build
from tests.support.agent import Connection, Installed, Refused
from tests.support.haproxy import Site
from tests.support.wait import until

AT_25 = pytest.approx(25, abs=0.5)


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    with Site(servers={"blue": "weight 100", "green": "weight 0"}) as site:
        yield site


@pytest.fixture
def site(running: Site) -> Site:
    """All traffic at blue."""
    running.bring(0)
    assert running.share() == 0
    return running


@pytest.fixture
def state(site: Site) -> Iterator[Path]:
    with TemporaryDirectory(dir=site.directory) as directory:
        yield Path(directory) / "state"


@pytest.fixture
def installed(site: Site, state: Path) -> Installed:
    return Installed(state, site.definition, site.service)


@pytest.fixture
def armed(installed: Installed, site: Site) -> Iterator[Connection]:
    """A connection that holds the lease, with a quarter of the traffic at green."""
    with installed.connect() as connection:
        connection.acquire()
        connection.arm(25)
        assert site.share() == AT_25
        yield connection


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


def test_a_person_on_the_router_has_the_last_word(armed: Connection, installed: Installed, site: Site) -> None:
    result = installed.command("revert", "web")
    assert (result.returncode, result.stdout) == (0, "web: blue 100 %, green 0 %\n")
    assert site.share() == 0
    with pytest.raises(Refused, match="ordered on the router") as error:
        armed.arm(50)
    assert error.value.code == "reverted"
    assert armed.hang_up() == 0
    assert site.share() == 0


def test_a_broken_record_of_another_service_is_not_in_the_way(
    armed: Connection, installed: Installed, site: Site
) -> None:
    (installed.state / "test" / "api.json").write_text("junk")
    assert installed.command("revert", "web").returncode == 0
    assert site.share() == 0


def test_the_status_says_who_what_where_and_how_to_end_it(armed: Connection, installed: Installed) -> None:
    said = installed.command("status").stdout
    for part in ("web in test: armed", "live: blue 75 %, green 25 %", "release v2", "ann@desk", "zdm-agent revert web"):
        assert part in said


@pytest.mark.parametrize(
    ("first", "because"),
    [(None, "nowhere in"), (disarm_and_hang_up, "nothing to revert; 'undo' goes back a release")],
    ids=["nothing was here", "it is over"],
)
def test_without_a_lease_there_is_nothing_to_revert(
    installed: Installed, site: Site, first: Callable[[Connection], int] | None, because: str
) -> None:
    if first:
        with installed.connect() as connection:
            connection.acquire()
            connection.arm(25)
            first(connection)
    before = site.share()
    result = installed.command("revert", "web")
    assert (result.returncode, result.stdout) == (1, "")
    assert because in result.stderr
    assert site.share() == before


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
