# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks that take nothing any more, at an agent and at the journal: no advance, and the way back is open."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.scene import ARMED, OFF, Scene
from tests.faults.table import RUNS, note
from tests.support.programs import need
from tests.support.wait import until

UNWRITTEN = (
    "plugin_utils/_watch.py",
    '        except OSError as error:\n            log(f"journal: {error}")\n',
    "        except OSError as error:\n            return True\n",
)
PAGE = os.sysconf("SC_PAGESIZE")


class Disk:
    """A small file system of its own at ``path``, made when it is entered."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self._run("mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(path))

    def fill(self) -> None:
        with pytest.raises(OSError, match="No space left"), open(self.path / "filled", "wb", buffering=0) as file:
            while True:
                file.write(b"\0" * PAGE)
        # A full disk still takes what fits into the last page of a file: with luck the events of a whole step.
        for journal in self.path.rglob("journal.jsonl"):
            with open(journal, "ab", buffering=0) as file:
                file.write(b" " * (-journal.stat().st_size % PAGE))

    def make_read_only(self) -> None:
        """For all that is opened from now on, as there are files open on it."""
        self._run("mount", "--bind", str(self.path), str(self.path))
        self._run("mount", "-o", "remount,bind,ro", str(self.path))

    def close(self) -> None:
        subprocess.run([need("umount"), "--lazy", "--recursive", str(self.path)], check=True)

    @staticmethod
    def _run(program: str, *words: str) -> None:
        subprocess.run([need(program), *words], check=True)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    if os.getuid() != 0:
        pytest.skip("a disk of a test's own needs root")
    with ExitStack() as stack:
        yield stack


#: Where the disk is.
PLACES: dict[str, Callable[[Scene], Path]] = {
    "agent": lambda scene: scene.fleet.routers[1].state,
    "journal": lambda scene: scene.fleet.directory / "zdm",
}
CASES = [
    ("agent", Disk.fill, "No space left on device"),
    ("agent", Disk.make_read_only, "Read-only file system"),
    ("journal", Disk.fill, "No space left on device"),
]


@pytest.mark.parametrize("run", range(RUNS))
@pytest.mark.parametrize(("where", "trouble", "says"), CASES)
def test_nothing_is_raised_and_all_goes_back(
    where: str, trouble: Callable[[Disk], None], says: str, run: int, stack: ExitStack
) -> None:
    with Scene() as scene:
        disk = Disk(PLACES[where](scene))
        stack.callback(disk.close)
        scene.fleet.spec["steps"] = [{"weight": ARMED, "hold": "4s"}, {"weight": 50, "hold": "60s"}, {"weight": 100}]
        scene.begin()
        trouble(disk)
        scene.back_at(deadline=60)
        assert scene.was_never_above(), scene.most
        ended = scene.running.wait()
        assert ended.code != 0
        assert says in ended.output
        assert scene.fleet.shares() == [0.0] * 3
        assert scene.failed() == 0
        note("%s at the %s" % (says, where), "haproxy", "no advance, all back", None, scene.failed())


def test_what_the_journal_did_not_take_is_raised__control(stack: ExitStack) -> None:
    with Scene() as scene:
        scene.fleet.alter(*UNWRITTEN)
        disk = Disk(PLACES["journal"](scene))
        stack.callback(disk.close)
        scene.fleet.spec["steps"] = [{"weight": ARMED, "hold": "4s"}, {"weight": 50, "hold": "60s"}, {"weight": 100}]
        scene.begin()
        disk.fill()
        until(lambda: scene.most > ARMED + OFF, "it to go on all the same")
        note("No space left on device at the journal", "haproxy", "", None, 0, "50 % with nothing written")
