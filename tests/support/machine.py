# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine with systemd as its first process, in namespaces of its own; see machine.sh. Needs root.

What is written there goes to memory. The network is this machine's, so members and clients are reached as ever.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest

from .processes import Process
from .programs import need
from .wait import until

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_suffix(".sh")
SYSTEMD = Path("/lib/systemd/systemd")
#: A unit hides homes from its programs, so none of them may lie there.
PYTHON = "/usr/bin/python3"
_NUMBERS = itertools.count()


class Machine:
    """``shared`` is a directory that is there under the same name; a context manager."""

    def __init__(self, shared: Path, program: str = "/bin/true") -> None:
        """``program`` is /usr/local/bin/envoy there."""
        need_systemd()
        self._stack = ExitStack()
        made = Path(tempfile.mkdtemp(prefix="zdm-"))
        group = "zdm-%d-%d" % (os.getpid(), next(_NUMBERS))
        self._stack.callback(made.rmdir)
        self._stack.callback(_without_cgroup, group)
        words = [need("unshare"), "--mount", "sh", str(SCRIPT), str(made), group, str(ROOT), str(shared), program]
        self._process = Process(words, shared / "machine.log")
        self._stack.callback(self._end)
        with self._stack.pop_all() as stack:
            until(lambda: self._first() and self.run("true").returncode == 0, "systemd, see machine.log")
            until(lambda: "running" in self.run("systemctl", "is-system-running").stdout, "it to be up")
            self._stack = stack.pop_all()

    def _first(self) -> int:
        """The process id of its systemd; 0 while it is not there."""
        with suppress(OSError):
            children = Path("/proc/%d/task/%d/children" % (self._process.pid, self._process.pid)).read_text().split()
            named = [pid for pid in children if Path("/proc/%s/comm" % pid).read_text().strip() == "systemd"]
            return int(named[0]) if named else 0
        return 0

    @property
    def words(self) -> list[str]:
        """What is run after these words is run there, as root."""
        target = ["--target", str(self._first()), "--mount", "--pid", "--uts", "--ipc", "--cgroup"]
        return [need("nsenter"), *target, "--root", "env", "--chdir=/", "HOME=/root"]

    @property
    def root(self) -> Path:
        """Its files as they are seen from here."""
        return Path("/proc/%d/root" % self._first())

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command there, to its end."""
        return subprocess.run([*self.words, *words], text=True, capture_output=True, check=False, timeout=120)

    def show(self, unit: str, key: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", unit, "--property", key, "--value").stdout.strip()

    def _end(self) -> None:
        first = self._first()
        if first:
            os.kill(first, signal.SIGKILL)
        self._process.stop()

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *ignored: object) -> None:
        self._stack.close()


def _without_cgroup(name: str) -> None:
    """Its processes are gone; their cgroups stay until somebody takes them away."""
    with tempfile.TemporaryDirectory(prefix="zdm-") as directory:
        script = 'mount -t cgroup2 cgroup2 "$0"; find "$0/$1" -depth -type d -exec rmdir {} +'
        subprocess.run([need("unshare"), "--mount", "sh", "-c", script, directory, name], check=True)


@cache
def why_not() -> str:
    """Why this process cannot have such a machine; empty when it can."""
    if os.getuid() != 0:
        return "a machine of its own needs root"
    if not SYSTEMD.exists():
        return "no systemd: apt-get install systemd"
    if not shutil.which(PYTHON):
        return "no %s: apt-get install python3" % PYTHON
    script = 'mount -t cgroup2 cgroup2 "$0" && mkdir "$0/zdm-$1" && rmdir "$0/zdm-$1"'
    with tempfile.TemporaryDirectory(prefix="zdm-") as directory:
        words = [need("unshare"), "--mount", "--cgroup", "sh", "-c", script, directory, str(os.getpid())]
        tried = subprocess.run(words, text=True, capture_output=True, check=False)
    return "no cgroups of its own here: %s" % tried.stderr.strip() if tried.returncode else ""


def need_systemd() -> None:
    """Skip the test where there cannot be such a machine. What a package would bring is a failure in CI."""
    if why_not().startswith("no ") and "apt-get" in why_not() and os.environ.get("CI") == "true":
        pytest.fail(why_not())
    if why_not():
        pytest.skip(why_not())


@contextmanager
def shared() -> Iterator[Path]:
    """A directory for what both machines see. It is not in /tmp, of which a unit has its own."""
    with tempfile.TemporaryDirectory(prefix="zdm-", dir="/run") as directory:
        yield Path(directory)
