# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is asked to do, from the file on: paths are relative to the spec."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._request import Request, read_request

from .example import EXAMPLE, TEXT


def write(directory: Path, hooks: str = "") -> Path:
    """The example's spec as a file of its own."""
    lines = TEXT.decode().partition("spec:\n")[2].partition("groups:")[0].splitlines()
    path = directory / "services" / "web.yml"
    path.parent.mkdir()
    path.write_text("\n".join(line[2:] for line in lines) + "\n" + hooks, encoding="utf-8")
    return path


def request(path: Path, release: str = "") -> Request:
    return read_request(str(path), release, EXAMPLE["groups"], EXAMPLE["hostvars"])


def test_the_spec_is_read_from_its_file(tmp_path: Path) -> None:
    found = request(write(tmp_path))
    assert found.document == EXAMPLE["spec"]
    assert (found.release, found.spec.release, found.deploy_tasks) == (None, "2.4.0", "")
    assert list(found.fleet.routers) == ["p1", "p2"]


def test_an_empty_release_is_the_specs_own(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert request(path, "").spec.release == "2.4.0"
    assert request(path, "2.5.0").spec.release == "2.5.0"


def test_tasks_are_found_beside_the_spec_wherever_it_is_read_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "hooks: {deploy: {tasks: ../tasks/deploy.yml}}\n")
    tasks = tmp_path / "tasks" / "deploy.yml"
    tasks.parent.mkdir()
    tasks.write_text("[]", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert request(Path(os.path.relpath(path))).deploy_tasks == str(tasks)


def test_a_name_that_no_file_can_have_is_no_spec(tmp_path: Path) -> None:
    for name in ("web\0.yml", "w" * 1000):
        with pytest.raises(SpecError, match="expected a file that can be read"):
            request(tmp_path / name)


def test_a_directory_is_no_spec(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="Is a directory"):
        request(tmp_path)
