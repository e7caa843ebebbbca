# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's stage: the processes that it needs, started and ended by their ids, and the playbooks run on it."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from demo.place import stop, wait

ROOT = Path(__file__).resolve().parents[1]
PORTS = ((1, 8081), (1, 8082), (2, 8081), (2, 8082), (10, 8080))


class StageError(Exception):
    """The demo cannot go on; the text says why and what to do."""


class Stage:
    """Everything of a demo run: a network of loopback addresses, two members, a router. A context manager."""

    def __init__(self, router: str, build: Path) -> None:
        self.router = router
        self.build = build
        shutil.rmtree(build, ignore_errors=True)
        build.mkdir(parents=True)
        self.net = free_net()
        # Sockets are in it, and their paths are limited to 107 bytes.
        self.run = Path(tempfile.mkdtemp(prefix="zdm-demo-"))
        self.run.chmod(0o755)  # nginx's workers are another user's where root starts it
        self._haproxy: subprocess.Popen[bytes] | None = None
        self.environment = {
            **os.environ,
            "ZDM_DEMO_NET": self.net,
            "ZDM_DEMO_RUN": str(self.run),
            "ZDM_DEMO_BINARY": program(router),
            "ZDM_STATE": str(build / "state"),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "PYTHONPATH": str(ROOT),
        }

    @property
    def url(self) -> str:
        return "http://%s.10:8080/" % self.net

    def __enter__(self) -> Stage:
        for host in (1, 2):
            member = "vm%d-blue" % host
            self._place(member, host)
        if self.router == "haproxy":
            self._start_haproxy()
        else:
            self.playbook("demo/setup.yml", "setup.log")
        return self

    def __exit__(self, *ignored: object) -> None:
        if self._haproxy is not None:
            self._haproxy.terminate()
            self._haproxy.wait()
        elif (self.run / self.router).is_dir():
            self.playbook("demo/setup.yml", "setup.log", "-e", "zdm_demo_router=stopped")
        for pid_file in self.run.glob("*.pid"):
            stop(pid_file)
        shutil.rmtree(self.run, ignore_errors=True)

    def playbook(self, name: str, log: str | None, *arguments: str) -> int:
        """Run a playbook on the stage; its lines go to ``log``, or to the screen. StageError if a logged one fails."""
        command = [program("ansible-playbook"), "-i", "inventories/demo/%s.yml" % self.router, name, *arguments]
        if log is None:
            return subprocess.run(command, cwd=ROOT, env=self.environment, check=False).returncode
        with open(self.build / log, "ab") as output:
            code = subprocess.run(
                command, cwd=ROOT, env=self.environment, stdout=output, stderr=output, check=False
            ).returncode
        if code:
            raise StageError("%s ended with %d: see %s" % (name, code, self.build / log))
        return code

    def rollout(self, release: str) -> dict[str, Any]:
        """Roll a release out, watched by a client: its log, the journal and the outcome are returned."""
        log = self.build / ("client-%s.jsonl" % release)
        log.unlink(missing_ok=True)
        client = subprocess.Popen(
            [sys.executable, "-m", "demo.client", "--url", self.url, "--rate", "400", "--log", str(log)],
            cwd=ROOT,
            env=self.environment,
        )
        try:
            if not wait(lambda: log.exists() and log.stat().st_size > 0):
                raise StageError("the client has no answer from %s: see %s" % (self.url, self.build))
            self.playbook("playbooks/rollout.yml", None, "-e", "zdm_spec=demo/web.yml", "-e", "zdm_release=" + release)
        finally:
            client.send_signal(signal.SIGTERM)
            client.wait()
        return {"log": log, **self._run_of(release)}

    def _run_of(self, release: str) -> dict[str, Any]:
        runs = sorted((self.build / "state" / "demo" / "web").glob("*/outcome.json"))
        if not runs:
            raise StageError("the rollout of %s left no outcome: its lines above say why" % release)
        outcome = json.loads(runs[-1].read_text(encoding="utf-8"))
        lines = runs[-1].with_name("journal.jsonl").read_text(encoding="utf-8").splitlines()
        return {"outcome": outcome, "journal": [json.loads(line) for line in lines]}

    def _place(self, member: str, host: int) -> None:
        prefix, address = str(self.run / member), "%s.%d" % (self.net, host)
        command: Sequence[str] = [sys.executable, "demo/place.py", prefix, address, "8081", "v1", member, "0"]
        subprocess.run(command, cwd=ROOT, check=True)

    def _start_haproxy(self) -> None:
        with open(self.build / "haproxy.log", "ab") as output:
            self._haproxy = subprocess.Popen(
                [program("haproxy"), "-db", "-f", "demo/haproxy.cfg"],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=output,
            )
        # A server counts as up until its first checks have failed: nobody should be sent there meanwhile.
        if not wait(lambda: self._haproxy_stat().count(",DOWN,") == 2):
            raise StageError("haproxy did not start: see %s" % (self.build / "haproxy.log"))

    def _haproxy_stat(self) -> str:
        with socket.socket(socket.AF_UNIX) as runtime:
            try:
                runtime.connect(str(self.run / "haproxy.sock"))
                runtime.sendall(b"show stat\n")
                return runtime.makefile(encoding="utf-8").read()
            except OSError:
                return ""


def program(name: str) -> str:
    """The path of a program: beside this Python, or where the system has it."""
    beside = Path(sys.executable).parent / name
    path = str(beside) if beside.exists() else shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if path is None:
        raise StageError("%s is not installed: 'apt-get install %s', then run the demo again" % (name, name))
    return path


def free_net() -> str:
    """Three numbers of a loopback address on which nobody listens where the demo will."""
    while True:
        net = "127.%d.%d" % (random.randint(64, 127), random.randint(0, 254))
        if all(free("%s.%d" % (net, host), port) for host, port in PORTS):
            return net


def free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
