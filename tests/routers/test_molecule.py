# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's Molecule scenario: set up, run again, a rollout, left to its operator."""

from __future__ import annotations

import os
import subprocess
import tempfile

import pytest

from tests.support.playbook import ROOT
from tests.support.ports import free_port
from tests.support.programs import need

COLLECTION = ROOT / "collections/ansible_collections/zdm/rollout"
STEPS = ["prepare", "converge", "idempotence", "side_effect", "verify", "destroy"]


@pytest.mark.timeout(300)
def test_the_scenario_of_the_role_passes() -> None:
    need("haproxy")
    # Molecule's own directory is the same for all clones. Sockets are in it, and their paths are limited to 107 bytes.
    with tempfile.TemporaryDirectory(prefix="zdm-") as directory:
        scenario(directory)


def scenario(directory: str) -> None:
    ports = {name: str(free_port()) for name in ("ZDM_PORT", "ZDM_BLUE_PORT", "ZDM_GREEN_PORT")}
    environment = {**os.environ, **ports, "NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1"}
    environment["MOLECULE_EPHEMERAL_DIRECTORY"] = directory
    environment["PATH"] = "%s:%s" % (os.path.dirname(need("ansible-playbook")), environment["PATH"])
    ran = subprocess.run(
        [need("molecule"), "test", "-s", "router"],
        cwd=COLLECTION,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert [step for step in STEPS if "%s: Executed: Successful" % step not in ran.stdout] == []
