# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users with passwords and rights to sudo, without a change to the machine: in a mount namespace of their own.

There /etc/passwd, shadow, group, sudoers and PAM's rules are a test's own files; /run, with the homes in it, and what
sshd and sudo remember are memory. The machine's sshd, sudo and su run on them. When the last process of the namespace
ends, it is gone.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from .programs import SOURCES, need

SHELL = "/bin/sh"


@dataclass(frozen=True)
class Account:
    """A user: ``password`` for login and sudo (with the hash of it), ``sudo`` the right in sudoers' words or none."""

    name: str
    uid: int
    password: str = ""
    hashed: str = "*"
    sudo: str = ""

    @property
    def home(self) -> str:
        return "/run/zdm/%s" % self.name


#: Each password stands nowhere else, so that one that leaks is found. The hashes are crypt's, method 6.
ROOT = Account(
    "root",
    0,
    "correct-horse-root-4711",
    "$6$zdmtests$HJe72J4hVhqyKYstSolwnE3eAa7jrZugketwfsNJPnU3frPxXiON7UxpolskqgyPijLFLVjwl5rLTgLhSvkyh0",
    "NOPASSWD: ALL",
)
FREE = Account("zdm-free", 61201, sudo="NOPASSWD: ALL")
ASKED = Account(
    "zdm-asked",
    61202,
    "correct-horse-asked-0815",
    "$6$zdmtests$pRy2DU4mZIIbCNZsIpgGi6B1HJSbkvXCa054X43RWw4htmt8kMRQ41pomBMqX31Xt/r4oOp4WmG3MtF.Ji5mY/",
    "ALL",
)
TYPED = Account(
    "zdm-typed",
    61203,
    "correct-horse-typed-1234",
    "$6$zdmtests$F8jFZXc3a3KOlJfmRvT3jNywzfgPigV5VsQiGH39gNRWacv2/Tl0eEJQt3OH.QVVHdk4iMN8uLotqIukuegdw0",
    "ALL",
)
PLAIN = Account("zdm-plain", 61204)
ACCOUNTS = (ROOT, FREE, ASKED, TYPED, PLAIN)

#: Newer sudos use a terminal of their own by default. The lecture is talk before the prompt.
SUDOERS = """\
Defaults env_reset, use_pty, timestamp_timeout=0
Defaults:zdm-asked lecture=always
"""
PAM = "auth required pam_unix.so nodelay\naccount required pam_unix.so\nsession optional pam_unix.so\n"
#: Of each file: the name under /etc, the mode that its reader insists on.
MODES = {"passwd": 0o644, "shadow": 0o600, "group": 0o644, "sudoers": 0o440, "nsswitch.conf": 0o644}


class Accounts:
    """The files of the namespace, in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._etc = directory / "etc"
        (self._etc / "pam.d").mkdir(parents=True)
        for name, mode in MODES.items():
            path = self._etc / name
            path.write_text(_content(name), encoding="utf-8")
            path.chmod(mode)
        for service in ("sudo", "su", "other"):
            sufficient = "auth sufficient pam_rootok.so\n" if service == "su" else ""
            (self._etc / "pam.d" / service).write_text(sufficient + PAM, encoding="utf-8")

    def inside(self, key: Path, *words: str) -> list[str]:
        """The command that makes the namespace, lets all accounts in with a public key, and becomes ``words``."""
        script = [
            "set -e",
            "mount -t tmpfs -o mode=0755 tmpfs /run",
            "for remembered in /var/log /var/lib/sudo; do",
            '[ ! -d "$remembered" ] || mount -t tmpfs -o mode=0755 tmpfs "$remembered"',
            "done",
            # Where root's agent leaves a link to itself.
            "mkdir /run/upper /run/work",
            "over=lowerdir=/usr/local/bin,upperdir=/run/upper,workdir=/run/work",
            "mount -t overlay -o $over overlay /usr/local/bin",
            "mkdir -m 0755 /run/sshd /run/zdm",
            *(
                "mkdir -m 0700 {home}; install -m 0644 {key} {home}.pub; chown {uid}:{uid} {home}".format(
                    home=account.home, key=shlex.quote(str(key)), uid=account.uid
                )
                for account in ACCOUNTS
            ),
            *("mount --bind %s /etc/%s" % (shlex.quote(str(self._etc / name)), name) for name in [*MODES, "pam.d"]),
            'exec "$@"',
        ]
        unshare = [need("unshare"), "--mount", "--propagation", "private"]
        return [*unshare, SHELL, "-c", "\n".join(script), SHELL, *words]


def _content(name: str) -> str:
    if name == "sudoers":
        rights = ["%s ALL=(ALL:ALL) %s" % (account.name, account.sudo) for account in ACCOUNTS if account.sudo]
        return SUDOERS + "\n".join(rights) + "\n"
    if name == "nsswitch.conf":
        return "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
    lines = {
        "passwd": "{0.name}:x:{0.uid}:{0.uid}::{0.home}:" + SHELL,
        "shadow": "{0.name}:{0.hashed}:19000:0:99999:7:::",
        "group": "{0.name}:x:{0.uid}:",
    }[name]
    # Who sshd is before a login.
    more = {
        "passwd": "sshd:x:61200:61200::/run/sshd:/bin/false",
        "shadow": "sshd:*:19000::::::",
        "group": "sshd:x:61200:",
    }
    return "\n".join([*(lines.format(account) for account in ACCOUNTS), more[name]]) + "\n"


@cache
def why_not() -> str:
    """Why this process cannot have such accounts, empty when it can."""
    if os.getuid() != 0:
        return "users and sudo need root, for a mount namespace"
    if shutil.which("sudo") is None:
        return "no sudo: %s" % SOURCES["sudo"]
    mount = ["mount", "-t", "tmpfs", "tmpfs", "/run"]
    unshare = [need("unshare"), "--mount", "--propagation", "private"]
    tried = subprocess.run([*unshare, *mount], capture_output=True, text=True, check=False)
    return "no mount namespace here: %s" % tried.stderr.strip() if tried.returncode else ""


def need_accounts() -> None:
    """Skip the test where there cannot be any accounts; in CI fail it."""
    if why_not() and os.environ.get("CI") == "true":
        pytest.fail(why_not())
    if why_not():
        pytest.skip(why_not())
