# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``make test`` says where the Debian packages that the tests need are missing and it may not install them."""

from __future__ import annotations

import os
import subprocess
from typing import Dict

import pytest

from tests.repo.conftest import ROOT

#: Functions that bash takes from the environment stand in for the machine: nothing is there, and who asks.
NOTHING_THERE = {"BASH_FUNC_command%%": "() { return 1; }"}
ROOT_USER = {"BASH_FUNC_id%%": "() { echo 0; }"}
ORDINARY_USER = {"BASH_FUNC_id%%": "() { echo 1000; }"}
#: A call of it would show in the output.
APT = {"BASH_FUNC_apt-get%%": "() { echo apt-get was called; }"}


def debian(settings: Dict[str, str]) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "APT")}
    result = subprocess.run(
        [ROOT / "tools/debian.sh"], env={**environment, **APT, **settings}, check=True, capture_output=True, text=True
    )
    return result.stdout


@pytest.mark.parametrize(
    "settings, reason",
    [
        ({**ORDINARY_USER}, "not root"),
        ({**ROOT_USER, "APT": "no"}, "APT=no"),
        ({**ROOT_USER}, "no apt-get here"),
    ],
    ids=["ordinary user", "forbidden", "not Debian"],
)
def test_it_names_the_packages_and_the_command_and_goes_on(settings: Dict[str, str], reason: str) -> None:
    said = debian({**NOTHING_THERE, **settings})
    assert reason in said
    assert "be skipped" in said
    assert "sudo apt-get install haproxy nginx openssh-server" in said
    assert "apt-get was called" not in said


def test_in_ci_it_says_that_the_tests_will_fail() -> None:
    assert "will fail" in debian({**NOTHING_THERE, **ORDINARY_USER, "CI": "true"})


def test_where_all_is_there_it_says_nothing() -> None:
    assert debian({"BASH_FUNC_command%%": "() { return 0; }", **ORDINARY_USER}) == ""
