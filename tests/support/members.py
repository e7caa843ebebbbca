# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of a pool: real processes of the demo's service, asked for what they have counted themselves."""

from __future__ import annotations

import http.client
import json
import sys
from pathlib import Path
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Member

from .ports import free_port
from .processes import Process
from .wait import until

APP = Path(__file__).resolve().parents[2] / "demo" / "app.py"


class RunningMember:
    """One member: ``name`` at the proxy, ``release`` in its answers. It can be ended and started again at its port."""

    def __init__(self, name: str, release: str, directory: Path) -> None:
        self.name, self.release, self.port = name, release, free_port()
        self._log = directory / ("%s.log" % name)
        self._process = self.start()

    @property
    def member(self) -> Member:
        return Member(self.name, "127.0.0.1", self.port)

    def start(self) -> Process:
        arguments = ["--port", str(self.port), "--release", self.release, "--member", self.name]
        self._process = Process([sys.executable, str(APP), *arguments], self._log)
        until(self._answers, "member %s to answer at port %d, see %s" % (self.name, self.port, self._log))
        return self._process

    def stop(self) -> None:
        """As a service manager would: what is in flight is finished."""
        self._process.stop()

    def kill(self) -> None:
        self._process.kill()

    def behave(self, **behaviour: Any) -> None:
        """How it answers from now on: the fields of ``demo.app.Behaviour``."""
        self._ask("POST", "/_behave", json.dumps(behaviour))

    def count(self) -> dict[str, Any]:
        """``{"requests", "statuses": {"200": n}, "probes", "in_flight"}`` since it was started."""
        counted: dict[str, Any] = self._ask("GET", "/_count")
        return counted

    def _answers(self) -> bool:
        try:
            self.count()
        except OSError:
            return False
        return True

    def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            content = json.loads(response.read())
        finally:
            connection.close()
        assert response.status == 200, "%s %s of %s answered %d: %s" % (
            method,
            path,
            self.name,
            response.status,
            content,
        )
        return content
