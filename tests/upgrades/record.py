# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a frozen copy of the version that lies beside it, by running it: see version1/README.md for how and why.

    python -m tests.upgrades.record DIRECTORY

It is no test. What comes out is the agent's file, records in all states, journals with their outcomes, and every line
that the watch and the agent said to one another, in the names of frozen.py instead of this machine's.
"""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Health, Member, Service
from ansible_collections.zdm.rollout.plugins.plugin_utils._build import SHEBANG, build
from demo.client import Client
from tests.support.agent import Installed
from tests.support.fleet import Fleet
from tests.support.wait import until

#: What stands in a frozen file for what is another one on every machine.
STATE, SOCKET, PORTS, OWNER, PYTHON = "/var/lib/zdm", "/run/haproxy/admin.sock", (8081, 8082), "ann@desk", "3.11.0"
#: Where the watch's channel writes and reads a line, and what does it there for us.
SAYS = "        self._sink.write(line.encode())\n"
HEARS = "                self._greeted = True\n"
NOTES = "with open(%r, 'a') as notes: notes.write(%s)\n"


class Frozen:
    """The directory of a frozen copy, and how a fleet's own names are taken out of what goes there."""

    def __init__(self, directory: Path, fleet: Fleet) -> None:
        self.directory, self.fleet, self.notes = directory, fleet, fleet.directory / "lines"
        router = fleet.routers[0]
        owner = r'"[^"@]+@[^"@]+"'
        self._names = [(re.escape(str(router.state)), STATE), (re.escape(str(router.haproxy.socket)), SOCKET)]
        self._names += [
            (r"\b%d\b" % member.port, str(port)) for member, port in zip(fleet.members.values(), PORTS, strict=True)
        ]
        self._names += [
            (re.escape(str(fleet.directory / "zdm")), "/home/ann/.local/state/zdm"),
            (r'"owner": ?%s' % owner, '"owner":"%s"' % OWNER),
            (r'"python": "[^"]+"', '"python": "%s"' % PYTHON),
            (r"\b[\w.-]+@[\w.-]+\b", OWNER),
        ]
        fleet.alter("plugin_utils/_channel.py", SAYS, SAYS + "        " + NOTES % (str(self.notes), "'> ' + line"))
        heard = NOTES % (str(self.notes), "'< ' + line.decode()")
        fleet.alter("plugin_utils/_channel.py", HEARS, HEARS + "                " + heard)

    def keep(self, name: str, text: str) -> None:
        for found, instead in self._names:
            text = re.sub(found, instead, text)
        assert str(self.fleet.directory) not in text, name
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def record(self, state: str) -> None:
        """The record as it is, which must be in this state."""

        def there() -> bool:
            return bool(self.fleet.routers[0].record()["state"] == state)

        until(there, "the record to say %s" % state)
        self.keep(
            "records/%s.json" % state, json.dumps(self.fleet.routers[0].record(), indent=1, sort_keys=True) + "\n"
        )

    def run(self, name: str) -> None:
        """Journal and outcome of the last run, and what was said in it."""
        for file in ("journal.jsonl", "outcome.json"):
            self.keep("runs/%s/%s" % (name, file), (self.fleet.runs()[-1] / file).read_text(encoding="utf-8"))
        self.keep("lines/%s.txt" % name, short(self.notes.read_text(encoding="utf-8")))
        self.notes.unlink()


def short(lines: str) -> str:
    """Of the renewals between two other questions only the first two, with their answers: there are hundreds."""
    kept: list[str] = []
    dropped: set[int] = set()
    renewals = 0
    for line in lines.splitlines():
        said = json.loads(line[2:])
        if line.startswith("> "):
            renewals = renewals + 1 if said["op"] == "renew" else 0
            if renewals > 2:
                dropped.add(said["id"])
        if said["id"] not in dropped:
            kept.append(line + "\n")
    return "".join(kept)


def agent() -> bytes:
    """The agent's file, deflated: the repository is the smaller for it, and Python reads it just so."""
    plain, packed = zipfile.ZipFile(io.BytesIO(build())), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for entry in plain.infolist():
            archive.writestr(entry, plain.read(entry), zipfile.ZIP_DEFLATED, 9)
    return SHEBANG + packed.getvalue()


def rollouts(frozen: Frozen, fleet: Fleet) -> None:
    """One that goes well, one that is turned back, and one in each of the states in which it can be left."""
    fleet.spec["steps"] = [{"weight": 25, "hold": "12s"}, {"weight": 100}]
    assert fleet.play("rollout").code == 0
    frozen.record("idle")
    frozen.run("promoted")

    fleet.spec.update(release="v3", reflex="disabled")
    running = fleet.start("rollout")
    running.says("read back")
    until(lambda: fleet.held() > 6, "counts in the journal")
    fleet.members["blue"].behave(fail=0.5)
    assert running.wait().code == 2
    fleet.members["blue"].behave(fail=0.0)
    frozen.record("reverted")
    frozen.run("turned-back")

    fleet.spec.update(release="v4", steps=[{"weight": 25, "hold": "600s"}, {"weight": 100}])
    (fleet.directory / "deploy.yml").write_text(
        "- name: Wait\n  ansible.builtin.wait_for:\n    path: %s\n  vars:\n"
        "    ansible_python_interpreter: '{{ ansible_playbook_python }}'\n" % (fleet.directory / "go"),
        encoding="utf-8",
    )
    fleet.spec["hooks"] = {"deploy": {"tasks": "deploy.yml"}}
    running = fleet.start("rollout")
    until(lambda: fleet.routers[0].record()["release"] == "v4", "the lease of v4", 60)
    frozen.record("leased")
    (fleet.directory / "go").touch()
    running.says("read back")
    assert fleet.play("pause", "-e", "zdm_reason='odd latency'", log="pause.log").code == 0
    running.says("paused by")
    frozen.record("armed")
    fleet.members["green"].behave(healthy=False)
    until(lambda: fleet.routers[0].down("green"), "green to be down")
    running.process.kill()
    frozen.record("stuck")
    fleet.members["green"].behave(healthy=True)
    frozen.record("reverted")
    until(lambda: not fleet.left(), "all to be gone")

    fleet.spec["on_abandon"] = "hold"
    running = fleet.start("rollout")
    running.says("read back")
    running.process.kill()
    frozen.record("held")
    frozen.keep("history.txt", fleet.routers[0].agent("history", "web").stdout)
    until(lambda: not fleet.left(), "all to be gone")
    assert fleet.play("abort", log="abort.log").code == 0


def by_hand(frozen: Frozen, fleet: Fleet) -> None:
    """A conversation with all operations, also those that no watch asks for."""
    router = fleet.routers[0]
    pools = {pool: (Member(pool, "127.0.0.1", member.port),) for pool, member in fleet.members.items()}
    service = Service("web", "test", pools, Health(path="/health", timeout=1.0))
    state = router.state.with_name("hand")
    lines: list[str] = []
    named = {"name": "web", "environment": "test"}
    with Installed(state, {**router.definition, "state": str(state)}, service).connect() as connection:

        def ask(operation: str, **keys: Any) -> Any:
            request: dict[str, Any] = {"id": 1 + len(lines) // 2, "op": operation, **keys}
            assert connection.process.stdin and connection.process.stdout
            connection.process.stdin.write(json.dumps(request, separators=(",", ":")) + "\n")
            connection.process.stdin.flush()
            lines.append("> %s\n" % json.dumps(request, separators=(",", ":")))
            lines.append("< %s" % connection.process.stdout.readline())
            answer = json.loads(lines[-1][2:])
            assert answer["ok"], answer
            return answer

        ask("hello", versions=[1], router={**router.definition, "state": str(state)})
        ask("read", service=service.to_json())
        run = {"run": "r1", "owner": OWNER, "release": "v2", "stable": "blue", "canary": "green"}
        t = ask("acquire", service=service.to_json(), terms={"ttl": 60}, **run)["t"]
        ask("arm", epoch=1, wanted={"split": {"blue": 75, "green": 25}, "stable": "blue"}, max_hold=600)
        member = service.to_json()["pools"]["green"][0]
        ask("probe", service=service.to_json(), request={"member": member, "path": "/health", "timeout": 2.0})
        t = ask("renew", epoch=1, t=t, note={"step": 0}, **named)["t"]
        ask("order", verb="pause", by=OWNER, order="o1", reason="odd latency", **named)
        ask("renew", epoch=1, t=t, **named)
        ask("status")
        ask("revert", epoch=1, reason="enough", **named)
        ask("history", **named)
        ask("acquire", service=service.to_json(), **{**run, "run": "r2"})
        ask("arm", epoch=2, wanted={"split": {"blue": 0, "green": 100}, "stable": "blue"}, **named)
        ask("disarm", epoch=2, **named)
        connection.hang_up()
    frozen.keep("lines/by-hand.txt", "".join(lines).replace(str(state), STATE))


def main(directory: Path) -> None:
    with Fleet() as fleet:
        frozen = Frozen(directory, fleet)
        client = Client(fleet.url(), rate=100, connections=4)
        client.start()
        try:
            rollouts(frozen, fleet)
            by_hand(frozen, fleet)
        finally:
            client.stop()
    (directory / "zdm-agent.pyz").write_bytes(agent())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
