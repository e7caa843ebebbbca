# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx that writes the log which zdm reads, with members to answer, fail, hang and be dead."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_lines import FORMAT, NAME
from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_log import AccessLog
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Counters

from .ports import free_port
from .processes import Process
from .programs import need
from .wait import until

CONFIG = """\
daemon off;
{user}
worker_processes 2;
pid {directory}/nginx.pid;
error_log {directory}/error.log notice;
events {{}}
http {{
    {format}
    access_log {log} {name};
    keepalive_requests 1000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    upstream quick {{ server 127.0.0.1:{quick}; keepalive 32; }}
    server {{ listen 127.0.0.1:{quick}; access_log off; location / {{ return 200 ok; }} }}
    {upstreams}
    server {{
        listen 127.0.0.1:{port};
        set $zdm_service web;
        location / {{ proxy_pass http://quick; }}
        {locations}
    }}
}}
"""


class LoggingNginx:
    """``/`` goes to ``quick``, an address that answers at once, with keep-alive; ``locations`` and ``upstreams`` are
    what a test needs beside. Its workers run as whoever runs the test, or as ``user``."""

    def __init__(self, directory: Path, upstreams: str = "", locations: str = "", user: str = "root") -> None:
        self._binary = need("nginx")
        self._directory = directory
        self.log = directory / "access.log"
        self.port, quick = free_port(), free_port()
        self.quick = "127.0.0.1:%d" % quick
        self._config = directory / "nginx.conf"
        self._config.write_text(
            CONFIG.format(
                user="user %s;" % user if os.geteuid() == 0 else "",
                directory=directory,
                log=self.log,
                format=FORMAT,
                name=NAME,
                quick=quick,
                port=self.port,
                upstreams=upstreams,
                locations=locations,
            )
        )

    def __enter__(self) -> LoggingNginx:
        log = self._directory / "nginx.out"
        errors = str(self._directory / "error.log")
        self._process = Process([self._binary, "-c", str(self._config), "-e", errors], log)
        until(lambda: self._pid.exists() and self._pid.read_text().strip(), "nginx to run, see %s" % log)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    @property
    def url(self) -> str:
        return "http://127.0.0.1:%d/" % self.port

    @property
    def pid(self) -> int:
        return self._process.pid

    def opened(self) -> AccessLog:
        """Its log, of which what comes from now on counts."""
        log = AccessLog(str(self.log), "web")
        log.read()
        return log

    def rotate(self, aside: Path) -> None:
        """As logrotate does: rename, and tell nginx."""
        self.log.rename(aside)
        self._process.send(signal.SIGUSR1)
        until(self.log.exists, "nginx to open its log anew")

    @property
    def _pid(self) -> Path:
        return self._directory / "nginx.pid"


def counted(log: AccessLog) -> dict[str, Counters]:
    """What the log says now."""
    log.read()
    return log.counters()


def tries(log: AccessLog) -> int:
    """All tries so far."""
    return sum(one.requests for one in counted(log).values())
