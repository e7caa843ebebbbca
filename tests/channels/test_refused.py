# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways that no channel takes: each is refused in words that say what to do, and its host does not fail."""

from __future__ import annotations

import pytest

from tests.support.accounts import need_accounts

from .handed import HandedOver
from .ways import REFUSED


@pytest.mark.parametrize("way", REFUSED)
def test_it_is_refused_with_the_reason(handed: HandedOver, way: str) -> None:
    need_accounts()
    if way == "terminal" and way not in handed.requests:
        # Newer ansible-cores refuse it themselves, before any task.
        assert "does not provide a TTY" in handed.output
        return
    request = handed.requests[way]
    assert REFUSED[way] in request["failure"]
    assert not {"argv", "become"} & set(request), "a way that is refused has nothing to give away"


@pytest.mark.parametrize("way", ["borrowed", "terminal", "wrong_password", "no_password"])
def test_nothing_was_installed_there(handed: HandedOver, way: str) -> None:
    need_accounts()
    assert not handed.ways.state(way).exists()
