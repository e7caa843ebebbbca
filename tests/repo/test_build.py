# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shipped: each collection holds what runs from it, and nothing of the repository around it."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any, Dict, Set

import pytest
import yaml

from tests.repo.conftest import Ansible

ROLLOUT = "collections/ansible_collections/zdm/rollout"
SHIPPED = {
    ".": {"MANIFEST.json", "FILES.json", "README.md", "LICENSE", "changelogs", "meta", "playbooks"},
    ROLLOUT: {"MANIFEST.json", "FILES.json", "README.md", "LICENSE", "changelogs", "meta", "plugins", "roles", "tests"},
}


@pytest.fixture(params=SHIPPED)
def source(request: pytest.FixtureRequest) -> str:
    """Where in the repository a collection is made from."""
    return str(request.param)


def build(ansible: Ansible, directory: Path, target: Path) -> Path:
    result = ansible(directory, "ansible-galaxy", "collection", "build", "--output-path", str(target))
    assert result.returncode == 0, result.stdout
    return next(target.glob("zdm-*.tar.gz"))


def top_names(tarball: Path) -> Set[str]:
    with tarfile.open(tarball) as archive:
        return {name.split("/")[0] for name in archive.getnames()}


def manifest(tarball: Path) -> Dict[str, Any]:
    with tarfile.open(tarball) as archive:
        stream = archive.extractfile("MANIFEST.json")
        assert stream is not None
        collection: Dict[str, Any] = json.load(stream)["collection_info"]
        return collection


def test_a_collection_ships_what_it_is_for(ansible: Ansible, clone: Path, tmp_path: Path, source: str) -> None:
    # The first release brings CHANGELOG.rst.
    assert top_names(build(ansible, clone / source, tmp_path)) - {"CHANGELOG.rst"} == SHIPPED[source]


def test_without_build_ignore_the_rest_of_the_repository_would_go_along(
    ansible: Ansible, clone: Path, tmp_path: Path
) -> None:
    """The control of the test above: what it looks at is there to be left out."""
    copy = shutil.copytree(clone, tmp_path / "copy", ignore=shutil.ignore_patterns(".git"))
    galaxy = copy / "galaxy.yml"
    galaxy.write_text(re.sub(r"(?ms)^build_ignore:.*", "", galaxy.read_text(encoding="utf-8")), encoding="utf-8")
    shipped = top_names(build(ansible, copy, tmp_path))
    assert {"collections", "tests", ".ci", "Makefile", "tools"} <= shipped


def test_the_playbooks_need_the_engine_of_their_own_version(ansible: Ansible, clone: Path, tmp_path: Path) -> None:
    engine = yaml.safe_load((clone / ROLLOUT / "galaxy.yml").read_text(encoding="utf-8"))
    shipped = manifest(build(ansible, clone, tmp_path))
    assert (shipped["namespace"], shipped["name"]) == ("zdm", "playbooks")
    assert (shipped["version"], shipped["dependencies"]) == (engine["version"], {"zdm.rollout": engine["version"]})


def test_both_collections_carry_the_text_of_the_licence(clone: Path) -> None:
    text = (clone / "LICENSE").read_text(encoding="utf-8")
    assert "GNU GENERAL PUBLIC LICENSE" in text
    assert (clone / ROLLOUT / "LICENSE").read_text(encoding="utf-8") == text
    for source in SHIPPED:
        assert yaml.safe_load((clone / source / "galaxy.yml").read_text(encoding="utf-8"))["license"] == [
            "GPL-3.0-or-later"
        ]
