# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's file on a router: copied when it is not there or another one, left alone when it is the same."""

from __future__ import annotations

import os
import stat

from tests.support.fleet import Fleet


def test_it_is_copied_only_when_it_differs(fleet: Fleet) -> None:
    path = fleet.routers[0].state / "zdm-agent.pyz"
    assert fleet.play("rollout").code == 0
    first = path.stat()
    assert stat.S_IMODE(first.st_mode) == 0o700
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    assert fleet.play("rollout", "-e", "zdm_release=v3").code == 0
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)

    good = path.read_bytes()
    path.write_bytes(b"an older one")
    assert fleet.play("rollout", "-e", "zdm_release=v4").code == 0
    assert path.read_bytes() == good
    assert fleet.outcome()["release"] == "v4"
    assert os.access(path, os.X_OK)
