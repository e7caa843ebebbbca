# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One watch that holds a crowd of simulated agents: does each renewal come in time, and what does that take?"""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, cast

import yaml

from ansible_collections.zdm.rollout.plugins.plugin_utils import _journal
from bench.run import ask, configuration
from bench.table import WORST, Row
from bench.usage import Stretch, resident, stretches
from tests.support.playbook import ROOT
from tests.support.wait import until

#: The lease, and how late a renewal may come: then a watch takes its router to be silent. In seconds.
LEASE, LATE = 10.0, 2.0


def rows(agents: int, seconds: float) -> list[Row]:
    """What comes of so many agents that are held for so many ``seconds``."""
    with ExitStack() as stack:
        stack.enter_context(_descriptors(5 * agents + 1000))
        directory = Path(tempfile.mkdtemp(prefix="zdm-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        crowd = _Crowd(agents, directory, stack)
        took, memory, found = crowd.hold(seconds)
    if found["refused"] or found["armed"] != agents:
        raise AssertionError("%(armed)d leases were armed at the end, %(refused)d requests were refused" % found)
    what = "%d simulated agents, one watch" % agents
    note = "over %g s, %.2f renewals/s each; lease %g s" % (
        seconds,
        found["renewals"] / agents / seconds,
        LEASE,
    )
    return [
        Row("%s: longest time between two renewals of a lease" % what, "s", found["gaps"], LATE, note, judged=WORST),
        Row(
            "%s: the watch" % what,
            "% of a core",
            [took.share],
            note="it waited %.0f %% of the time for one" % took.waited,
        ),
        Row("%s: the watch, memory" % what, "MB", [memory]),
    ]


class _Crowd:
    """The agents and their watch, with all leases taken."""

    def __init__(self, agents: int, directory: Path, stack: ExitStack) -> None:
        self._stack = stack
        names = ["lb%d" % (index + 1) for index in range(agents)]
        requests, replies = _pairs(agents, stack), _pairs(agents, stack)
        silent, said = os.pipe()
        stack.callback(os.close, said)
        stack.callback(os.close, silent)
        complaints = [os.dup(silent) for dummy in names]
        for complaint in complaints:
            stack.callback(os.close, complaint)
        far = [
            (request.fileno(), reply.fileno())
            for (dummy, request), (reply, dummy_) in zip(requests, replies, strict=True)
        ]
        near = {
            name: (request.fileno(), reply.fileno(), complaint)
            for name, (request, dummy), (dummy_, reply), complaint in zip(
                names, requests, replies, complaints, strict=True
            )
        }
        config = _configuration(names, directory)
        self._journal = Path(config["directory"]) / "journal.jsonl"
        self._desk, self._routers = config["socket"], agents
        self._agents = self._start("bench.agents", far, [fd for pair in far for fd in pair], subprocess.PIPE)
        reading, config["ready_fd"] = os.pipe()
        given = [fd for three in near.values() for fd in three] + [config["ready_fd"]]
        self._watch = self._start("bench.watch", {"config": config, "agents": near}, given, None)
        os.close(config["ready_fd"])
        with os.fdopen(reading, "rb") as ready:
            if not ready.read(1):
                raise AssertionError("the watch did not open its desk")

    def _start(
        self, module: str, first: Any, descriptors: Sequence[int], output: int | None
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=output,
            cwd=ROOT,
            pass_fds=list(descriptors),
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        stdin = cast(IO[bytes], process.stdin)
        stdin.write((json.dumps(first) + "\n").encode())
        stdin.flush()
        return process

    def hold(self, seconds: float) -> tuple[Stretch, float, dict[str, Any]]:
        """What the watch takes of a core in a hold, and its memory, and what the agents have counted of it."""
        opened = ask(self._desk, "open")
        if "outcome" in opened:
            raise AssertionError("the rollout was refused: %s" % opened["outcome"]["reason"])
        step = threading.Thread(target=ask, args=(self._desk, "step"), kwargs={"index": 0}, daemon=True)
        step.start()
        until(self._read_back, "all agents to be read back", 120)
        self._counted()
        (took,) = stretches([self._watch.pid], seconds)
        found = self._counted()
        memory = resident(self._watch.pid)
        ask(self._desk, "finish", actor="person", reason="the bench is over")
        step.join(10)
        return took, memory, found

    def _counted(self) -> dict[str, Any]:
        """What the agents have counted since they were asked before."""
        told, said = cast(IO[bytes], self._agents.stdin), cast(IO[bytes], self._agents.stdout)
        told.write(b"count\n")
        told.flush()
        found: dict[str, Any] = json.loads(said.readline())
        return found

    def _read_back(self) -> bool:
        observed = [event for event in _journal.read(self._journal) if event["event"] == "observed"]
        return len(observed) >= self._routers


def _configuration(names: Sequence[str], directory: Path) -> dict[str, Any]:
    spec = directory / "web.yml"
    ports = {"blue": 8081, "green": 8082}
    content = {
        "version": 1,
        "service": "web",
        "environment": "test",
        "release": "v2",
        "strategy": "canary",
        "routers": "routers",
        "pools": {pool: {"group": "web", "port": port, "server": "{pool}"} for pool, port in ports.items()},
        "steps": [{"weight": 10, "hold": "10m"}, {"weight": 100}],
        "checks": {"errors": {"signal": "router", "of": "errors", "compare": "stable"}},
        "lease": "%gs" % LEASE,
    }
    spec.write_text(yaml.safe_dump(content), encoding="utf-8")
    router = {"type": "haproxy", "mode": "servers", "services": {"web": {"backend": "web"}}}
    return configuration(spec, dict.fromkeys(names, router), directory / "zdm")


def _pairs(number: int, stack: ExitStack) -> list[tuple[socket.socket, socket.socket]]:
    pairs = [socket.socketpair() for dummy in range(number)]
    for pair in pairs:
        for end in pair:
            stack.callback(end.close)
    return pairs


@contextmanager
def _descriptors(number: int) -> Iterator[None]:
    """So many open files are allowed, as long as this machine allows them at all."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < number:
        raise AssertionError("%d open files are allowed here, %d are needed (ulimit -Hn)" % (hard, number))
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
