# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a managed nginx has of a service: files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_files import Files
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Unsupported

NAMES = frozenset({"0.green", "1.green"})


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(str(tmp_path), str(tmp_path / "logs"))


def test_a_share_is_a_directory_behind_a_link(files: Files) -> None:
    assert files.names("web") is None and files.in_force("web") == ""
    files.bring("web", files.made("web", "green=2", NAMES))
    assert files.names("web") == NAMES
    assert files.in_force("web") == "green=2"
    inodes = {os.stat(os.path.join(files.current("web"), name)).st_ino for name in NAMES}
    assert len(inodes) == 1, "links to one empty file"


def test_what_is_in_a_directory_counts_and_not_its_name(files: Files) -> None:
    files.bring("web", files.made("web", "green=2", NAMES - {"1.green"}))
    assert files.made("web", "green=2", NAMES) == "green=2~1"
    assert files.names("web") == NAMES - {"1.green"}, "the one in force is not touched"
    assert files.made("web", "green=2", NAMES) == "green=2~1"


def test_only_shares_that_nobody_needs_are_removed(files: Files) -> None:
    for number in range(4):
        files.made("web", "green=%d" % number, frozenset("%d.green" % each for each in range(number)))
    files.bring("web", "green=2")
    files.prune("web", {"green=0"})
    assert sorted(os.listdir(files.shares("web"))) == [".empty", "current", "green=0", "green=2"]


def test_nginx_may_pass_all_directories_whatever_the_umask(files: Files) -> None:
    before = os.umask(0o077)
    try:
        files.bring("web", files.made("web", "green=2", NAMES))
        files.write(files.pool("web", "blue"), "text")
    finally:
        os.umask(before)
    for path in (files.current("web"), files.shares("web"), os.path.dirname(files.shares("web")), files.members("web")):
        assert os.stat(path).st_mode & 0o777 == 0o755


def test_a_half_made_directory_is_made_anew(files: Files) -> None:
    half = Path(files.shares("web"), ".green=2.new")
    half.mkdir(parents=True)
    (half / "77.green").touch()
    Path(files.current("web") + ".new").symlink_to("nowhere")
    files.bring("web", files.made("web", "green=2", NAMES))
    assert files.names("web") == NAMES


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_a_full_disk_does_not_keep_traffic_from_going_back(
    files: Files, protected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.made("web", "green=0", frozenset())
    files.bring("web", files.made("web", "green=2", NAMES))
    if protected:
        files.spare("web", "green=0")
        files.prune("web", {"green=0"})

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "symlink", full)
    if protected:
        files.bring("web", "green=0")
    else:
        with pytest.raises(Unsupported, match="cannot be written"):
            files.bring("web", "green=0")
    assert files.in_force("web") == ("green=0" if protected else "green=2")


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    files = Files(str(tmp_path / "file"), "/logs")
    with pytest.raises(Unsupported, match=r"cannot be written: .*zdm_router\.config"):
        files.made("web", "green=2", NAMES)
    with pytest.raises(Unsupported, match=r"zdm_router\.logs is 'logs': expected an absolute path"):
        Files("/etc", "logs")
