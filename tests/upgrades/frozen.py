# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The frozen copy of version 1 (version1/README.md), brought to a fleet of today: its agent, guard, records, lines."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Health, Member, Service
from ansible_collections.zdm.rollout.plugins.plugin_utils._build import build
from tests.support.agent import Installed
from tests.support.fleet import Fleet
from tests.support.wait import until
from tests.upgrades.record import PORTS, SOCKET, STATE

VERSION1 = Path(__file__).resolve().parent / "version1"
#: The agent's bytes of both sides, by which a test and its control differ.
OLD, PRESENT = (VERSION1 / "zdm-agent.pyz").read_bytes(), build()
STATES = tuple(sorted(path.stem for path in (VERSION1 / "records").glob("*.json")))
RUNS = tuple(sorted(path.name for path in (VERSION1 / "runs").iterdir()))


def text(name: str) -> str:
    """A frozen file as it is."""
    return (VERSION1 / name).read_text(encoding="utf-8")


def record(state: str) -> dict[str, Any]:
    """A frozen record as it is."""
    found: dict[str, Any] = json.loads(text("records/%s.json" % state))
    return found


def here(frozen: str, fleet: Fleet) -> str:
    """A frozen text in the names of a fleet."""
    router = fleet.routers[0]
    names = {STATE: str(router.state), SOCKET: str(router.haproxy.socket)}
    names.update({str(port): str(member.port) for port, member in zip(PORTS, fleet.members.values(), strict=True)})
    for name, instead in names.items():
        frozen = frozen.replace(name, instead)
    return frozen


def left_behind(fleet: Fleet, state: str, **keys: Any) -> Path:
    """The record of version 1 in this state on the fleet's router, and the split that it says; the record's path."""
    found = json.loads(here(text("records/%s.json" % state), fleet)) | keys
    path: Path = fleet.routers[0].state / "test" / "web.json"
    for directory in (path.parent.parent, path.parent):
        directory.mkdir(mode=0o700, exist_ok=True)
    path.write_text(json.dumps(found), encoding="utf-8")
    back = {found["stable"]: 100.0} if state in ("reverted", "leased") else found["split"]
    fleet.routers[0].meddle(int(back.get("green", 0.0)))
    return path


def installed(fleet: Fleet, agent: bytes) -> Installed:
    """An agent's file in the state directory of the fleet's first router."""
    pools = {pool: (Member(pool, "127.0.0.1", member.port),) for pool, member in fleet.members.items()}
    service = Service("web", "test", pools, Health(path="/health", timeout=1.0), {"backend": "web"})
    return Installed(fleet.routers[0].state, fleet.routers[0].definition, service, agent=agent)


@contextmanager
def resident(fleet: Fleet, agent: bytes) -> Iterator[Installed]:
    """The guard of this agent lives on the fleet's first router, as systemd would have started it."""
    placed = installed(fleet, agent)
    words = [sys.executable, str(placed.file), "--state", str(placed.state), "--guard", "resident"]
    guard = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        until(lambda: placed.guard == guard.pid, "the guard to begin")
        yield placed
        assert guard.poll() is None, "the guard lives on, whatever became of its file"
    finally:
        guard.send_signal(signal.SIGTERM)
        guard.wait(60)


def words(output: str) -> str:
    """What a playbook said, in one line: Ansible breaks its lines where it likes, and doubles quotes."""
    return " ".join(output.replace("''", "'").split())
