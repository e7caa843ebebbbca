# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's file, which the next rollout may replace while a guard lives on what it was started with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils import _build
from tests.agent.conftest import AT_25
from tests.support.agent import Installed, altered
from tests.support.haproxy import Site

#: Longer than the one before, so that nothing in it is where it was.
NEWER = ("_files.py", "# SPDX", "# %s\n# SPDX" % ("newer " * 2000))


def replace(installed: Installed, directory: Path) -> None:
    """As a controller's copy does it: written beside, renamed over."""
    beside = installed.state / "zdm-agent.new"
    beside.write_bytes(altered(directory, NEWER))
    os.replace(beside, installed.file)


def test_a_guard_goes_on_as_it_was_when_a_newer_agent_takes_the_files_place(
    installed: Installed, site: Site, tmp_path: Path
) -> None:
    with installed.connect() as connection:
        connection.ask("status")
        replace(installed, tmp_path)
        connection.acquire()  # for which it imports more of itself
        connection.arm(25)
        assert site.share() == AT_25
        connection.ask("revert", epoch=1, reason="enough")


def test_one_that_reads_itself_by_name_is_lost__control(
    site: Site, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_name = "\n".join(line for line in _build.MAIN.splitlines() if not line.startswith("sys.path[0]")) + "\n"
    assert by_name != _build.MAIN
    monkeypatch.setattr(_build, "MAIN", by_name)
    installed = Installed(state, site.definition, site.service, agent=_build.build())
    monkeypatch.undo()
    with installed.connect() as connection:
        connection.ask("status")
        replace(installed, tmp_path)
        with pytest.raises(AssertionError, match="the agent ended"):
            connection.acquire()
