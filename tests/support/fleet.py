# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service behind some proxies, each on a host of its own, and the playbooks run on it as an operator runs them.

Every router has its own sshd (or the local connection) and state directory; all of them send to the same
members: blue, which serves release v1 (as the routers' weights say), and green, which has v2 and gets nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from .members import RunningMember
from .network import Cable
from .playbook import ROOT, Ended, Playbook
from .programs import need
from .router import KINDS, Router
from .sshd import RunningSshd
from .wait import until

#: What a rollout does not need of the collections.
UNUSED = shutil.ignore_patterns("tests", "__pycache__")

#: The host of all members, as the inventory has it.
MEMBER = {
    "zdm_address": "127.0.0.1",
    "ansible_connection": "local",
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
}


class Fleet:
    """Routers, members, inventory, spec. A context manager; everything in it is ended with it.

    ``ssh``: every router has an sshd; ``cables``: and a network of its own. ``one_host``: all have the same sshd.
    """

    def __init__(
        self, routers: int = 1, ssh: bool = False, proxy: str = "haproxy", cables: bool = False, one_host: bool = False
    ) -> None:
        # Sockets are in it, and their paths are limited to 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="zdm-"))
        self.collections = ROOT / "collections"
        self.routers: list[Any] = []
        self._kind, self._one_host = KINDS[proxy], one_host
        self._host: RunningSshd | None = None
        self.cables = [Cable() for dummy in range(routers)] if cables else []
        self._stack = ExitStack()
        self._stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        for cable in self.cables:
            self._stack.callback(cable.close)
        self._stack.callback(self._end_left)
        with self._stack.pop_all() as stack:
            self.members = {"blue": self._member("blue", "v1", stack), "green": self._member("green", "v2", stack)}
            self.routers = [self._router(index, ssh, stack) for index in range(routers)]
            for router in self.routers:
                until(partial(router.up, "blue", "green"), "%s to find its members well" % router.name)
            self._stack = stack.pop_all()
        self.variables = {router.name: router.variables for router in self.routers}
        self.spec = self._spec()

    def _member(self, pool: str, release: str, stack: ExitStack) -> RunningMember:
        member = RunningMember(pool, release, self.directory)
        stack.callback(member.stop)
        return member

    def _router(self, index: int, ssh: bool, stack: ExitStack) -> Router:
        name = "lb%d" % (index + 1)
        router = self._kind(name, self.directory / name, self.members, self._sshd(index, stack) if ssh else None)
        stack.callback(router.stop)
        router.start()
        return router

    def _sshd(self, index: int, stack: ExitStack) -> RunningSshd:
        if self._one_host and self._host is not None:
            return self._host
        cable = self.cables[index] if self.cables else None
        self._host = RunningSshd(self.directory / ("lb%d-ssh" % (index + 1)), cable=cable)
        stack.callback(self._host.stop)
        return self._host

    def _spec(self) -> dict[str, Any]:
        pools = {
            pool: {"group": "web", "port": member.port, "server": "{pool}"} for pool, member in self.members.items()
        }
        return {
            "version": 1,
            "service": "web",
            "environment": "test",
            "release": "v2",
            "strategy": "canary",
            "routers": "routers",
            "pools": pools,
            "health": {"path": "/health"},
            "steps": [{"weight": 25, "hold": "1s"}, {"weight": 100}],
            "min_requests": 10,
            "checks": {"errors": {"signal": "router", "of": "errors", "compare": "stable", "warm_up": 0}},
            "progress_deadline": "20s",
        }

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *ignored: object) -> None:
        self._stack.close()

    def alter(self, file: str, text: str, instead: str) -> None:
        """Run zdm with one place of its source altered: a protection switched off for a control, or a shorter wait."""
        if self.collections.parent == ROOT:
            self.collections = Path(shutil.copytree(self.collections, self.directory / "collections", ignore=UNUSED))
        path = self.collections / "ansible_collections/zdm/rollout/plugins" / file
        content = path.read_text(encoding="utf-8")
        assert content.count(text) == 1, "%s has %r not once" % (file, text)
        path.write_text(content.replace(text, instead), encoding="utf-8")

    def watch(self) -> int:
        """The process id of the watch that runs."""
        (pid,) = self.processes("-I\0-c\0")
        return pid

    def guard(self, router: Router) -> int:
        """The process id of the guard that minds a router's lease."""
        (pid,) = self.processes("%s/zdm-agent.pyz\0--state\0%s\0--guard\0" % (router.state, router.state))
        return pid

    def held(self) -> float:
        """How long the present step has been held, as the watch told the first router's guard, in seconds."""
        return float(self.routers[0].record()["note"]["held"])

    @staticmethod
    def signal(pid: int, number: signal.Signals) -> None:
        """Send a signal to a process of this fleet that may have ended by now."""
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    def left(self) -> list[int]:
        """Processes of a rollout that still run: ansible-playbook, watch, ssh, agents."""
        return self.processes("")

    def _end_left(self) -> None:
        """A control leaves behind what its protection would have ended."""

        def none_is_left() -> bool:
            left = self.left()
            for pid in left:  # one that was waited for may start another
                self.signal(pid, signal.SIGKILL)
            return not left

        until(none_is_left, "the processes of the rollouts to be gone")

    def processes(self, command: str) -> list[int]:
        """The processes of this fleet's rollouts whose command line contains this; its words end with NUL."""
        agents = {str(router.state) for router in self.routers}
        mine = "ZDM_STATE=%s\0" % (self.directory / "zdm")
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                line = (directory / "cmdline").read_bytes().decode(errors="replace")
                environment = (directory / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if line and command in line and (mine in environment or any(state in line for state in agents)):
                found.append(int(directory.name))
        return found

    def url(self, router: int = 0) -> str:
        return str(self.routers[router].url)

    def shares(self) -> list[float]:
        return [router.share() for router in self.routers]

    def command(self, playbook: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """How a playbook is run on the fleet as it is described now, in the project's root: words and environment."""
        inventory, spec = self.write()
        path = playbook if playbook.endswith(".yml") else "playbooks/%s.yml" % playbook
        words = [need("ansible-playbook"), "-i", str(inventory), "-e", "zdm_spec=%s" % spec, path, *arguments]
        return words, {
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "TMPDIR": str(self.directory),
            "ZDM_STATE": str(self.directory / "zdm"),
        }

    def start(self, playbook: str, *arguments: str, log: str = "playbook.log", **environment: str) -> Playbook:
        """Start a playbook (its path, or the name of one of zdm's) on the fleet as it is described now."""
        command, ours = self.command(playbook, *arguments)
        running = Playbook(command, self.directory / log, {**ours, **environment})
        self._stack.callback(running.process.stop)
        return running

    def play(self, playbook: str, *arguments: str, log: str = "playbook.log", **environment: str) -> Ended:
        """Run a playbook to its end."""
        return self.start(playbook, *arguments, log=log, **environment).wait()

    def runs(self) -> list[Path]:
        """The directories of all runs, the oldest first."""
        return sorted((self.directory / "zdm" / "test" / "web").glob("*"))

    def outcome(self) -> dict[str, Any]:
        """The outcome of the last run."""
        found: dict[str, Any] = json.loads((self.runs()[-1] / "outcome.json").read_text(encoding="utf-8"))
        return found

    def events(self) -> list[dict[str, Any]]:
        """The journal of the last run."""
        path = self.runs()[-1] / "journal.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def write(self) -> tuple[Path, Path]:
        """Inventory and spec as files."""
        inventory = {
            "all": {
                "children": {
                    "routers": {"hosts": self.variables},
                    "web": {"hosts": {"vm1": MEMBER}},
                },
            },
        }
        paths = self.directory / "inventory.yml", self.directory / "web.yml"
        for path, content in zip(paths, (inventory, self.spec), strict=True):
            path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return paths
