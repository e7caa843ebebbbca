# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The accounts of these tests are real for sshd and sudo, and the machine never hears of them."""

from __future__ import annotations

import pwd
import subprocess
from pathlib import Path

import pytest

from tests.support.accounts import ACCOUNTS, ASKED, need_accounts
from tests.support.sshd import RunningSshd

#: What sudo, su and sshd read, and where they remember.
WATCHED = ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/sudoers", "/etc/pam.d", "/run/sudo", "/var/lib/sudo")
#: Where nothing of other tests is, in directories that are not the machine's.
WAS_HERE = (Path("/run/zdm-was-here"), Path("/usr/local/bin/zdm-was-here"))


def state() -> dict[str, tuple[int, int]]:
    """Inode and time of change of what is watched, and of all that is in it."""
    paths = [path for name in WATCHED for path in [Path(name), *Path(name).rglob("*")]]
    seen = {str(path): path.lstat() for path in paths if path.exists()}
    return {name: (status.st_ino, status.st_mtime_ns) for name, status in seen.items()}


@pytest.mark.parametrize("end", ["stop", "cut"])
def test_they_leave_the_machine_as_it_was(tmp_path: Path, end: str) -> None:
    need_accounts()
    before = state()
    host = RunningSshd(tmp_path / "host", accounts=True)
    try:
        ordinary = ["setpriv", "--reuid=%d" % ASKED.uid, "--regid=%d" % ASKED.uid, "--clear-groups"]
        script = "id -un; touch %s %s" % WAS_HERE
        words = host.inside(*ordinary, "sudo", "-S", "-p", "", "sh", "-c", script)
        became = subprocess.run(words, input=ASKED.password + "\n", capture_output=True, text=True, check=False)
        assert became.stdout.strip() == "root", became.stderr
        wrong = subprocess.run(words, input="wrong\n", capture_output=True, text=True, check=False)
        assert wrong.returncode == 1
    finally:
        host.cut() if end == "cut" else host.stop()
    assert state() == before
    assert not [path for path in WAS_HERE if path.exists()]
    assert not {account.name for account in ACCOUNTS[1:]} & {user.pw_name for user in pwd.getpwall()}
    assert str(tmp_path) not in Path("/proc/mounts").read_text(encoding="utf-8")
