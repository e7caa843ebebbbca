# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `router` as ansible-playbook runs it, on one host with the local connection."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .programs import need

ROOT = Path(__file__).resolve().parents[2]
PLAY = [
    {
        "hosts": "edge",
        "gather_facts": False,
        "tasks": [{"name": "Set up the router", "ansible.builtin.import_role": {"name": "zdm.rollout.router"}}],
    }
]


class Role:
    """``variables`` are the host's; ansible-playbook is run after ``words``, with its files in ``directory``."""

    def __init__(self, directory: Path, python: str, words: Sequence[str] = ()) -> None:
        self.directory, self._words = directory, words
        self.variables: dict[str, Any] = {"ansible_connection": "local", "ansible_python_interpreter": python}

    def run(self, *arguments: str) -> tuple[dict[str, int], str]:
        """The host's numbers of the recap, and the whole output, its white space made even."""
        play = self.directory / "play.json"
        play.write_text(json.dumps(PLAY))
        finished = self._finish("ansible-playbook", str(play), *arguments)
        assert "PLAY RECAP" in finished.stdout, finished.stdout
        recap = finished.stdout.rpartition("PLAY RECAP")[2].partition(":")[2].split()
        numbers = {name: int(number) for name, _, number in (word.partition("=") for word in recap)}
        return numbers, " ".join(finished.stdout.split())

    def ask(self, module: str, arguments: str) -> subprocess.CompletedProcess[str]:
        """One task on the host; its arguments as JSON."""
        return self._finish("ansible", "edge", "-m", module, "-a", arguments)

    def _finish(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        inventory = self.directory / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": {"edge": self.variables}}}))
        return subprocess.run(
            [*self._words, need(program), "-i", str(inventory), *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_HOME": str(self.directory / "home"),
                "ANSIBLE_NOCOLOR": "1",
            },
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
