# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HAProxy with a configuration as people write it, and real members behind it.

What it does is read here by the test's own reader, not by the driver under test.
"""

from __future__ import annotations

import contextlib
import csv
import shutil
import signal
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Health, Member, Service, Wanted
from ansible_collections.zdm.rollout.plugins.module_utils.routers.haproxy import HaproxyServers

from .members import RunningMember
from .ports import free_port
from .processes import Process
from .programs import need
from .wait import until

CONFIG = """\
global
    stats socket {socket} mode 600 level {level}
    hard-stop-after 2s
    nbthread 2
{globals}
defaults
    mode {mode}
    timeout connect 250ms
    timeout client 30s
    timeout server 10s
    timeout tunnel 10m
    timeout check 1s
{defaults}
frontend public
    bind 127.0.0.1:{port}
    default_backend web
{frontend}
backend other
    server blue-1 127.0.0.1:9 weight 7
backend empty
backend web
{backend}
"""

#: What makes HAProxy write a line for each request, as docs/checks.md has it.
FORMAT = """log-format '{"b":"%b","s":"%s","st":%ST,"tr":%Tr,"ta":%Ta}'"""
RING = """\
ring lb
    format raw
    maxlen 1200
    size 1048576
"""
#: A `log` of HAProxy that goes to that ring.
TO_RING = "ring@lb format raw local0"

#: Words of a server that HAProxy checks, quickly.
CHECKED = "check inter 100ms fall 2 rise 1"


class RunningHaproxy:
    """HAProxy in master-worker mode, its one public door at ``port``; its files are in ``directory``.

    ``log``: where it writes a line for each request; nowhere where it is empty.
    """

    def __init__(
        self, directory: Path, backend: str, mode: str = "http", level: str = "admin", globals_: str = "", log: str = ""
    ) -> None:
        self.directory, self.port = directory, free_port()
        self.socket, self._master = directory / "haproxy.sock", directory / "master.sock"
        self._config = directory / "haproxy.cfg"
        parts = {"backend": backend, "globals": globals_, "defaults": "", "frontend": ""}
        if log:
            parts["globals"] += "\nlog " + log
            parts.update(defaults="log global", frontend=FORMAT)
        lines = {name: indented(text) for name, text in parts.items()}
        written = CONFIG.format(socket=self.socket, mode=mode, level=level, port=self.port, **lines)
        self._config.write_text(written + (RING if log == TO_RING else ""))
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return "http://127.0.0.1:%d/" % self.port

    def start(self) -> None:
        log = self.directory / "haproxy.log"
        master = "%s,mode,600" % self._master
        self._process = Process([need("haproxy"), "-W", "-S", master, "-f", str(self._config)], log)
        until(self._answers, "HAProxy to answer at its socket, see %s" % log)

    def stop(self) -> None:
        if self._process:
            self._process.stop()

    def kill(self) -> None:
        """It crashes: the worker ends with its master."""
        if self._process:
            self._process.kill()

    def reload(self) -> None:
        """As ``systemctl reload`` does; returns when a new worker answers at the socket."""
        assert self._process
        before = self._worker()
        # While the master is starting it ignores the signal; its own socket it answers only afterwards.
        until(lambda: self._answers("show proc", self._master), "HAProxy's master to answer")
        self._process.send(signal.SIGUSR2)
        until(lambda: self._answers() and self._worker() != before, "a new worker of HAProxy")

    def ask(self, command: str, path: Path | None = None) -> str:
        """The answer of the runtime socket, or of the one at ``path``."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            connection.connect(str(path or self.socket))
            connection.sendall(command.encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)  # or the master waits for more
            return connection.makefile(encoding="utf-8").read()

    def weight(self, server: str) -> int:
        """The weight in force of a server of the backend ``web``: HAProxy says ``5 (initial 100)``."""
        return int(self.ask("get weight web/%s" % server).split()[0])

    def rows(self) -> dict[str, dict[str, str]]:
        """``show stat`` of the backend ``web``: its servers and BACKEND, by name."""
        table = csv.DictReader(self.ask("show stat").lstrip("# ").splitlines())
        return {row["svname"]: row for row in table if row["pxname"] == "web"}

    def _worker(self) -> str:
        return next(line for line in self.ask("show info").splitlines() if line.startswith("Pid:"))

    def _answers(self, question: str = "show info", path: Path | None = None) -> bool:
        assert self._process
        assert self._process.ended is None, "HAProxy ended: %s" % (self.directory / "haproxy.log").read_text()
        try:
            return bool(self.ask(question, path))
        except OSError:
            return False


class Site:
    """A HAProxy, the service web with the pools blue (release v1) and green (v2), a driver.

    Members are ``blue-1``, ``blue-2`` … as many as ``pools`` says, all with the words ``server`` and those that
    ``servers`` has for the one or the pool; ``backend`` is the rest of the backend's section. With ``addresses`` a
    member is somebody else's: nothing is started for it.
    """

    def __init__(
        self,
        pools: Mapping[str, int] | None = None,
        *,
        backend: str = "balance roundrobin",
        server: str = CHECKED,
        servers: Mapping[str, str] | None = None,
        mode: str = "http",
        level: str = "admin",
        globals_: str = "",
        log: str = "",
        health: Health | None = None,
        addresses: Mapping[str, int] | None = None,
        parent: Path | None = None,
    ) -> None:
        need("haproxy")
        # Sockets are in it, and their paths are limited to 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="zdm-haproxy-", dir=parent))
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
        words = servers or {}
        lines = [
            "server %s 127.0.0.1:%d %s %s" % (name, ports[name], server, words.get(name, words.get(pool, "")))
            for pool, known in names.items()
            for name in known
        ]
        self.haproxy = RunningHaproxy(
            self.directory, "\n".join([backend, "option httpchk GET /health", *lines]), mode, level, globals_, log
        )
        self.service = Service(
            name="web",
            environment="test",
            pools={
                pool: tuple(Member(name, "127.0.0.1", ports[name]) for name in known) for pool, known in names.items()
            },
            health=health,
            options={"backend": "web"},
        )
        self.definition: dict[str, Any] = {
            "type": "haproxy",
            "mode": "servers",
            "socket": str(self.haproxy.socket),
            "state": str(self.directory / "state"),
        }
        self.driver = HaproxyServers(self.definition)

    def start(self) -> None:
        """Start HAProxy and wait until it has checked all the members that it checks."""
        self.haproxy.start()
        until(self._all_checked, "HAProxy to have checked its servers")

    def status(self, member: str) -> str:
        """HAProxy's word for a member's state: ``UP``, ``DOWN``, ``no check``, ``MAINT`` …"""
        return self.haproxy.rows()[member]["status"]

    def weights(self) -> dict[str, int]:
        return {
            member.name: self.haproxy.weight(member.name) for pool in self.service.pools.values() for member in pool
        }

    def share(self, pool: str = "green") -> float:
        """The pool's share in percent, by the weights of the servers that HAProxy sends to now; -1 for 0/0."""
        up = {name: row for name, row in self.haproxy.rows().items() if row["status"] in ("UP", "UP 1/2", "no check")}
        weights = {name: weight for name, weight in self.weights().items() if name in up}
        part = sum(weights.get(member.name, 0) for member in self.service.pools[pool])
        return 100.0 * part / sum(weights.values()) if any(weights.values()) else -1.0

    def quiet(self) -> None:
        """Wait until no request is at any server."""
        until(lambda: self.haproxy.rows()["BACKEND"]["scur"] == "0", "the backend to have no session")

    def split(self, green: float, stable: str = "blue") -> Wanted:
        return Wanted({"blue": 100 - green, "green": green}, stable)

    def bring(self, green: float) -> None:
        """Write a split and read it back, as the apply function does."""
        self.driver.write(self.service, self.split(green))
        self.driver.verify(self.service, self.split(green))

    def _all_checked(self) -> bool:
        rows = self.haproxy.rows()
        # A server counts as up until its first check has ended.
        return all(
            rows[member.name]["check_status"] != "INI" for pool in self.service.pools.values() for member in pool
        )

    def __enter__(self) -> Site:
        with contextlib.ExitStack() as stack:
            stack.callback(self.stop)
            self.start()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.haproxy.stop()
        for member in self.members.values():
            member.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def indented(text: str) -> str:
    return "\n".join("    " + line for line in text.splitlines())
