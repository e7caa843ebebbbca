# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HAProxy whose configuration is zdm's own, and real members behind it.

What it does is read here by the test's own reader, not by the driver under test.
"""

from __future__ import annotations

import csv
import hashlib
import signal
import socket
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Health, Service
from ansible_collections.zdm.rollout.plugins.module_utils.routers.haproxy_managed import HaproxyManaged

from .managed import ManagedSite
from .members import RunningMember
from .ports import free_port
from .processes import Process
from .programs import need
from .wait import until

HEALTH = Health(path="/health", timeout=1.0)


class ManagedHaproxy:
    """HAProxy with the files in ``directory``; it listens for each service of ``names`` at ``ports[name]``."""

    def __init__(self, directory: Path, names: tuple[str, ...] = ("web",)) -> None:
        self.directory = directory
        self.ports = {name: free_port() for name in names}
        self.master, self.map = directory / "master.sock", directory / "share.map"
        self._log = directory.parent / "haproxy.log"
        self.process: Process | None = None

    @property
    def definition(self) -> dict[str, Any]:
        """Its ``zdm_router``."""
        services = {name: {"listen": "127.0.0.1:%d" % port} for name, port in self.ports.items()}
        return {"type": "haproxy", "mode": "managed", "config": str(self.directory), "services": services}

    def url(self, name: str = "web") -> str:
        return "http://127.0.0.1:%d/" % self.ports[name]

    def start(self) -> None:
        socket_ = "%s,mode,600,level,admin" % self.master
        files = ["-f", str(self.directory / "haproxy.cfg"), "-f", str(self.directory / "services")]
        self.process = Process([need("haproxy"), "-W", "-S", socket_, *files], self._log)
        until(self.workers, "HAProxy to have a worker, see %s" % self._log)

    def stop(self) -> None:
        if self.process:
            self.process.stop()

    def kill(self) -> None:
        """It crashes: the workers end with their master."""
        assert self.process
        self.process.kill()

    def reload(self) -> None:
        """As ``systemctl reload`` does; returns when a new worker serves."""
        assert self.process
        before = self.workers()
        self.process.send(signal.SIGUSR2)
        until(lambda: self.workers() and not set(self.workers()) & set(before), "a new worker of HAProxy")

    def ask(self, line: str, pid: str = "") -> str:
        """What the master answers, or its worker ``pid``."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            connection.connect(str(self.master))
            connection.sendall(("@!%s %s\n" % (pid, line) if pid else line + "\n").encode())
            connection.shutdown(socket.SHUT_WR)
            return connection.makefile(encoding="utf-8").read()

    def workers(self, kind: str = "# workers") -> list[str]:
        """The process ids of the workers, or of ``# old workers``; none while the master does not answer."""
        try:
            lines = self.ask("show proc").splitlines()
        except OSError:
            return []
        if kind not in lines:
            return []
        found = []
        for line in lines[lines.index(kind) + 1 :]:
            if line.startswith("#"):
                break
            found += line.split()[:1]
        return found

    def words(self, name: str = "web") -> dict[str, list[str]]:
        """What the maps of all workers, old ones too, have for a service."""
        found: dict[str, list[str]] = {}
        for pid in self.workers() + self.workers("# old workers"):
            lines = [line.split() for line in self.ask("show map %s" % self.map, pid).splitlines()]
            found[pid] = [words[2] for words in lines if words[1:2] == [name]]
        return found

    def share(self, name: str = "web", pool: str = "green") -> float:
        """A pool's share in percent in the worker that takes new connections; -1 where none is told."""
        workers = self.workers()
        words = self.words(name).get(workers[0], []) if workers else []
        if not words:
            return -1.0
        first, second, part = words[0].split(":")[:3]
        return int(part) / 100 if second == pool else 100 - int(part) / 100 if first == pool else 0.0

    def rows(self, name: str = "web") -> dict[str, dict[str, str]]:
        """``show stat`` of the servers of a service in the worker that takes new connections."""
        table = csv.DictReader(self.ask("show stat", self.workers()[0]).lstrip("# ").splitlines())
        mine = [row for row in table if row["pxname"].startswith(name + "-")]
        return {row["svname"]: row for row in mine if row["svname"] != "BACKEND"}

    def up(self, *servers: str, name: str = "web") -> bool:
        """Whether all of these were found well, by a check that has ended."""
        rows = self.rows(name)
        return all(rows[server]["status"] == "UP" and rows[server]["check_status"] != "INI" for server in servers)

    def files(self) -> dict[str, tuple[str, int]]:
        """Digest and time of change of every file."""
        return {
            str(path.relative_to(self.directory)): (
                hashlib.sha256(path.read_bytes()).hexdigest(),
                path.stat().st_mtime_ns,
            )
            for path in self.directory.rglob("*")
            if path.is_file()
        }


class Site(ManagedSite[HaproxyManaged]):
    """A managed HAProxy, services with the pools blue (release v1, all traffic) and green (v2), a driver."""

    def __init__(self, names: tuple[str, ...] = ("web",), health: Health | None = HEALTH) -> None:
        need("haproxy")
        # Sockets are in it, and their paths are limited to 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="zdm-managed-"))
        self.proxy = self.haproxy = ManagedHaproxy(self.directory / "etc", names)
        self.members = {
            "%s-%s" % (name, pool): RunningMember("%s-%s" % (name, pool), release, self.directory)
            for name in names
            for pool, release in (("blue", "v1"), ("green", "v2"))
        }
        self.services = {name: self._service(name, health) for name in names}
        self.driver = HaproxyManaged(self.haproxy.definition)

    def _service(self, name: str, health: Health | None) -> Service:
        pools = {pool: (self.members["%s-%s" % (name, pool)].member,) for pool in ("blue", "green")}
        options = self.haproxy.definition["services"][name]
        return Service(name=name, environment="test", pools=pools, health=health, options=options)

    def start(self) -> None:
        """Make all known, start HAProxy and wait until it has found all members well."""
        for service in self.services.values():
            self.driver.define(service, "blue")
        self.haproxy.start()
        self.settle()

    def settle(self) -> None:
        for name, service in self.services.items():
            if service.health:
                names = [member.name for members in service.pools.values() for member in members]
                until(partial(self.haproxy.up, *names, name=name), "the members of %s to be well" % name)
