# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A router in memory, whatever definition is given for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import orders, session, tenures

from .agents import Agent
from .guards import clock

__all__ = ["agent", "clock", "fresh"]


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Agent]:
    """Makes an agent in a directory; from then on it is the one whose router is opened."""

    def make(directory: Path) -> Agent:
        made = Agent(str(directory / "state"))
        for room in (orders, session, tenures):
            monkeypatch.setattr(room, "open_router", lambda definition: made.driver)
        return made

    return make


@pytest.fixture
def agent(tmp_path: Path, fresh: Callable[[Path], Agent]) -> Agent:
    return fresh(tmp_path)
