# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx whose files for services are zdm's own, and real members behind it.

What it does is read here by the test's own reader, not by the driver under test.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import signal
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Health, Service
from ansible_collections.zdm.rollout.plugins.module_utils.routers.nginx_managed import NginxManaged

from .managed import ManagedSite
from .members import RunningMember
from .ports import free_port
from .processes import Process
from .programs import need
from .wait import until

HEALTH = Health(path="/health", timeout=1.0)

#: As somebody has it who includes zdm's files in a configuration of his own.
MAIN = """\
{user}
worker_processes 2;
daemon off;
pid {directory}/nginx.pid;
error_log {log} warn;
events {{ worker_connections 512; }}
http {{
    {http}
    client_body_temp_path {directory}/temp/body;
    proxy_temp_path {directory}/temp/proxy;
    fastcgi_temp_path {directory}/temp/fastcgi;
    uwsgi_temp_path {directory}/temp/uwsgi;
    scgi_temp_path {directory}/temp/scgi;
    access_log off;
    include {directory}/http.conf;
}}
"""


class ManagedNginx:
    """nginx with the files in ``directory``; it listens for each service of ``names`` at ``ports[name]``.

    ``http``: what else its operator has in ``http {}``. ``user``: whom its workers run as, where root starts it.
    """

    def __init__(
        self, directory: Path, names: tuple[str, ...] = ("web",), http: str = "", user: str = "nobody nogroup"
    ) -> None:
        self.directory, self.user = directory, user
        self.ports = {name: free_port() for name in names}
        self.http = http
        self.options: dict[str, Any] = {}
        self.log = directory.parent / "nginx.log"
        self.process: Process | None = None

    @property
    def definition(self) -> dict[str, Any]:
        """Its ``zdm_router``."""
        return {
            "type": "nginx",
            "mode": "managed",
            "config": str(self.directory),
            "logs": str(self.directory / "logs"),
            "binary": need("nginx"),
            "services": {name: self.service(name) for name in self.ports},
        }

    def service(self, name: str = "web") -> dict[str, Any]:
        return {"listen": "127.0.0.1:%d" % self.ports[name], **self.options}

    def url(self, name: str = "web") -> str:
        return "http://127.0.0.1:%d/" % self.ports[name]

    def write(self) -> None:
        """Its own configuration, around zdm's."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "temp").mkdir(exist_ok=True)
        user = "user %s;" % self.user if os.getuid() == 0 else ""
        text = MAIN.format(user=user, directory=self.directory, log=self.log, http=self.http)
        (self.directory / "nginx.conf").write_text(text)

    def start(self) -> None:
        (self.directory / "status.sock").unlink(missing_ok=True)
        self.process = Process([need("nginx"), "-c", str(self.directory / "nginx.conf")], self.log)
        until(self.answers, "nginx to answer, see %s" % self.log)

    def stop(self) -> None:
        if self.process:
            self.process.stop()

    def kill(self) -> None:
        """It crashes: all of its processes are gone at once."""
        assert self.process
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        until(lambda: not self.answers(), "nginx to be gone")

    def reload(self, wait: bool = True) -> None:
        """As ``systemctl reload`` does; returns when there are new workers and, if ``wait``, no old ones."""
        assert self.process
        before = set(self.workers())
        self.process.send(signal.SIGHUP)
        until(lambda: set(self.workers()) - before, "new workers of nginx")
        until(lambda: not wait or not set(self.workers()) & before, "the old workers of nginx to be gone")

    def workers(self) -> list[int]:
        """The process ids of the workers, those on their way out too."""
        pid = int((self.directory / "nginx.pid").read_text())
        path = Path("/proc/%d/task/%d/children" % (pid, pid))
        return [int(pid) for pid in path.read_text().split()]

    def answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.connect(str(self.directory / "status.sock"))
            except OSError:
                return False
        return True

    def share(self, name: str = "web", pool: str = "green") -> float:
        """A pool's share in percent; -1 where there is none. ``pool`` is the second by name."""
        current = self.directory / "split" / name / "current"
        if not current.is_symlink() or not self.answers():
            return -1.0
        target = current.parent / os.readlink(current)
        return sum(1 for file in target.iterdir() if file.name in {"%d.%s" % (n, pool) for n in range(1000)}) / 10

    def release(self, name: str = "web", headers: Mapping[str, str] | None = None) -> str:
        """Who answers one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[name], timeout=5)
        try:
            connection.request("GET", "/", headers=dict(headers or {}))
            answer = connection.getresponse()
            answer.read()
            return answer.headers.get("x-release", str(answer.status))
        finally:
            connection.close()

    def meddle(self, share: float, name: str = "web", pool: str = "green") -> None:
        """Somebody puts another share in force, past zdm."""
        shares = self.directory / "split" / name
        made = Path(tempfile.mkdtemp(prefix="mine-", dir=shares))
        made.chmod(0o755)
        for bucket in range(round(10 * share)):
            (made / ("%d.%s" % (bucket, pool))).touch()
        (shares / "mine").symlink_to(made.name)
        (shares / "mine").rename(shares / "current")

    def files(self) -> dict[str, tuple[str, int]]:
        """Digest and time of change of every file of zdm's, and where its links lead."""
        found = {}
        for path in self.directory.rglob("*"):
            inside = str(path.relative_to(self.directory))
            if path.is_symlink():
                found[inside] = os.readlink(path), path.lstat().st_mtime_ns
            elif path.is_file() and not inside.startswith(("logs/", "temp/", "nginx.")):
                found[inside] = hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns
        return found


class Site(ManagedSite[NginxManaged]):
    """A managed nginx, services with the pools blue (release v1, all traffic) and green (v2), a driver."""

    def __init__(
        self, names: tuple[str, ...] = ("web",), health: Health | None = HEALTH, http: str = "", **options: Any
    ) -> None:
        need("nginx")
        # A socket is in it, whose path is limited to 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="zdm-nginx-"))
        self.directory.chmod(0o755)
        self.proxy = self.nginx = ManagedNginx(self.directory / "etc", names, http)
        self.nginx.options = options
        self.nginx.write()
        self.members = {
            "%s-%s" % (name, pool): RunningMember("%s-%s" % (name, pool), release, self.directory)
            for name in names
            for pool, release in (("blue", "v1"), ("green", "v2"))
        }
        self.services = {name: self._service(name, health) for name in names}
        self.driver = NginxManaged(self.nginx.definition)

    def _service(self, name: str, health: Health | None) -> Service:
        pools = {pool: (self.members["%s-%s" % (name, pool)].member,) for pool in ("blue", "green")}
        return Service(name=name, environment="test", pools=pools, health=health, options=self.nginx.service(name))

    def start(self) -> None:
        """Make all known and start nginx."""
        for service in self.services.values():
            self.driver.define(service, "blue")
        self.nginx.start()
