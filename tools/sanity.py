# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test sanity over the collection zdm.rollout; what it installs comes from PyPI alone.

ansible-test brings pip into its environments with a script that it fetches from a host which many networks do not
let through. Python's own ensurepip does the same, and ansible-test runs what lies in its cache instead of fetching:
so ``get_pip.py`` is laid there, unless there is one already.

Each check runs with this Python, and those of the routers' side (compile, import) with each one of the machine that
ansible-test finds. It takes a name like ``python3.8`` on the PATH for a Python without trying it; a version manager's
shim for a version that is not active has such a name and does not start, so it must not be on the PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import List

from ansible_test._internal.python_requirements import get_venv_packages

TOOLS = Path(__file__).resolve().parent
COLLECTION = TOOLS.parent / "collections/ansible_collections/zdm/rollout"
CACHE = Path.home() / ".ansible/test/cache"


def lay_bootstrap() -> None:
    """Put the stand-in where ansible-test looks for its bootstrap script."""
    version = get_venv_packages(SimpleNamespace(version="%d.%d" % sys.version_info[:2]))["pip"]
    script = CACHE / ("get_pip_%s.py" % version.replace(".", "_"))
    if not script.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(TOOLS / "get_pip.py", script)


def working_path() -> str:
    """The PATH without those directories whose Pythons do not start."""
    return os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if all(map(_starts, _pythons(part))))


def _pythons(directory: str) -> List[Path]:
    return sorted(Path(directory).glob("python3.[0-9]")) + sorted(Path(directory).glob("python3.[0-9][0-9]"))


def _starts(python: Path) -> bool:
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def main() -> None:
    lay_bootstrap()
    # What an earlier run left would be taken for source.
    shutil.rmtree(COLLECTION / "tests/output", ignore_errors=True)
    os.chdir(COLLECTION)
    program = str(Path(sys.executable).parent / "ansible-test")
    environment = {**os.environ, "PATH": working_path()}
    os.execve(program, [program, "sanity", "--venv", "--color", "no", *sys.argv[1:]], environment)


if __name__ == "__main__":
    main()
