# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a watch of version 1 said to its agent, said to the present guard: every answer has all that it had then.

The lines go byte for byte, over the older ``--stdio`` that such a controller brings along, but for what no two runs
share: the names of frozen.py, and the guard's own time, which a renewal has to bring back.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tests.support.fleet import Fleet
from tests.support.playbook import ROOT
from tests.support.traffic import traffic
from tests.support.wait import until
from tests.upgrades.frozen import OLD, PRESENT, VERSION1, here, left_behind, resident, text, words

#: What version1/README.md was made of.
COMMIT = "0ee3e81"
#: The conversations, the record that was there before, and green's share at their beginning and their end, in percent.
LINES = {"promoted": (None, 0, 100.0), "turned-back": ("idle", 100, 100.0), "by-hand": (None, 0, 100.0)}


def said(name: str, fleet: Fleet) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each request, and the answer that it had."""
    lines = here(text("lines/%s.txt" % name), fleet).splitlines()
    asked = {json.loads(line[2:])["id"]: line[2:] for line in lines if line.startswith("> ")}
    for line in lines:
        if line.startswith("< "):
            answer = json.loads(line[2:])
            yield asked[answer["id"]], answer


def lost(then: Any, now: Any, place: str = "") -> list[str]:
    """Places of an answer of version 1 that the present one lacks, or has as something else."""
    if isinstance(then, dict) and isinstance(now, dict):
        missing = ["%s.%s" % (place, key) for key in then if key not in now]
        return missing + [
            one for key in then if key in now for one in lost(then[key], now[key], "%s.%s" % (place, key))
        ]
    if isinstance(then, list) and isinstance(now, list):
        return lost(then[0], now[0], place + "[]") if then and now else []
    same_kind = isinstance(now, (int, float)) if isinstance(then, (int, float)) else type(then) is type(now)
    return [] if same_kind else ["%s: %r, was %r" % (place, now, then)]


def test_what_is_lost_is_found__control() -> None:
    then = {"ok": True, "traffic": {"members": [{"name": "blue", "weight": 1}]}, "t": 1}
    assert lost(then, {**then, "more": 1, "t": 2.5}) == []
    assert lost(then, {"ok": True, "traffic": {"members": [{"name": None}]}}) == [
        ".t",
        ".traffic.members[].weight",
        ".traffic.members[].name: None, was 'blue'",
    ]


class Older:
    """A connection of an older controller: its own agent carries the lines."""

    def __init__(self, state: str) -> None:
        command = [sys.executable, str(VERSION1 / "zdm-agent.pyz"), "--state", state, "--stdio"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._t = "0"

    def ask(self, line: str) -> dict[str, Any]:
        sink, source = self._pipes()
        if '"op":"renew"' in line:
            line, times = re.subn(r'"t":[0-9.]+', '"t":%s' % self._t, line)
            assert times == 1, line
        sink.write(line + "\n")
        sink.flush()
        answer: dict[str, Any] = json.loads(source.readline())
        self._t = json.dumps(answer.get("t", json.loads(self._t)))
        return answer

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self.process.stdin and self.process.stdout
        return self.process.stdin, self.process.stdout

    def hang_up(self) -> int:
        for pipe in self._pipes():
            pipe.close()
        return self.process.wait(30)


@pytest.mark.parametrize("name", LINES)
def test_every_answer_has_all_that_it_had(name: str) -> None:
    record, begin, end = LINES[name]
    with Fleet() as fleet, traffic(fleet, 50) as (client,):
        if record:
            left_behind(fleet, record)
        fleet.routers[0].meddle(begin)
        with resident(fleet, PRESENT) as placed:
            watch = Older(str(placed.state))
            operations = []
            for request, then in said(name, fleet):
                now = watch.ask(request)
                operations.append(json.loads(request)["op"])
                assert now["ok"], (request, now)
                assert lost(then, now) == [], request
                assert now.get("state") == then.get("state"), request
                assert now.get("epoch") == then.get("epoch"), request
            assert fleet.shares() == [end]
            assert watch.hang_up() == 0
            assert fleet.shares() == [end], "nothing was left on loan"
    assert client.result.failed == 0
    assert {"hello", "read", "acquire", "arm", "renew"} <= set(operations)
    assert {"promoted": "disarm", "turned-back": "revert", "by-hand": "order"}[name] in operations


def test_its_end_brings_traffic_back() -> None:
    """The older watch is gone in the middle: the guard notices it over the older carrier too."""
    with Fleet() as fleet, traffic(fleet, 50) as (client,), resident(fleet, PRESENT) as placed:
        watch = Older(str(placed.state))
        for request, dummy in said("by-hand", fleet):
            watch.ask(request)
            if '"op":"arm"' in request:
                break
        assert fleet.shares() == [pytest.approx(25, abs=0.5)]
        watch.process.kill()
        until(lambda: fleet.shares() == [0.0], "the guard to bring back what was on loan")
        watch.hang_up()
        assert placed.record["reason"] == "the controller's connection ended"
        assert placed.file.read_bytes() != OLD
    assert client.result.failed == 0


def checked_out(directory: Path) -> Path:
    """Version 1 itself, where this clone has that commit; nothing is fetched for it."""
    archive = ["git", "-C", str(ROOT), "archive", COMMIT, "collections", "playbooks"]
    found = subprocess.run(archive, capture_output=True, check=False)
    if found.returncode:
        pytest.skip("this clone is too shallow to have %s: the recorded lines have to do" % COMMIT)
    directory.mkdir()
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as tar:
        tar.extractall(directory, filter="data")
    return directory


def test_an_older_rollout_and_newer_people(tmp_path: Path) -> None:
    """The older controller in full, at a newer guard; people have the newer one."""
    with Fleet() as fleet, traffic(fleet, 100) as (client,), resident(fleet, PRESENT) as placed:
        playbooks, newer = checked_out(tmp_path / "version1") / "playbooks", fleet.collections
        older = playbooks.with_name("collections")
        fleet.spec.update(guard="resident", checks={}, steps=[{"weight": 25, "hold": "120s"}, {"weight": 100}])
        fleet.collections = older
        running = fleet.start(str(playbooks / "rollout.yml"))
        running.says("lb1: read back")
        assert placed.file.read_bytes() != PRESENT, "the older one brought its own"
        fleet.collections = newer
        assert fleet.play("promote", log="promote.log").code == 0
        ended = running.wait()
        assert ended.code == 0, ended.output
        assert fleet.outcome()["outcome"] == "promoted"
        assert fleet.shares() == [100.0]

        (tmp_path / "newer.pyz").write_bytes(PRESENT)
        command = [sys.executable, str(tmp_path / "newer.pyz"), "--state", str(placed.state), "lock", "web"]
        subprocess.run(command, check=True)
        fleet.collections = older
        again = fleet.play(str(playbooks / "rollout.yml"), "-e", "zdm_release=v3")
        assert again.code == 2, "the guard keeps the lock, and refuses whoever does not know it"
        assert "web is locked by" in words(again.output)
        assert fleet.shares() == [100.0]
        assert placed.record["locked"]
    assert client.result.failed == 0
