# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd would be told, over a real socket; and that nothing depends on its listening."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.service_manager import tell


@pytest.mark.parametrize("kind", ["a path", "abstract"])
def test_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    name = str(tmp_path / "notify") if kind == "a path" else "@zdm-test-%d" % os.getpid()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if name.startswith("@") else name)
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        tell("READY=1")
        tell("WATCHDOG=1")
        assert [manager.recv(100) for dummy in range(2)] == [b"READY=1", b"WATCHDOG=1"]


def test_where_nobody_listens_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    tell("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    tell("READY=1")


def test_one_that_does_not_read_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        for dummy in range(10000):
            tell("WATCHDOG=1")
        assert manager.recv(100) == b"WATCHDOG=1"
