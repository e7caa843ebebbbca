# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A router in memory, whatever definition is given for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import session

from .agents import Agent


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Agent:
    made = Agent(str(tmp_path))
    monkeypatch.setattr(session, "open_router", lambda definition: made.driver)
    return made
