# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent as a process over pipes, as the controller has it, and as a person has it on the router's host."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Store
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Service
from ansible_collections.zdm.rollout.plugins.plugin_utils._build import SOURCES, build

from .wait import until


class Refused(Exception):
    """The agent said no; ``code`` as in the protocol."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def altered(directory: Path, *changes: tuple[str, str, str]) -> bytes:
    """The agent with places of its source altered: the file, a text that is in it once, and what is there instead."""
    copy = Path(shutil.copytree(SOURCES, directory / "altered"))
    for file, text, instead in changes:
        content = (copy / file).read_text()
        assert content.count(text) == 1, "%s has %r not once" % (file, text)
        (copy / file).write_text(content.replace(text, instead))
    return build(copy)


def gone(pid: int) -> bool:
    """Whether a process has ended, also one that nobody has heard of yet."""
    try:
        return Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


class Installed:
    """The agent's file in a state directory of its own, for one router and one service."""

    def __init__(
        self, state: Path, router: Mapping[str, Any], service: Service, python: str = sys.executable, agent: bytes = b""
    ) -> None:
        state.mkdir(mode=0o700, exist_ok=True)
        self.state, self.router, self.service, self.python = state, dict(router), service, python
        self.file = state / "zdm-agent.pyz"
        self.words: Sequence[str] = (str(self.file),)
        self.file.write_bytes(agent or build())

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A person's command."""
        words = [self.python, *self.words, *arguments]
        return subprocess.run(words, text=True, capture_output=True, check=False, timeout=30)

    def connect(
        self, source: Any = subprocess.PIPE, sink: Any = subprocess.PIPE, parent: Sequence[str] = ()
    ) -> Connection:
        """A connection; with ``parent``, a command that runs the words after it, that is the process of it."""
        return Connection(self, source, sink, parent)

    @property
    def guard(self) -> int:
        """The process id of the guard that minds the leases here; 0 where there is none."""
        found = Store(str(self.state)).guard_alive()
        return found.pid if found else 0

    def end_guard(self, number: signal.Signals = signal.SIGKILL) -> None:
        """The guard ends, however that is, and is gone."""
        pid = self.guard
        if pid:
            os.kill(pid, number)
            until(lambda: not self.guard, "the guard to be gone")

    @property
    def record(self) -> dict[str, Any]:
        """What is kept of the service."""
        path = self.state / self.service.environment / (self.service.name + ".json")
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    @property
    def log(self) -> str:
        """What the agents have written for people so far."""
        path = self.state / "agent.log"
        return path.read_text() if path.exists() else ""


class Placed(Installed):
    """The agent that somebody else has installed, on a machine where the directory seen at ``state`` is ``there``."""

    def __init__(self, state: Path, router: Mapping[str, Any], service: Service, python: str, there: str) -> None:
        self.state, self.router, self.service, self.python = state, dict(router), service, python
        self.words = ("%s/zdm-agent.pyz" % there,)


class Connection:
    """One ``zdm-agent --stdio``. A context manager; it is ended with it."""

    def __init__(self, installed: Installed, source: Any, sink: Any, parent: Sequence[str]) -> None:
        self._installed = installed
        #: The newest of the guard's own times.
        self.t = 0.0
        words = [*parent, installed.python, *installed.words, "--stdio"]
        self.process = subprocess.Popen(words, stdin=source, stdout=sink, stderr=subprocess.PIPE, text=True)

    def ask(self, operation: str, **keys: Any) -> dict[str, Any]:
        """The reply; Refused when it is a no."""
        assert self.process.stdin and self.process.stdout and self.process.stderr
        self.process.stdin.write(json.dumps({"id": 1, "op": operation, **keys}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the agent ended: %s" % self.process.stderr.read()
        reply: dict[str, Any] = json.loads(line)
        if not reply["ok"]:
            raise Refused(**reply["error"])
        self.t = reply.get("t", self.t)
        return reply

    def hello(self) -> dict[str, Any]:
        return self.ask("hello", versions=[1], router=self._installed.router)

    def acquire(self, run: str = "r1", **terms: Any) -> dict[str, Any]:
        """Hello, and the lease for release v2 from blue to green."""
        self.hello()
        service = self._installed.service.to_json()
        who = {"run": run, "owner": "ann@desk", "release": "v2", "stable": "blue", "canary": "green"}
        return self.ask("acquire", service=service, terms=terms, **who)

    def renew(self, epoch: int = 1, **keys: Any) -> dict[str, Any]:
        """A sign of life, with the newest time that was heard here."""
        return self.ask("renew", epoch=epoch, t=self.t, **keys)

    def renew_for(self, other: Connection, epoch: int = 1) -> dict[str, Any]:
        """The lease that another connection has, renewed over this one."""
        self.hello()
        service = self._installed.service
        return self.renew(epoch, name=service.name, environment=service.environment)

    def arm(self, green: float, epoch: int = 1) -> dict[str, Any]:
        wanted = {"split": {"blue": 100 - green, "green": green}, "stable": "blue"}
        return self.ask("arm", epoch=epoch, wanted=wanted)

    def hang_up(self) -> int:
        """The controller is gone; the agent's exit code once it has ended."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait(30)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
