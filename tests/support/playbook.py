# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An ansible-playbook that runs in the background, as an operator would start it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .processes import Process
from .wait import until

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """A playbook that has ended."""

    code: int
    output: str


class Playbook:
    """An ansible-playbook command, started."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        log.unlink(missing_ok=True)
        self.process = Process(command, log, environment, directory=ROOT)

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def says(self, text: str, times: int = 1, deadline: float = 120.0) -> None:
        """Wait until it has printed this so many times."""

        def said() -> bool:
            return self.output.count(text) >= times

        until(lambda: said() or self.process.ended is not None, "the playbook to say %r" % text, deadline)
        assert said(), self.output

    def wait(self, deadline: float = 180.0) -> Ended:
        """Wait for its end."""
        until(lambda: self.process.ended is not None, "the playbook to end", deadline)
        return Ended(self.process.stop(), self.output)
