# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx with a configuration as people write it.

What it does is read here by the test's own reader, not by the code under test.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
from pathlib import Path

from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_process import NginxProcess

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
