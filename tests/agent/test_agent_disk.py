# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state directory: removed, full, read-only, far down, and not for everybody; with the built agent."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.agent.conftest import AT_25
from tests.support.agent import Connection, Installed, Refused, altered, gone
from tests.support.haproxy import Site
from tests.support.programs import need
from tests.support.wait import until

Change = tuple[str, str, str]


def test_without_its_record_the_guards_memory_is_enough(armed: Connection, installed: Installed, site: Site) -> None:
    (installed.state / "test" / "web.json").unlink()
    assert armed.renew()["state"] == "armed"
    armed.hang_up()
    until(lambda: site.share() == 0, "all traffic at stable")
    until(lambda: not installed.guard, "the guard to go")
    assert installed.record["state"] == "reverted"


FAITHFUL = (
    "agent/record.py",
    "            return False\n        except OSError:",
    "            return True\n        except OSError:",
)


@pytest.mark.parametrize(("changes", "share"), [((), 0.0), ((FAITHFUL,), AT_25)], ids=["as it is", "control"])
def test_a_guard_whose_directory_is_removed_takes_back_what_is_on_loan_and_goes(
    site: Site, state: Path, tmp_path: Path, changes: tuple[Change, ...], share: float
) -> None:
    """Else another one would begin there that knows nothing of it."""
    agent = Installed(state, site.definition, site.service, agent=altered(tmp_path, *changes))
    with agent.connect() as connection:
        connection.acquire()
        connection.arm(25)
        pid = agent.guard
        shutil.rmtree(state)
        if changes:
            beyond = connection.renew()["t"] + 0.5
            until(lambda: connection.renew()["t"] > beyond, "some of its ticks")
            assert site.share() == share
            connection.ask("revert", epoch=1, reason="the end of the control")
            connection.hang_up()
        else:
            assert connection.process.wait(10) == 3
            assert site.share() == share
    until(lambda: gone(pid), "the guard to be gone")


# --- a disk that takes nothing


#: In a mount namespace of its own: a small disk where the state directory is, with the agent on it.
SMALL = """
set -e
cp "$1/zdm-agent.pyz" "$1.pyz"
mount -t tmpfs -o size=1m,mode=0700 tmpfs "$1"
cp "$1.pyz" "$1/zdm-agent.pyz"
shift
exec "$@"
"""


class Disk:
    """The namespace of a connection and its guard."""

    def __init__(self, installed: Installed, connection: Connection) -> None:
        self._state, self._python, self._pid = installed.state, installed.python, connection.process.pid

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        inside = [need("nsenter"), "--mount", "--target", str(self._pid), "--", *words]
        return subprocess.run(inside, text=True, capture_output=True, check=False, timeout=30)

    def guard(self) -> int:
        """Its process id."""
        return int(self.run("cat", str(self._state / "guard.lock")).stdout.split()[0])

    def revert(self) -> subprocess.CompletedProcess[str]:
        return self.run(self._python, str(self._state / "zdm-agent.pyz"), "revert", "web")

    def fill(self) -> None:
        filled = self.run("dd", "if=/dev/zero", "of=%s/filled" % self._state, "bs=1k")
        assert "No space left on device" in filled.stderr

    def make_read_only(self) -> None:
        """For all that is opened from now on, as the guard has files open on it."""
        state = str(self._state)
        for words in (["--bind", state, state], ["-o", "remount,bind,ro", state]):
            done = self.run("mount", *words)
            assert done.returncode == 0, done.stderr

    def take_the_lock_away(self) -> None:
        """A disk that takes no new file, not even a lock's."""
        self.run("rm", str(self._state / "apply.lock"))
        self.make_read_only()


def need_namespaces() -> None:
    if os.getuid() != 0:
        pytest.skip("a disk of a test's own needs root, for a mount namespace")
    tried = subprocess.run(
        [need("unshare"), "--mount", "--propagation", "private", "true"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip("no mount namespace here: %s" % tried.stderr.strip())


@contextmanager
def on_a_small_disk(site: Site, state: Path, agent: bytes = b"") -> Iterator[tuple[Connection, Disk]]:
    """A connection with a quarter at green, and its disk."""
    need_namespaces()
    installed = Installed(state, site.definition, site.service, agent=agent)
    inside = [need("unshare"), "--mount", "--propagation", "private", "sh", "-c", SMALL, "sh", str(state)]
    with installed.connect(parent=inside) as connection:
        connection.acquire()
        connection.arm(25)
        disk = Disk(installed, connection)
        guard = disk.guard()
        try:
            yield connection, disk
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(guard, signal.SIGKILL)
    until(lambda: gone(guard), "the guard to be gone")


def by_the_run(connection: Connection, disk: Disk) -> None:
    assert connection.ask("revert", epoch=1, reason="bad")["traffic"]["split"]["green"] == 0
    reply = connection.renew()
    assert (reply["state"], reply["reason"]) == ("reverted", "bad"), "it is remembered"


def by_a_person(connection: Connection, disk: Disk) -> None:
    result = disk.revert()
    assert (result.returncode, result.stdout) == (0, "web: blue 100 %, green 0 %\n")
    assert "traffic is back, and the record is not: state directory" in result.stderr


def by_the_end_of_the_connection(connection: Connection, disk: Disk) -> None:
    connection.hang_up()


FULL = (Disk.fill, "No space left on device")
READ_ONLY = (Disk.make_read_only, "Read-only file system")
NOT_EVEN_A_LOCK = (Disk.take_the_lock_away, "Read-only file system")


@pytest.mark.parametrize(
    ("trouble", "said", "way"),
    [
        (*FULL, by_the_run),
        (*FULL, by_a_person),
        (*FULL, by_the_end_of_the_connection),
        (*READ_ONLY, by_a_person),
        (*NOT_EVEN_A_LOCK, by_the_run),
        (*NOT_EVEN_A_LOCK, by_the_end_of_the_connection),
    ],
)
def test_on_a_disk_that_takes_nothing_nothing_is_raised_and_all_goes_back(
    site: Site,
    state: Path,
    trouble: Callable[[Disk], None],
    said: str,
    way: Callable[[Connection, Disk], None],
) -> None:
    with on_a_small_disk(site, state) as (connection, disk):
        trouble(disk)
        with pytest.raises(Refused, match=said) as error:
            connection.arm(50)
        assert error.value.code == "router"
        assert site.share() == AT_25
        way(connection, disk)
        until(lambda: site.share() == 0, "all traffic at stable")
        if connection.process.poll() is None:
            beyond = connection.renew()["t"] + 0.3
            until(lambda: connection.renew()["t"] > beyond, "some more ticks")
            assert site.share() == 0, "and nobody puts it up again"


RECKLESS = (
    "agent/apply.py",
    "        if isinstance(action, leases.Write):\n            store.save(new)\n",
    "        if isinstance(action, leases.Write):\n            with contextlib.suppress(RecordError):\n"
    "                store.save(new)\n",
)
STRICT = ("agent/record.py", "            if not for_return:\n", "            if True:\n")


def test_what_is_not_recorded_first_is_raised__control(site: Site, state: Path, tmp_path: Path) -> None:
    with on_a_small_disk(site, state, altered(tmp_path, RECKLESS)) as (connection, disk):
        disk.fill()
        connection.arm(50)
        assert site.share() == pytest.approx(50, abs=0.5)


def test_where_a_return_needs_the_lock_it_is_not_made__control(site: Site, state: Path, tmp_path: Path) -> None:
    with on_a_small_disk(site, state, altered(tmp_path, STRICT)) as (connection, disk):
        disk.take_the_lock_away()
        assert disk.revert().returncode == 1
        with pytest.raises(Refused, match=r"apply\.lock cannot be opened"):
            connection.ask("revert", epoch=1, reason="bad")
        assert site.share() == AT_25


# --- far down


SHORT = ("agent/connection.py", "    if len(os.fsencode(path)) <= 107:\n", "    if True:\n")


@pytest.mark.parametrize(("changes", "guard"), [((), "session"), ((SHORT,), "none")], ids=["as it is", "control"])
def test_a_directory_whose_path_is_longer_than_a_sockets_may_be(
    site: Site, state: Path, tmp_path: Path, changes: tuple[Change, ...], guard: str
) -> None:
    deep = state / ("x" * 120)
    deep.mkdir(parents=True)
    agent = Installed(deep, site.definition, site.service, agent=altered(tmp_path, *changes))
    with agent.connect() as connection:
        assert connection.hello()["guard"] == guard
        if not changes:
            connection.acquire()
            connection.arm(25)
            assert connection.hang_up() == 0
            until(lambda: agent.record["state"] == "reverted", "all traffic at stable")
            until(lambda: not agent.guard, "the guard to go")
    assert site.share() == 0


# --- not for everybody

#: As another user: what comes first over the guard's socket.
STRANGER = """
import os, socket, sys
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
guard = socket.socket(socket.AF_UNIX)
guard.settimeout(10)
try:
    guard.connect(sys.argv[1])
    print(guard.recv(1))
except PermissionError:
    print("not even connected")
"""
TRUSTING = ("agent/connection.py", "    return user in (0, os.geteuid())\n", "    return True\n")


def stranger(agent: Installed) -> str:
    words = [sys.executable, "-c", STRANGER, str(agent.state / "agent.sock")]
    return subprocess.run(words, text=True, capture_output=True, check=True, timeout=30).stdout.strip()


@pytest.mark.skipif(os.getuid() != 0, reason="to be another user needs root")
@pytest.mark.parametrize(("changes", "greeting"), [((), "b''"), ((TRUSTING,), r"b'\n'")], ids=["as it is", "control"])
def test_only_its_own_user_may_speak_to_the_guard(
    site: Site, tmp_path: Path, changes: tuple[Change, ...], greeting: str
) -> None:
    with TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        agent = Installed(Path(directory) / "s", site.definition, site.service, agent=altered(tmp_path, *changes))
        with agent.connect() as connection:
            connection.hello()
            path = agent.state / "agent.sock"
            assert path.stat().st_mode & 0o777 == 0o600
            assert stranger(agent) == "not even connected"
            os.chmod(agent.state, 0o755)
            assert stranger(agent) == "not even connected", "the socket itself is not for everybody"
            os.chmod(path, 0o666)
            assert stranger(agent) == greeting, "and were it, the kernel says who it is"
            assert ("a connection of another user was refused" in agent.log) == (not changes)
        until(lambda: not agent.guard, "the guard to go")
