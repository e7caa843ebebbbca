# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A managed HAProxy's unit and the guard's beside it, under a real systemd: HAProxy as a user of its own, the guard as
root."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent import Placed
from tests.support.haproxy_managed import ManagedHaproxy, Site
from tests.support.machine import PYTHON, Machine, shared
from tests.support.programs import need
from tests.support.role import Role
from tests.support.wait import until

UNIT = "zdm-haproxy.service"
STATE = "/var/lib/zdm"
#: A port that only a process with a right of its own may take, at an address that nobody else uses.
ADDRESS, PORT = "127.0.3.17", 80


class Host:
    """A machine on which the role has not been yet; the members run."""

    def __init__(self, machine: Machine, site: Site, directory: Path) -> None:
        self.machine = machine
        self.haproxy = ManagedHaproxy(directory / "etc")
        self.haproxy.master = machine.root / "run/zdm-haproxy/master.sock"
        self.role = Role(directory, PYTHON, machine.words)
        service = site.services["web"].to_json()
        service["options"] = {"listen": "%s:%d" % (ADDRESS, PORT)}
        self.router: dict[str, Any] = {
            "type": "haproxy",
            "mode": "managed",
            "state": STATE,
            "config": str(self.haproxy.directory),
            "master": "/run/zdm-haproxy/master.sock",
            "socket": "/run/zdm-haproxy/runtime.sock",
            "services": {"web": service["options"]},
        }
        self.role.variables.update(
            zdm_router=self.router,
            router_guard=True,
            router_haproxy_unit=True,
            router_haproxy_binary=need("haproxy"),
            router_services={"web": {"definition": service, "initial": "blue"}},
        )
        self.agent = Placed(machine.root / STATE.lstrip("/"), self.router, site.web, PYTHON, STATE)

    def applied(self, *arguments: str) -> int:
        """Run the role; how much it has changed."""
        recap, output = self.role.run(*arguments)
        assert recap["failed"] == 0, output
        return recap["changed"]

    def pid(self) -> int:
        return int(self.machine.show(UNIT, "MainPID"))

    def ask(self) -> int:
        """The status of one request; 0 where nobody answers."""
        connection = http.client.HTTPConnection(ADDRESS, PORT, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()


@pytest.fixture
def host() -> Iterator[Host]:
    with ExitStack() as stack:
        directory = stack.enter_context(shared())
        directory.chmod(0o755)
        site = stack.enter_context(Site())
        machine = stack.enter_context(Machine(directory))
        yield Host(machine, site, directory)


def test_haproxy_and_its_guard_as_units(host: Host) -> None:
    assert host.applied("--check") > 0
    assert not host.haproxy.directory.exists()

    host.applied()
    until(lambda: host.ask() == 200, "blue to be well and to answer")
    status = (host.machine.root / "proc" / str(host.pid()) / "status").read_text()
    user = host.machine.run("id", "-u", "haproxy").stdout.strip()
    assert "Uid:\t%s\t" % user in status
    assert "CapEff:\t%016x" % (1 << 10) in status, "to take port 80, and nothing else"
    owner = host.machine.run("stat", "--format", "%U %a", "/run/zdm-haproxy", "/run/zdm-haproxy/master.sock")
    assert owner.stdout.splitlines() == ["haproxy 750", "haproxy 600"]
    pid = host.pid()
    assert host.applied() == 0
    assert host.pid() == pid

    with host.agent.connect(parent=host.machine.words) as connection:
        connection.acquire(guard="resident", ttl=120)
        connection.arm(25)
        assert host.haproxy.share() == 25
        workers = host.haproxy.workers()
        assert host.machine.run("systemctl", "reload", UNIT).returncode == 0
        until(lambda: host.haproxy.workers() not in ([], workers), "a new worker")
        assert host.haproxy.share() == 25
        host.machine.run("kill", "-9", str(pid))
        until(lambda: host.pid() not in (0, pid) and host.haproxy.share() == 25, "HAProxy to be back with what it had")
        connection.ask("revert", epoch=1, reason="enough")
    assert host.haproxy.share() == 0

    verified = host.machine.run("systemd-analyze", "verify", "--man=no", "/etc/systemd/system/" + UNIT)
    assert (verified.returncode, verified.stderr) == (0, "")
    rated = host.machine.run("systemd-analyze", "security", "--offline=yes", "--threshold=30", UNIT)
    assert rated.returncode == 0, rated.stdout

    host.applied("-e", "router_state=stopped")
    assert host.machine.show(UNIT, "ActiveState") == "inactive"


def test_sockets_that_its_user_cannot_make_are_refused(host: Host) -> None:
    del host.router["master"]
    recap, output = host.role.run()
    assert recap["failed"] == 1
    assert "The guard's user is root, HAProxy's is haproxy, zdm_router.master is" in output
    assert not host.haproxy.directory.exists()
