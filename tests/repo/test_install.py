# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing both collections straight from git, as ``install/requirements.yml`` says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import pytest
import yaml

from tests.repo.conftest import Ansible

REQUIREMENTS = "install/requirements.yml"
SUBDIRECTORY = {"zdm.rollout": "/collections/ansible_collections/zdm/rollout", "zdm.playbooks": ""}


@pytest.fixture
def entries(clone: Path) -> List[Dict[str, Any]]:
    content = yaml.safe_load((clone / REQUIREMENTS).read_text(encoding="utf-8"))
    assert set(content) == {"collections"}
    return list(content["collections"])


def test_both_are_named_and_come_from_one_repository(entries: List[Dict[str, Any]]) -> None:
    assert [set(entry) for entry in entries] == [{"name", "type", "source", "version"}] * 2
    assert {entry["type"] for entry in entries} == {"git"}
    assert {entry["name"]: entry["source"].partition("#")[2] for entry in entries} == SUBDIRECTORY
    assert len({entry["source"].partition("#")[0] for entry in entries}) == 1
    assert len({entry["version"] for entry in entries}) == 1


def test_the_root_has_no_requirements_that_a_controller_would_install_by_itself(clone: Path) -> None:
    assert not list(clone.glob("requirements.y*ml"))


def test_they_install_and_the_playbooks_run_by_name(
    ansible: Ansible, clone: Path, tmp_path: Path, entries: List[Dict[str, Any]]
) -> None:
    for entry in entries:
        _, hash_sign, subdirectory = entry["source"].partition("#")
        entry["source"] = "git+%s%s%s" % (clone.as_uri(), hash_sign, subdirectory)
    requirements = tmp_path / "requirements.yml"
    requirements.write_text(yaml.safe_dump({"collections": entries}), encoding="utf-8")
    place = tmp_path / "collections"
    result = ansible(
        tmp_path, "ansible-galaxy", "collection", "install", "-r", str(requirements), "-p", str(place), "--offline"
    )
    assert result.returncode == 0, result.stdout
    assert {path.name for path in (place / "ansible_collections/zdm").iterdir()} == {"rollout", "playbooks"}
    verbs = "rollout plan backtest status history abort pause resume promote undo retry lock unlock bundle finish adopt"
    for playbook in verbs.split():
        result = ansible(tmp_path, "ansible-playbook", "--syntax-check", "zdm.playbooks." + playbook)
        assert result.returncode == 0, result.stdout
