# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points in a rollout at which somebody may die, put into a copy of zdm's sources, and who dies at which.

A point is a name and a number: the how-manieth time that the rollout comes by. The first run of all only notes which
there are; each further one kills somebody at one of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.support.fleet import Fleet

#: Written into the sources as a module; its directory is filled in.
MODULE = """
import os, signal
HERE = %r

def point(name):
    with open(HERE + "/passed", "a") as passed:
        passed.write(name + "\\n")
    try:
        with open(HERE + "/wanted") as wanted:
            where, number, victim = wanted.read().split("\\t")
    except OSError:
        return
    with open(HERE + "/passed") as passed:
        count = passed.read().splitlines().count(name)
    if name != where or count != int(number):
        return
    os.close(os.open(HERE + "/struck", os.O_CREAT | os.O_EXCL))
    pid = os.getpid()
    if victim == "playbook":
        with open(HERE + "/playbook") as playbook:
            pid = int(playbook.read())
    os.kill(pid, signal.SIGKILL)
"""

CONTROLLER = "from ..module_utils._point import point; "
AGENT = "from .._point import point; "
#: Where they are: file, a text in it, the same text with a point.
PLACES = (
    (
        "plugin_utils/_journal.py",
        "        written = os.write(self._handle, line)\n",
        "        %spoint('before journal ' + event)\n        written = os.write(self._handle, line)\n" % CONTROLLER,
    ),
    (
        "plugin_utils/_journal.py",
        "        os.fsync(self._handle)\n",
        "        os.fsync(self._handle)\n        %spoint('after journal ' + event)\n" % CONTROLLER,
    ),
    (
        "plugin_utils/_orders.py",
        "        said = False\n",
        "        %spoint('before order')\n        said = False\n" % CONTROLLER,
    ),
    (
        "plugin_utils/_orders.py",
        "        share = round(traffic.split",
        "        %spoint('after read-back')\n        share = round(traffic.split" % CONTROLLER,
    ),
    (
        "module_utils/agent/apply.py",
        "        if isinstance(action, leases.Write):\n            store.save(new)\n",
        "        %spoint('before record') if isinstance(action, leases.Write) else None\n"
        "        if isinstance(action, leases.Write):\n"
        "            store.save(new)\n"
        "            point('after record')\n" % AGENT,
    ),
    (
        "module_utils/agent/apply.py",
        "    return driver.verify(target, wanted)\n",
        "    %spoint('before verify')\n    return driver.verify(target, wanted)\n" % AGENT,
    ),
    (
        "module_utils/agent/apply.py",
        "        return Applied(new, traffic, changes, _took_over",
        "        %spoint('after apply') if wanted else None\n"
        "        return Applied(new, traffic, changes, _took_over" % AGENT,
    ),
)
#: Points that an agent passes; all others are the watch's.
OF_AGENTS = ("before record", "after record", "before verify", "after apply")


@dataclass(frozen=True)
class Kill:
    """Who dies (``agent``, ``watch`` or ``playbook``) when the ``number``-th time ``point`` is passed."""

    point: str
    number: int
    victim: str

    def __str__(self) -> str:
        return "%s %d: %s" % (self.point, self.number, self.victim)


class Points:
    """The points of a fleet whose rollouts come by them."""

    def __init__(self, fleet: Fleet) -> None:
        self._directory = Path(fleet.directory) / "points"
        self._directory.mkdir()
        for file, text, instead in PLACES:
            fleet.alter(file, text, instead)
        module = fleet.collections / "ansible_collections/zdm/rollout/plugins/module_utils/_point.py"
        module.write_text(MODULE % str(self._directory), encoding="utf-8")

    def passed(self) -> list[str]:
        """The names of the points that were passed, in this order."""
        return (self._directory / "passed").read_text(encoding="utf-8").splitlines()

    def kills(self) -> list[Kill]:
        """Everybody who could die at each point that was passed."""
        found = []
        for name, count in Counter(self.passed()).items():
            victims = ("agent",) if name in OF_AGENTS else ("watch", "playbook")
            found += [Kill(name, number + 1, victim) for number in range(count) for victim in victims]
        return found

    def want(self, kill: Kill) -> None:
        """From now on, until ``forget``: this one dies there."""
        (self._directory / "passed").unlink(missing_ok=True)
        (self._directory / "wanted").write_text("%s\t%d\t%s" % (kill.point, kill.number, kill.victim), encoding="utf-8")

    def owner(self, pid: int) -> None:
        """Which process is the playbook."""
        (self._directory / "playbook").write_text(str(pid), encoding="utf-8")

    @property
    def struck(self) -> bool:
        return (self._directory / "struck").exists()

    def forget(self) -> None:
        for name in ("wanted", "struck"):
            (self._directory / name).unlink(missing_ok=True)
