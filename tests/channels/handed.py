# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action ``connect`` hands over for each way to a router, run by a given ansible-core.

The test is the watch: it serves the desk, and opens the channels itself.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.zdm.rollout.plugins.plugin_utils._channel import Command
from ansible_collections.zdm.rollout.plugins.plugin_utils._desk import Desk
from tests.support.accounts import why_not
from tests.support.cores import playbook_command
from tests.support.fleet import Fleet
from tests.support.playbook import ROOT, Playbook
from tests.support.sshd import RunningSshd
from tests.support.wait import until

from .ways import ORDINARY, REFUSED, ROWS, Ways

PLUGINS = Path(__file__).parent / "plugins"


class HandedOver:
    """A run of ``connect`` over all ways that this machine can have; a context manager that ends what it started."""

    def __init__(self, core: str) -> None:
        program = playbook_command(core)
        # Sockets are in it, and their paths are limited to 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="zdm-"))
        self._stack = ExitStack()
        self._stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        with self._stack.pop_all() as stack:
            self.host = RunningSshd(self.directory / "host", accounts=not why_not())
            stack.callback(self.host.stop)
            self.jump = RunningSshd(self.directory / "jump")
            stack.callback(self.jump.stop)
            self._fleet = stack.enter_context(Fleet())
            self.ways = Ways(self.host, self.jump, self.directory, self._fleet.routers[0].haproxy.socket)
            (self.directory / "states").mkdir()
            stack.callback(self._end_left)
            #: By way: the request at the desk.
            self.requests: dict[str, Mapping[str, Any]] = {}
            self.output = asyncio.run(self._connect(program))
            self._stack = stack.pop_all()

    def __enter__(self) -> HandedOver:
        return self

    def __exit__(self, *ignored: object) -> None:
        self._stack.close()

    def command(self, name: str) -> Command:
        """How the channel of a way is opened."""
        way = self.requests[name]
        assert "failure" not in way, way["failure"]
        return Command.of({**way, "argv": self.inside(*way["argv"])}, self.ways(name)["zdm_router"])

    def inside(self, *words: str) -> list[str]:
        """A command on this controller: where there are accounts it is on the same host as they are."""
        return self.host.inside(*words) if not why_not() else list(words)

    @property
    def service(self) -> dict[str, Any]:
        """What an agent has to know of the service."""
        ports = {pool: member.port for pool, member in self._fleet.members.items()}
        pools = {pool: [{"name": pool, "address": "127.0.0.1", "port": port}] for pool, port in ports.items()}
        return {"name": "web", "environment": "test", "pools": pools, "health": None, "options": {"backend": "web"}}

    def share(self) -> float:
        """The canary's share at the proxy, in percent: all ways lead to the same one."""
        return self._fleet.shares()[0]

    def agents(self, name: str) -> dict[int, int]:
        """The agents of a way that run now, be they guards or what carries a connection: their users by process."""
        found = {}
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                words = (directory / "cmdline").read_bytes().decode(errors="replace").split("\0")
                status = (directory / "status").read_text(encoding="utf-8")
            except OSError:
                continue
            # Not the ssh, sudo and shells whose words have it as part of a command.
            if words[1:2] == [str(self.ways.state(name) / "zdm-agent.pyz")]:
                uid = next(line.split()[1] for line in status.splitlines() if line.startswith("Uid:"))
                found[int(directory.name)] = int(uid)
        return found

    def _end_left(self) -> None:
        """A guard may be about to end by itself, and writes to its directory until then."""
        for name in ROWS:
            for pid in self.agents(name):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        until(lambda: not any(map(self.agents, ROWS)), "the agents to be gone")

    async def _connect(self, program: str) -> str:
        async def serve(request: Mapping[str, Any]) -> None:
            self.requests[request["router"]] = request

        desk = Desk(serve)
        await desk.open(str(self.directory / "desk"))
        try:
            return await asyncio.to_thread(self._play, program)
        finally:
            await desk.close()

    def _play(self, program: str) -> str:
        names = ORDINARY if why_not() else [*ROWS, *REFUSED]
        inventory = self.directory / "inventory.yml"
        hosts = {name: self.ways(name) for name in names}
        inventory.write_text(yaml.safe_dump({"routers": {"hosts": hosts}}), encoding="utf-8")
        words = [program, "-vvv", "-i", str(inventory), "-f", "6", "-e", "desk=%s" % (self.directory / "desk")]
        environment = {
            "ANSIBLE_BECOME_PLUGINS": str(PLUGINS / "become"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_CONNECTION_PLUGINS": str(PLUGINS / "connection"),
            "ANSIBLE_HOME": str(self.directory / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.directory / "cp"),
            "TMPDIR": str(self.directory),
        }
        playbook = str(Path(__file__).parent / "connect.yml")
        running = Playbook(self.inside(*words, playbook), self.directory / "playbook.log", environment)
        try:
            return running.wait(deadline=240).output
        finally:
            running.process.stop()
