# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All the ways to a router, as an inventory has them: those that a channel takes, and those that are refused."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.accounts import ASKED, FREE, PLAIN, ROOT, TYPED, why_not
from tests.support.sshd import RunningSshd

#: Rows that a user without any rights can have as well.
ORDINARY = ("key", "jump", "proxy_command", "local")
#: Those that need accounts: see tests/support/accounts.py.
WITH_ACCOUNTS = (
    "sudo",
    "sudo_password",
    "su_password",
    "typed",
    "local_sudo_password",
)
ROWS = ORDINARY + WITH_ACCOUNTS
#: What must be refused, and the words in which it is.
REFUSED = {
    "wrong_password": "password",
    "no_password": "password",
    "no_become": "run it with --become, or set zdm_router.state to a directory of the login user",
    "plain_user": "run it with --become, or set zdm_router.state to a directory of the login user",
    "no_master": "use a key, or leave ControlPersist on",
    "terminal": "become method terminal needs a terminal, and the agent has none",
    "borrowed": "connection 'borrowed' is not supported for the agent: expected ssh or local",
}

Variables = dict[str, Any]


@dataclass(frozen=True)
class Ways:
    """Where they lead: a host, the jump host before it, a directory for what they leave, the socket of the proxy."""

    host: RunningSshd
    jump: RunningSshd
    directory: Path
    socket: Path

    @property
    def mark(self) -> Path:
        """Written by the proxy command; its name has the space that needs quotes."""
        return self.directory / "it has passed"

    def __call__(self, name: str) -> Variables:
        """The variables of the way ``name``; its state directory is its own."""
        rows: dict[str, Callable[[], Variables]] = {
            "key": lambda: {**self._ssh(), "ansible_ssh_extra_args": "-v"},
            "jump": lambda: {**self._ssh(), "ansible_host": "behind", **self._common("-F %s" % self._config())},
            "proxy_command": self._by_proxy,
            "local": lambda: {"ansible_connection": "local"},
            "sudo": lambda: self._sudo(FREE.name),
            "sudo_password": lambda: self._sudo(ASKED.name, ASKED.password),
            "su_password": lambda: {**self._sudo(PLAIN.name, ROOT.password), "ansible_become_method": "su"},
            "typed": self._typed,
            "local_sudo_password": self._local_sudo,
            "wrong_password": lambda: self._sudo(ASKED.name, "not-%s" % ASKED.password),
            "no_password": lambda: self._sudo(ASKED.name),
            "no_become": lambda: {**self._ssh(FREE.name), **_PLAIN_PYTHON},
            "plain_user": lambda: {**self._sudo("root"), "ansible_become_user": PLAIN.name, **_PLAIN_PYTHON},
            "no_master": lambda: {**self._typed(), "ansible_ssh_args": "-o ControlMaster=no"},
            "terminal": lambda: {**self._sudo(FREE.name), "ansible_become_method": "terminal"},
            "borrowed": lambda: {"ansible_connection": "borrowed"},
        }
        router = {"type": "haproxy", "mode": "servers", "socket": str(self.socket), "state": str(self.state(name))}
        return {"ansible_python_interpreter": sys.executable, **rows[name](), "zdm_router": {**router, "services": {}}}

    def state(self, name: str) -> Path:
        """The agent's directory on the host; it lies in one that only root can enter."""
        return self.directory / "states" / name

    def _ssh(self, user: str = "") -> Variables:
        return {**self.host.variables, **({"ansible_user": user} if user else {})}

    def _sudo(self, user: str, password: str = "") -> Variables:
        become: Variables = {"ansible_become": True}
        if password:
            become["ansible_become_password"] = password
        return {**self._ssh(user), **become}

    def _typed(self) -> Variables:
        """A host that takes a password only; Ansible types it and keeps the connection (ControlPersist)."""
        typed = {**self._sudo(TYPED.name, TYPED.password), "ansible_password": TYPED.password}
        del typed["ansible_ssh_private_key_file"]
        return typed

    def _local_sudo(self) -> Variables:
        """As an ordinary user whom the machine's own sudo asks."""
        ordinary = "setpriv --reuid=%d --regid=%d --clear-groups sudo" % (ASKED.uid, ASKED.uid)
        become = {"ansible_become": True, "ansible_become_exe": ordinary, "ansible_become_password": ASKED.password}
        return {"ansible_connection": "local", **become}

    def _by_proxy(self) -> Variables:
        return {**(self._ssh() if why_not() else self._sudo(FREE.name)), **self._common(self._proxy())}

    def _proxy(self) -> str:
        """A proxy command with both kinds of quotes, and a space that they hold together."""
        command = 'sh -c "touch \\"%s\\"; exec ssh -F %s -W %%h:%%p jump"' % (self.mark, self._config())
        return "%s -o %s" % (self.host.variables["ansible_ssh_common_args"], shlex.quote("ProxyCommand=" + command))

    def _common(self, arguments: str) -> Variables:
        return {"ansible_ssh_common_args": arguments}

    def _config(self) -> Path:
        """Of ssh: ``behind`` is the host, and the way to it goes over ``jump``."""
        path = self.directory / "ssh_config"
        known = self.directory / "known_hosts"
        hosts = {"behind": self.host, "jump": self.jump}
        if not path.exists():
            keys = [sshd.known_hosts.read_text(encoding="utf-8") for sshd in hosts.values()]
            known.write_text("".join(keys), encoding="utf-8")
            lines = ["UserKnownHostsFile %s" % known, "BatchMode yes"]
            for alias, sshd in hosts.items():
                lines += [
                    "Host %s" % alias,
                    "HostName 127.0.0.1",
                    "Port %d" % sshd.port,
                    "User %s" % sshd.variables["ansible_user"],
                    "IdentityFile %s" % sshd.variables["ansible_ssh_private_key_file"],
                ]
            lines += ["Match originalhost behind", "ProxyJump jump"]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path


#: A Python that every user can run.
_PLAIN_PYTHON = {"ansible_python_interpreter": "/usr/bin/python3"}
