# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The launch of a watch: a process that outlives the task which started it, and Ansible's workers.

It is run with ``-I``, gets everything on its standard input (nothing on its command line, which is public), and
tells on a pipe when its desk is open. All its streams are its own, so it never holds a CI job's output.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

READY_SECONDS = 20.0

#: Reads the config from stdin, makes the collection importable from where it lies (a package of the same name
#: elsewhere on the path must not win), and runs the watch.
BOOTSTRAP = """
import json, sys, types
config = json.loads(sys.stdin.readline())
sys.path[:] = config["sys_path"]
for name, path in config["packages"]:
    package = types.ModuleType(name)
    package.__path__ = [path]
    sys.modules[name] = package
from ansible_collections.zdm.rollout.plugins.plugin_utils._watch import main
main(config)
"""


class LaunchError(Exception):
    """The watch did not come up; the text has what it said."""


def launch(config: Mapping[str, Any], log: Path) -> int:
    """Start a watch and wait until its desk is open; its process id."""
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    reading, writing = os.pipe()
    everything = {**config, "sys_path": sys.path, "packages": packages(), "ready_fd": writing}
    with log.open("ab") as errors:
        watch = subprocess.Popen(
            [sys.executable, "-I", "-c", BOOTSTRAP],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            close_fds=True,
            pass_fds=(writing,),
            cwd="/",
        )
    os.close(writing)
    try:
        with cast(IO[bytes], watch.stdin) as stream:
            stream.write((json.dumps(everything) + "\n").encode())
        ready, _write, _error = select.select([reading], [], [], READY_SECONDS)
        if not ready or not os.read(reading, 1):
            watch.terminate()
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
            raise LaunchError("the watch did not start; see %s: %s" % (log, " | ".join(said) or "it said nothing"))
    except BrokenPipeError:
        raise LaunchError(f"the watch ended at once; see {log}") from None
    finally:
        os.close(reading)
    return watch.pid


def packages() -> list[tuple[str, str]]:
    """The namespace packages down to zdm, and where this collection lies: seen from this file."""
    zdm = Path(__file__).resolve().parents[3]
    return [("ansible_collections", str(zdm.parent)), ("ansible_collections.zdm", str(zdm))]
