# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that starts an agent over a host's own Ansible connection, for somebody who is not Ansible.

Everything that reads a connection's inside is in this file. Local and ssh with a key (also as another user by a
become method that asks nothing) are known; others are refused by name.
"""

from __future__ import annotations

import os
from typing import Any

#: The watch's own connection: never shared, never asking, and ended within seconds when the network is gone.
SSH_OPTIONS = (
    "-oControlMaster=no",
    "-oControlPath=none",
    "-oBatchMode=yes",
    "-oServerAliveInterval=2",
    "-oServerAliveCountMax=3",
)


class Unsupported(Exception):
    """No channel can be made over this connection; the text says which and why."""


def agent_command(connection: Any, shell: Any, words: str) -> tuple[list[str], dict[str, str]]:
    """The argv and environment that run the shell command ``words`` on the connection's host."""
    become = connection.become
    if become is not None:
        if become.get_option("become_pass", playcontext=None):
            raise Unsupported("become with a password is not yet supported for the agent: use a key and NOPASSWD")
        words = become.build_become_command(words, shell)
    transport = connection.transport
    if transport == "local":
        return ["/bin/sh", "-c", words], dict(os.environ)
    if transport == "ssh":
        return _ssh(connection, words), dict(os.environ)
    raise Unsupported(f"connection {transport!r} is not yet supported for the agent: expected ssh or local")


def _ssh(connection: Any, words: str) -> list[str]:
    if connection.get_option("password"):
        raise Unsupported("ssh with a password is not yet supported for the agent: use a key")
    connection.host = connection.get_option("host")
    built = connection._build_command(connection.get_option("ssh_executable"), "ssh", "-T", connection.host, words)
    argv = [part.decode() if isinstance(part, bytes) else str(part) for part in built]
    # The first value of an option wins in ssh, so ours come before the inventory's.
    return [argv[0], *SSH_OPTIONS, *argv[1:]]
