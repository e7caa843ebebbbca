# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person has a name also where the system knows none: a revert by hand must not end with a KeyError."""

from __future__ import annotations

import os
import pwd

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils._person import person
from ansible_collections.zdm.rollout.plugins.plugin_utils import _state


@pytest.fixture(autouse=True)
def unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose number is in no list of users, as in many containers."""

    def none(number: int) -> None:
        raise KeyError("getpwuid(): uid not found: %d" % number)

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", none)


def test_a_name_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    assert person() == "ann"


def test_without_a_name_the_number_stands_for_it() -> None:
    assert person() == "uid %d" % os.getuid()
    assert _state.owner().startswith("uid %d@" % os.getuid())
