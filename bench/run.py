# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run without ansible-playbook: the real watch, told the way to each router as the action ``connect`` does.

What is measured of the watch and the routers is the same as with it, and a run takes a few seconds instead of many.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.zdm.rollout.plugins.plugin_utils import _journal, _owner, _state
from ansible_collections.zdm.rollout.plugins.plugin_utils._build import build
from ansible_collections.zdm.rollout.plugins.plugin_utils._desk import visit
from ansible_collections.zdm.rollout.plugins.plugin_utils._launch import launch
from ansible_collections.zdm.rollout.plugins.plugin_utils._request import read_request
from ansible_collections.zdm.rollout.plugins.plugin_utils._transport import OWN
from tests.support.fleet import Fleet
from tests.support.programs import need
from tests.support.router import Router
from tests.support.wait import until


class Declined(Exception):
    """The watch did not do what it was asked."""


class Run:
    """A watch for the fleet as it is described now, with all leases taken. A context manager: at its end all routers
    are back at stable, and no process of the run is left."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        dummy, spec = fleet.write()
        routers = {name: known["zdm_router"] for name, known in fleet.variables.items()}
        config = configuration(spec, routers, fleet.directory / "zdm")
        self.directory, self._desk = Path(config["directory"]), config["socket"]
        #: The process id of the watch.
        self.watch = launch(config, self.directory / "watch.log")

    def __enter__(self) -> Run:
        for router in self._fleet.routers:
            self.ask("channel", router=router.name, argv=_way(router), env=dict(os.environ))
        opened = self.ask("open")
        if "outcome" in opened:
            raise Declined("the rollout was refused: %s" % opened["outcome"]["reason"])
        return self

    def __exit__(self, *ignored: object) -> None:
        self.ask("finish", actor="person", reason="the bench is over")
        os.waitpid(self.watch, 0)
        until(lambda: not self._fleet.left(), "no process of the run to be left", 30)

    def ask(self, what: str, **keys: Any) -> Any:
        """What the watch answers at its desk; it may take as long as a step does."""
        return ask(self._desk, what, **keys)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The journal so far."""
        return _journal.read(self.directory / "journal.jsonl")

    def read_back(self) -> bool:
        """Whether all routers were read back with the first step's split."""
        seen = {event["router"] for event in self.events if event["event"] == "observed" and "share" in event}
        return seen == {router.name for router in self._fleet.routers}


def configuration(spec: Path, routers: Mapping[str, Mapping[str, Any]], state: Path) -> dict[str, Any]:
    """What a watch is told when it is launched: the spec at ``spec``, and the ``zdm_router`` of each router.

    ``state`` is where the runs are kept, in a directory that exists.
    """
    groups = {"routers": list(routers), "web": ["vm1"]}
    known = {name: {"zdm_router": definition} for name, definition in routers.items()}
    request = read_request(str(spec), "", groups, {**known, "vm1": {"zdm_address": "127.0.0.1"}})
    # The run's processes are known by this, also to the fleet.
    os.environ["ZDM_STATE"] = str(state)
    run = _state.new_run()
    return {
        "document": request.document,
        "errand": request.errand.to_json(),
        "release": request.release,
        "deploy": request.deploy_tasks,
        "fleet": request.fleet.to_json(),
        "run": run,
        "directory": str(_state.run_directory(request.spec.environment, request.spec.service, run)),
        "socket": str(Path(tempfile.mkdtemp(prefix="desk-", dir=state.parent)) / "desk"),
        "lifted": "",
        "owner": "bench",
        "owner_pid": os.getpid(),
        "owner_started": _owner.start_time(os.getpid()),
    }


def ask(desk: str, what: str, **keys: Any) -> Any:
    """What a watch answers at its desk; Declined when it does not do it."""
    for message in visit(desk, {"ask": what, **keys}):
        if "refused" in message:
            raise Declined(message["refused"]["text"])
        if "done" in message:
            return message["done"]
    raise Declined("the watch at %s has ended: its log says why" % desk)


def moment(event: Mapping[str, Any]) -> float:
    """When an event was journalled: seconds, cut off to the millisecond."""
    return datetime.fromisoformat(event["time"]).timestamp()


def _way(router: Router) -> list[str]:
    """The command that starts a router's agent, which is brought to its place first."""
    file = router.state / "zdm-agent.pyz"
    if not file.exists():
        router.state.mkdir(mode=0o700, exist_ok=True)
        file.write_bytes(build())
    words = shlex.join([sys.executable, str(file), "--state", str(router.state), "--stdio"])
    if router.sshd is None:
        return ["/bin/sh", "-c", words]
    known = {name: str(value) for name, value in router.sshd.variables.items()}
    return [
        need("ssh"),
        *OWN,
        *shlex.split(known["ansible_ssh_common_args"]),
        *("-p", known["ansible_port"], "-l", known["ansible_user"], "-i", known["ansible_ssh_private_key_file"]),
        *("-T", known["ansible_host"], words),
    ]
