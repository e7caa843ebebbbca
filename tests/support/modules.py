# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One module of the collection, run by the program `ansible` on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .programs import need

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Answer:
    """What the module returned, and all that Ansible has printed."""

    result: dict[str, Any]
    output: str

    @property
    def changed(self) -> bool:
        return bool(self.result["changed"])

    @property
    def refusal(self) -> str:
        """The message of a module that failed; AssertionError if it did not."""
        assert "localhost | FAILED!" in self.output, self.output
        return str(self.result["msg"])


def run_module(name: str, arguments: Mapping[str, Any], home: Path, *flags: str) -> Answer:
    """Run ``zdm.rollout.<name>``; ``flags`` are Ansible's (``--check``); ``home`` is where it puts its own files."""
    command = [need("ansible"), "-i", "localhost,", "-c", "local", "localhost"]
    command += ["-e", "ansible_python_interpreter=%s" % sys.executable]
    command += ["-m", "zdm.rollout.%s" % name, "-a", json.dumps(arguments), *flags]
    finished = subprocess.run(
        command,
        cwd=ROOT,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_HOME": str(home),
            "ANSIBLE_NOCOLOR": "1",
        },
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    head, arrow, rest = finished.stdout.partition(" => {")
    assert arrow and "localhost | " in head, finished.stdout
    result, _ = json.JSONDecoder().raw_decode("{" + rest)
    return Answer(result, finished.stdout)
