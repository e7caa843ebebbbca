# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx with a configuration as people write it.

What it does is read here by the test's own reader, not by the code under test.
"""

from __future__ import annotations

import collections
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_process import NginxProcess
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Health, Member, Service, Wanted
from ansible_collections.zdm.rollout.plugins.module_utils.routers.nginx import NginxServers

from .members import RunningMember
from .ports import free_port
from .processes import Process
from .programs import need
from .wait import until

MAIN = """\
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log notice;
worker_processes {workers};
{main}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/tmp-body;
    proxy_temp_path {directory}/tmp-proxy;
    fastcgi_temp_path {directory}/tmp-fastcgi;
    uwsgi_temp_path {directory}/tmp-uwsgi;
    scgi_temp_path {directory}/tmp-scgi;
{http}
}}
"""


class RunningNginx:
    """nginx in the foreground, its files in ``directory``; ``http`` is what stands in ``http {}``, ``main`` beside it.

    ``{port}`` in them is its one public door, ``{directory}`` where its files are.
    """

    def __init__(self, directory: Path, http: str, main: str = "", workers: int = 2) -> None:
        self.directory, self.port = directory, free_port()
        self.file, self.log = directory / "nginx.conf", directory / "error.log"
        self._main, self._workers = main, workers
        self._process: Process | None = None
        self.write(http)

    @property
    def url(self) -> str:
        return "http://127.0.0.1:%d/" % self.port

    @property
    def definition(self) -> dict[str, str]:
        return {"type": "nginx", "mode": "servers", "binary": need("nginx"), "nginx_conf": str(self.file)}

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def seen(self) -> NginxProcess:
        """It, as the code under test sees it."""
        return NginxProcess.of(self.definition)

    def write(self, http: str) -> None:
        """Its configuration anew; nobody is told of it."""
        self.file.write_text(
            MAIN.format(
                directory=self.directory,
                workers=self._workers,
                main=self.filled(self._main),
                http=self.filled(http),
            )
        )

    def filled(self, text: str) -> str:
        return text.replace("{port}", str(self.port)).replace("{directory}", str(self.directory))

    def start(self) -> None:
        arguments = [need("nginx"), "-e", str(self.log), "-c", str(self.file), "-p", str(self.directory)]
        self._process = Process(arguments, self.directory / "nginx.out")
        until(self._is_up, "nginx to have its workers, see %s" % self.log)

    def stop(self) -> None:
        if self._process:
            self._process.stop()

    def reload(self) -> None:
        """As ``systemctl reload`` does; returns when all workers are new ones."""
        before = set(self.workers())
        self.send(signal.SIGHUP)
        until(lambda: self.workers() and not before & set(self.workers()), "new workers of nginx")

    def send(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send(number)

    def workers(self, title: str = "nginx: worker process") -> list[int]:
        """The master's children with exactly this title, told by ``ps``."""
        listed = subprocess.run(
            ["ps", "--ppid", str(self.pid), "-o", "pid=,args="], stdout=subprocess.PIPE, text=True, check=False
        )
        pairs = [line.strip().split(None, 1) for line in listed.stdout.splitlines()]
        return sorted(int(pid) for pid, args in pairs if args.strip() == title)

    def get(self, path: str = "/", host: str = "web") -> tuple[int, str]:
        """The status and the body of an answer, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host, "Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def _is_up(self) -> bool:
        assert self._process
        assert self._process.ended is None, "nginx ended: %s" % (self.directory / "nginx.out").read_text()
        return len(self.workers()) == self._workers and os.path.exists(self.directory / "nginx.pid")


#: An upstream as people write it, with its servers in a file of their own.
UPSTREAM = """
upstream web {
    zone web 64k;
    include {directory}/web.servers;
    %s
}
server {
    listen 127.0.0.1:{port};
    keepalive_requests 100000;
    location / { proxy_pass http://web; proxy_http_version 1.1; proxy_set_header Connection ""; %s }
}
"""


class Site:
    """An nginx, the service web with the pools blue (release v1) and green (v2), a driver.

    ``lines`` has the words behind a member's (or its pool's) address in the file of servers; ``upstream`` stands in the
    upstream, ``location`` in the location that uses it. Nothing is started for members with ``addresses``.
    """

    def __init__(
        self,
        pools: Mapping[str, int] | None = None,
        *,
        lines: Mapping[str, str] | None = None,
        upstream: str = "",
        location: str = "",
        http: str = "",
        options: Mapping[str, Any] | None = None,
        addresses: Mapping[str, int] | None = None,
        parent: Path | None = None,
    ) -> None:
        need("nginx")
        self.directory = Path(tempfile.mkdtemp(prefix="zdm-nginx-", dir=parent))
        names = {
            pool: ["%s-%d" % (pool, n + 1) for n in range(count)]
            for pool, count in (pools or {"blue": 1, "green": 1}).items()
        }
        ports = dict(addresses or {})
        self.members = {
            name: RunningMember(name, {"blue": "v1"}.get(pool, "v2"), self.directory)
            for pool, known in names.items()
            for name in known
            if name not in ports
        }
        ports.update({name: member.port for name, member in self.members.items()})
        self.ports = ports
        words = lines if lines is not None else {"green": "down"}
        self.file = self.directory / "web.servers"
        self.file.write_text(
            "# ours\n"
            + "".join(
                "server 127.0.0.1:%d %s;\n" % (ports[name], words.get(name, words.get(pool, "")))
                for pool, known in names.items()
                for name in known
            )
        )
        self.nginx = RunningNginx(self.directory, http + UPSTREAM % (upstream, location))
        self.service = Service(
            name="web",
            environment="test",
            pools={
                pool: tuple(Member(name, "127.0.0.1", ports[name]) for name in known) for pool, known in names.items()
            },
            health=Health("/health"),
            options={"upstream": "web", "file": str(self.file), **(options or {})},
        )
        self.definition: dict[str, Any] = {**self.nginx.definition, "state": str(self.directory / "state")}
        self.driver = NginxServers(self.definition)

    def age(self) -> None:
        """Wait until whoever is started now is younger than the file: processes have a time in hundredths."""
        until(lambda: time.time() > self.file.stat().st_ctime + 0.02, "the file to be older than now")

    def split(self, green: float, stable: str = "blue") -> Wanted:
        return Wanted({"blue": 100 - green, "green": green}, stable)

    def bring(self, green: float) -> None:
        """Write a split and read it back, as the apply function does."""
        self.driver.write(self.service, self.split(green))
        self.driver.verify(self.service, self.split(green))

    def weights(self) -> dict[str, int]:
        """What the file says, by member: the test's own reading of it."""
        found = {}
        for port, words in re.findall(r"^server 127\.0\.0\.1:(\d+)([^;]*);", self.file.read_text(), re.MULTILINE):
            weight = re.search(r"weight=(\d+)", words)
            found[int(port)] = 0 if " down" in words else int(weight.group(1)) if weight else 1
        return {name: found[port] for name, port in self.ports.items()}

    def releases(self, requests: int) -> dict[str, int]:
        """How many of so many requests each release answered."""
        answers = [json.loads(self.nginx.get()[1])["release"] for dummy in range(requests)]
        return dict(collections.Counter(answers))

    def __enter__(self) -> Site:
        with contextlib.ExitStack() as stack:
            stack.callback(self.stop)
            self.age()
            self.nginx.start()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.nginx.stop()
        for member in self.members.values():
            member.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
