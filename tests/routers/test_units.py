# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's unit under a real systemd, with all that it is denied: what it can still do, and what becomes of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent import Connection, Placed
from tests.support.haproxy import Site
from tests.support.machine import PYTHON, Machine, shared
from tests.support.role import Role
from tests.support.wait import until

UNIT = "zdm-agent.service"
AT_25 = pytest.approx(25, abs=0.5)
STATE = "/var/lib/zdm"
#: HAProxy's runtime socket belongs to them, and nobody else is let at it.
OWNER, GROUP = 61230, 61231


class Host:
    """A machine with systemd, on which HAProxy's socket is seen; the role has not been there yet."""

    def __init__(self, machine: Machine, site: Site, directory: Path) -> None:
        self.machine, self.site = machine, site
        self.role = Role(directory, PYTHON, machine.words)
        router = {**site.definition, "state": STATE, "services": {"web": {"backend": "web"}}}
        self.role.variables.update(zdm_router=router, router_guard=True)
        self.agent = Placed(machine.root / STATE.lstrip("/"), router, site.service, PYTHON, STATE)

    def apply(self, *arguments: str, **variables: Any) -> tuple[dict[str, int], str]:
        self.role.variables.update(variables)
        return self.role.run(*arguments)

    def applied(self, **variables: Any) -> None:
        recap, output = self.apply(**variables)
        assert recap["failed"] == 0, output
        assert self.machine.show(UNIT, "ActiveState") == "active"

    def forget(self) -> None:
        """The unit as the role wrote it, begun anew, and no record."""
        shutil.rmtree(self._drop_ins, ignore_errors=True)
        self.machine.run("systemctl", "stop", UNIT)
        shutil.rmtree(self.agent.state / "test", ignore_errors=True)
        for words in (("daemon-reload",), ("reset-failed",), ("start", UNIT)):
            assert self.machine.run("systemctl", *words).returncode == 0

    @property
    def _drop_ins(self) -> Path:
        return self.machine.root / "etc/systemd/system" / (UNIT + ".d")

    def drop_in(self, text: str) -> None:
        """A change of the unit by its administrator."""
        self._drop_ins.mkdir()
        (self._drop_ins / "test.conf").write_text("[Service]\n" + text + "\n")
        for words in (("daemon-reload",), ("restart", UNIT)):
            assert self.machine.run("systemctl", *words).returncode == 0

    def connect(self) -> Connection:
        """A connection of a controller that became root."""
        return self.agent.connect(parent=self.machine.words)

    def pid(self) -> int:
        """The process id of the unit's main process, there."""
        return int(self.machine.show(UNIT, "MainPID"))

    def send(self, number: signal.Signals) -> None:
        self.machine.run("kill", "-%d" % number, str(self.pid()))


@contextmanager
def new_host() -> Iterator[Host]:
    with ExitStack() as stack:
        directory = stack.enter_context(shared())
        machine = stack.enter_context(Machine(directory))
        level = "admin mode 660 uid %d gid %d" % (OWNER, GROUP)
        site = Site(servers={"blue": "weight 100", "green": "weight 0"}, level=level, parent=directory)
        for above in (directory, site.directory):
            above.chmod(0o755)
        yield Host(machine, stack.enter_context(site), directory)


@pytest.fixture
def fresh() -> Iterator[Host]:
    with new_host() as host:
        yield host


@pytest.fixture(scope="module")
def running() -> Iterator[Host]:
    with new_host() as host:
        host.applied()
        yield host


@pytest.fixture
def host(running: Host) -> Host:
    """The role was there; the guard has just begun, by the unit as it is written, and nothing is lent."""
    running.site.bring(0)
    running.forget()
    return running


def armed(host: Host) -> Connection:
    """A connection that has a quarter of the traffic at green."""
    connection = host.connect()
    connection.acquire(guard="resident", ttl=120)
    connection.arm(25)
    assert host.site.share() == AT_25
    return connection


def files(host: Host) -> dict[str, float]:
    roots = [host.machine.root / place for place in ("etc/systemd", "var/lib/zdm", "usr/local/bin")]
    return {str(path): path.lstat().st_mtime for root in roots for path in root.rglob("*")}


def test_from_nothing_to_a_guard_that_systemd_keeps(fresh: Host) -> None:
    host = fresh
    before = files(host)
    recap, output = host.apply("--check", "--diff")
    assert recap["failed"] == 0, output
    assert "+ExecStart=%s %s/zdm-agent.pyz --state %s --guard resident" % (PYTHON, STATE, STATE) in output
    assert files(host) == before

    host.applied()
    assert host.machine.show(UNIT, "UnitFileState") == "enabled"
    pid, after = host.pid(), files(host)
    recap, output = host.apply()
    assert (recap["failed"], recap["changed"]) == (0, 0), output
    assert (host.pid(), files(host)) == (pid, after)

    with armed(host) as connection:
        assert connection.renew()["state"] == "armed"
        recap, output = host.apply(router_guard_addresses=["127.0.0.0/8"])
        assert recap["failed"] == 1
        assert "A rollout of web is under way at edge" in output
        assert host.pid() == pid
        assert host.site.share() == AT_25
        connection.ask("revert", epoch=1, reason="enough")
    assert host.site.share() == 0
    host.applied()
    assert host.pid() != pid, "its new unit is in force"


def test_one_that_dies_while_it_is_armed_comes_back_reverted(host: Host) -> None:
    with armed(host):
        host.send(signal.SIGKILL)
        until(lambda: host.site.share() == 0, "systemd to start another, and that to pay what was owed")
    until(lambda: host.agent.record["reason"] == "the guard that minded it has died", "it to be written down")
    assert host.machine.show(UNIT, "NRestarts") == "1"


def test_one_that_is_not_started_again_leaves_it__control(host: Host) -> None:
    host.drop_in("Restart=no")
    with armed(host):
        host.send(signal.SIGKILL)
        until(lambda: host.machine.show(UNIT, "ActiveState") == "failed", "systemd to notice")
        assert host.site.share() == AT_25


@pytest.mark.parametrize("watched", [True, False], ids=["", "control"])
def test_one_that_hangs_is_ended_by_the_watchdog(host: Host, watched: bool) -> None:
    assert host.machine.show(UNIT, "WatchdogUSec") == "30s"
    host.drop_in("WatchdogSec=2" if watched else "WatchdogSec=0")
    with armed(host):
        host.send(signal.SIGSTOP)
        restarts = "1" if watched else "0"
        with pytest.MonkeyPatch.context() if watched else pytest.raises(AssertionError, match="to be started again"):
            until(lambda: host.machine.show(UNIT, "NRestarts") == "1", "it to be started again")
        assert host.machine.show(UNIT, "NRestarts") == restarts
        if watched:
            until(lambda: host.site.share() == 0, "what was owed to be paid")
        host.send(signal.SIGCONT)


def test_one_that_is_told_to_end_takes_traffic_back_first(host: Host) -> None:
    with armed(host):
        assert host.machine.run("systemctl", "stop", UNIT).returncode == 0
        assert host.site.share() == 0
    assert "the guard was told to end" in host.agent.record["reason"]
    assert host.machine.show(UNIT, "Result") == "success"


# --- rights


def test_what_it_is_denied_does_not_hurt_and_is_denied(host: Host) -> None:
    """Root, of whose rights one is left: being let at files and sockets of others."""
    status = (host.machine.root / "proc" / str(host.pid()) / "status").read_text()
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (facts["CapEff"], facts["CapBnd"]) == ("%016x" % (1 << 1), "%016x" % (1 << 1))
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
    mounts = (host.machine.root / "proc" / str(host.pid()) / "mountinfo").read_text().splitlines()
    writable = {line.split()[4] for line in mounts if line.split()[5].startswith("rw")}
    assert STATE in writable
    assert not [place for place in writable if place in ("/", "/etc", "/usr", "/home", "/root", "/var")]
    with armed(host):
        pass


def test_without_the_right_to_others_files_it_reaches_nothing__control(host: Host) -> None:
    host.drop_in("CapabilityBoundingSet=")
    with host.connect() as connection, pytest.raises(Exception, match=str(host.site.haproxy.socket)):
        connection.acquire(guard="resident")


def test_an_ordinary_user_needs_the_sockets_group(fresh: Host) -> None:
    host = fresh
    host.machine.run("groupadd", "--gid", str(GROUP), "balancers")
    recap, output = host.apply(router_guard_user="zdm")
    assert recap["failed"] == 1, "the control: nobody has put the user into the group yet"
    assert "zdm may not write to %s" % host.site.haproxy.socket in output

    host.applied(router_guard_groups=["balancers"])
    recap, output = host.apply()
    assert (recap["failed"], recap["changed"]) == (0, 0), output
    owner = host.machine.run("stat", "--format", "%U %a", STATE, STATE + "/zdm-agent.pyz", STATE + "/agent.sock")
    assert owner.stdout.splitlines() == ["zdm 700", "zdm 700", "zdm 600"]
    assert "CapEff:\t%016x" % 0 in (host.machine.root / "proc" / str(host.pid()) / "status").read_text()

    file = STATE + "/zdm-agent.pyz"
    host.agent.python, host.agent.words = "runuser", ("-u", "zdm", "--", PYTHON, file)
    with armed(host):
        said = host.machine.run(PYTHON, file, "revert", "web")
        assert said.returncode == 1, "root runs nothing here that the guard's user could change"
        assert "belongs to zdm, and this is root" in said.stderr
        assert host.site.share() == AT_25
        # What a person types, as root; it is done as the guard's user.
        said = host.machine.run("zdm-agent", "revert", "web")
        assert (said.returncode, host.site.share()) == (0, 0), said.stderr
    assert host.agent.record["ended_by"] == "person"
    owners = {path.stat().st_uid for path in host.agent.state.rglob("*")}
    assert len(owners) == 1
    assert owners != {0}

    task = json.dumps({"router": host.agent.router, "owner": "root"})
    said = host.role.ask("zdm.rollout.agent", task)
    assert said.returncode != 0
    assert "%s belongs to zdm, whose guard minds this router: become that user" % STATE in said.stdout

    host.applied(router_guard_user="root", router_guard_groups=[])
    assert os.stat(host.agent.state).st_uid == 0, "a change of mind: root takes it over"
    said = host.machine.run("zdm-agent", "status")
    assert (said.returncode, "reverted" in said.stdout) == (0, True), said.stdout


# --- what systemd says of it


def test_the_unit_is_sound_and_shut_tight(host: Host) -> None:
    path = "/etc/systemd/system/" + UNIT
    verified = host.machine.run("systemd-analyze", "verify", "--man=no", path)
    assert (verified.returncode, verified.stderr) == (0, "")
    rated = host.machine.run("systemd-analyze", "security", "--offline=yes", "--threshold=25", path)
    assert rated.returncode == 0, rated.stdout
    bare = "[Service]\nExecStart=/bin/true\n"
    (host.machine.root / "etc/systemd/system/bare.service").write_text(bare)
    rated = host.machine.run("systemd-analyze", "security", "--offline=yes", "--threshold=25", "bare.service")
    assert rated.returncode != 0, "the control: a unit without a word about it"


def test_a_host_without_systemd_is_told_so(tmp_path: Path) -> None:
    with Site() as site:
        role = Role(tmp_path, PYTHON)
        role.variables.update(zdm_router={**site.definition, "state": str(tmp_path / "state")}, router_guard=True)
        recap, output = role.run()
    assert recap["failed"] == 1
    needed = "router_guard, router_envoy_unit, router_haproxy_unit and router_nginx_unit"
    assert "expected systemd, as %s need" % needed in output
    assert not (tmp_path / "state").exists()
