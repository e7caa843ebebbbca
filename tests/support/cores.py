# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ansible-cores that a test can run: the one of these tests, and those that tools/cores.sh brings."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from ansible.release import __version__

ROOT = Path(__file__).resolve().parents[2]
OLDEST, NEWEST = "2.16", "2.21"
#: The version of the ansible-core that runs with these tests.
OURS = ".".join(__version__.split(".")[:2])


def playbook_command(core: str) -> str:
    """The ansible-playbook of this version. A test whose core is not there skips (in CI: fails)."""
    here = Path(sys.executable).parent if core == OURS else ROOT / "build" / ("core-%s" % core) / "bin"
    program = here / "ansible-playbook"
    if program.exists():
        return str(program)
    if core == NEWEST:
        # The newest needs a newer Python than zdm does; a machine without it is not at fault.
        pytest.skip("no ansible-core %s (it needs Python 3.12): %s is the newest here" % (core, OURS))
    reason = "no ansible-core %s: make build/.cores" % core
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def tried() -> list[str]:
    """The oldest and the newest that run here. Where the newest is missing, its place in the summary says so."""
    newest_is_here = (ROOT / "build" / ("core-%s" % NEWEST)).exists()
    return [OLDEST, NEWEST] if newest_is_here else [OLDEST, OURS, NEWEST]
