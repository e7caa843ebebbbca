# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A managed nginx's unit and the guard's beside it, under a real systemd: nginx's workers as a user of their own, the
guard as root."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent import Placed
from tests.support.machine import PYTHON, Machine, shared
from tests.support.nginx_managed import ManagedNginx, Site
from tests.support.programs import need
from tests.support.role import Role
from tests.support.wait import until

UNIT = "zdm-nginx.service"
ROTATION = "/etc/logrotate.d/zdm-nginx"
STATE = "/var/lib/zdm"
#: A port that only a process with a right of its own may take, at an address that nobody else uses.
ADDRESS, PORT = "127.0.3.18", 80


class Host:
    """A machine on which the role has not been yet; the members run."""

    def __init__(self, machine: Machine, site: Site, directory: Path) -> None:
        self.machine = machine
        self.nginx = ManagedNginx(directory / "etc")
        self.role = Role(directory, PYTHON, machine.words)
        service = site.services["web"].to_json()
        service["options"] = {"listen": "%s:%d" % (ADDRESS, PORT)}
        self.router: dict[str, Any] = {
            "type": "nginx",
            "mode": "managed",
            "state": STATE,
            "config": str(self.nginx.directory),
            "logs": "/var/log/zdm-nginx",
            "services": {"web": service["options"]},
        }
        self.role.variables.update(
            zdm_router=self.router,
            router_guard=True,
            router_nginx_unit=True,
            router_nginx_binary=need("nginx"),
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


def test_nginx_and_its_guard_as_units(host: Host) -> None:
    assert host.applied("--check") > 0
    assert not host.nginx.directory.exists()

    host.applied()
    until(lambda: host.ask() == 200, "blue to answer")
    processes = host.machine.run("ps", "-o", "user:20,args", "--ppid", str(host.pid())).stdout
    assert processes.count("nginx: worker process") == processes.count("\nnginx ") > 0
    status = (host.machine.root / "proc" / str(host.pid()) / "status").read_text()
    assert "NoNewPrivs:\t1" in status
    owner = host.machine.run("stat", "--format", "%U %a", "/var/log/zdm-nginx", "/var/log/zdm-nginx/web.log")
    assert owner.stdout.splitlines() == ["root 755", "root 644"]
    pid = host.pid()
    assert host.applied() == 0
    assert host.pid() == pid

    with host.agent.connect(parent=host.machine.words) as connection:
        connection.acquire(guard="resident", ttl=120)
        connection.arm(25)
        assert host.nginx.share() == 25
        assert host.machine.run("systemctl", "reload", UNIT).returncode == 0
        assert host.nginx.share() == 25
        rotate = "mv web.log web.log.1 && systemctl kill --kill-who=main --signal=USR1 " + UNIT
        assert "systemctl kill --kill-who=main --signal=USR1 " + UNIT in host.machine.run("cat", ROTATION).stdout
        assert host.machine.run("sh", "-c", "cd /var/log/zdm-nginx && " + rotate).returncode == 0
        log = host.machine.root / "var/log/zdm-nginx/web.log"
        until(lambda: host.ask() == 200 and log.exists() and log.read_text(), "nginx to write a log of its own again")
        host.machine.run("kill", "-9", str(pid))
        until(lambda: host.pid() not in (0, pid) and host.ask() == 200, "nginx to be back")
        assert host.nginx.share() == 25
        connection.ask("revert", epoch=1, reason="enough")
    assert host.nginx.share() == 0

    verified = host.machine.run("systemd-analyze", "verify", "--man=no", "/etc/systemd/system/" + UNIT)
    assert (verified.returncode, verified.stderr) == (0, "")
    rated = host.machine.run("systemd-analyze", "security", "--offline=yes", "--threshold=40", UNIT)
    assert rated.returncode == 0, rated.stdout

    host.applied("-e", "router_state=stopped")
    assert host.machine.show(UNIT, "ActiveState") == "inactive"
