# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent as a process over pipes, as the controller has it, and as a person has it on the router's host."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Service
from ansible_collections.zdm.rollout.plugins.plugin_utils._build import build


class Refused(Exception):
    """The agent said no; ``code`` as in the protocol."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Installed:
    """The agent's file in a state directory of its own, for one router and one service."""

    def __init__(
        self, state: Path, router: Mapping[str, Any], service: Service, python: str = sys.executable, agent: bytes = b""
    ) -> None:
        state.mkdir(mode=0o700)
        self.state, self.router, self.service, self.python = state, dict(router), service, python
        self.file = state / "zdm-agent.pyz"
        self.file.write_bytes(agent or build())

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A person's command."""
        words = [self.python, str(self.file), *arguments]
        return subprocess.run(words, text=True, capture_output=True, check=False, timeout=30)

    def connect(
        self, source: Any = subprocess.PIPE, sink: Any = subprocess.PIPE, parent: Sequence[str] = ()
    ) -> Connection:
        """A connection; with ``parent``, a command that runs the words after it, that is the process of it."""
        return Connection(self, source, sink, parent)

    @property
    def log(self) -> str:
        """What the agents have written for people so far."""
        path = self.state / "agent.log"
        return path.read_text() if path.exists() else ""


class Connection:
    """One ``zdm-agent --stdio``. A context manager; it is ended with it."""

    def __init__(self, installed: Installed, source: Any, sink: Any, parent: Sequence[str]) -> None:
        self._installed = installed
        words = [*parent, installed.python, str(installed.file), "--stdio"]
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
        return reply

    def acquire(self, run: str = "r1") -> dict[str, Any]:
        """Hello, and the lease for release v2 from blue to green."""
        self.ask("hello", versions=[1], router=self._installed.router)
        service = self._installed.service.to_json()
        return self.ask(
            "acquire", run=run, owner="ann@desk", release="v2", service=service, stable="blue", canary="green"
        )

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
