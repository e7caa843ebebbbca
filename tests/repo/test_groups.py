# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of one xdist_group share a worker: a pytest and a pytest-xdist that do not fit say nothing and scatter them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCATTERED = """
import os, pathlib, time, pytest
@pytest.mark.parametrize("number", range(6))
def test_one(number):
    pathlib.Path("worker-" + os.environ["PYTEST_XDIST_WORKER"]).touch()
    time.sleep(0.05)
"""
GROUPED = SCATTERED.replace("@pytest.mark.para", '@pytest.mark.xdist_group("one")\n@pytest.mark.para', 1)


def workers(directory: Path, tests: str) -> int:
    """How many workers have run some of these tests."""
    directory.mkdir()
    (directory / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (directory / "test_it.py").write_text(tests, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup"]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
    return len(list(directory.glob("worker-*")))


def test_a_group_is_run_by_one_worker(tmp_path: Path) -> None:
    assert workers(tmp_path / "grouped", GROUPED) == 1
    assert workers(tmp_path / "control", SCATTERED) == 2
