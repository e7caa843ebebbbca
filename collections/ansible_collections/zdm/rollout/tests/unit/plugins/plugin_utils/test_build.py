# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's file: the same bytes for the same sources, and nothing in it that a router's Python lacks."""

from __future__ import annotations

import ast
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils._build import SOURCES, build, digest


def copied(directory: Path, umask: int, instant: float) -> Path:
    """The sources as another machine may have them."""
    before = os.umask(umask)
    try:
        copy = Path(shutil.copytree(SOURCES, directory / "copy", copy_function=shutil.copyfile))
    finally:
        os.umask(before)
    for path in copy.rglob("*"):
        os.utime(path, (instant, instant))
    return copy


@pytest.mark.parametrize(("umask", "instant"), [(0o077, 0.0), (0o000, 2e9)])
def test_the_same_sources_are_the_same_bytes(tmp_path: Path, umask: int, instant: float) -> None:
    copy = copied(tmp_path, umask, instant)
    (copy / "__pycache__").mkdir(exist_ok=True)
    (copy / "__pycache__" / "left.pyc").write_bytes(b"left over")
    assert build(copy) == build()


def test_other_sources_are_other_bytes__control(tmp_path: Path) -> None:
    copy = copied(tmp_path, 0o022, 1e9)
    with (copy / "_split.py").open("a") as stream:
        stream.write("#\n")
    assert digest(build(copy)) != digest(build())


def strangers(agent: bytes) -> set[str]:
    """What the files in it import that is neither theirs nor of the standard library."""
    found = set()
    with zipfile.ZipFile(io.BytesIO(agent)) as archive:
        for name in archive.namelist():
            for node in ast.walk(ast.parse(archive.read(name))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    found.add(str(node.module).partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"zdm"}


def test_only_the_standard_library_is_needed(tmp_path: Path) -> None:
    assert strangers(build()) == set()
    copy = copied(tmp_path, 0o022, 1e9)
    (copy / "_other.py").write_text("import yaml\nfrom ansible.errors import AnsibleError\n")
    assert strangers(build(copy)) == {"yaml", "ansible"}, "the control"


def test_it_runs_where_nothing_is_installed(tmp_path: Path) -> None:
    path = tmp_path / "zdm-agent.pyz"
    path.write_bytes(build())
    command = [sys.executable, "-I", "-S", str(path), "status"]
    result = subprocess.run(command, cwd="/", text=True, capture_output=True, check=True)
    assert "no rollout has been here (state directory %s)" % tmp_path in result.stdout
