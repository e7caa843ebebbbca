# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that starts an agent over a host's own Ansible connection, for somebody who is not Ansible.

Everything that reads a connection's inside is in this file, and tests/channels runs it on the oldest and the newest
ansible-core. Known are the local connection and ssh. The watch opens an ssh connection of its own: nothing that
Ansible does can end it, and it can be made anew. Where a password would have to be typed the watch cannot do that;
there it takes a session of the connection that Ansible keeps alive (ControlPersist), and holds it open with that.
"""

from __future__ import annotations

import copy
import gettext
import os
import re
import subprocess
from typing import Any

from ._become import Become

#: The watch's own connection: never shared, never asking, and ended within seconds when the network is gone.
OWN = (
    "-oControlMaster=no",
    "-oControlPath=none",
    "-oBatchMode=yes",
    "-oServerAliveInterval=2",
    "-oServerAliveCountMax=3",
)
#: A session of Ansible's connection: should that be gone, ssh must not ask for what nobody can type.
SHARED = ("-oControlMaster=no", "-oBatchMode=yes")
CHECK_SECONDS = 10.0


class Unsupported(Exception):
    """No channel can be made over this connection; the text says which and why, and the way out."""


def refuse(connection: Any) -> None:
    """Unsupported when no channel can be made over a connection of this kind. Reaches for nothing."""
    if connection.transport not in ("local", "ssh"):
        raise Unsupported(
            f"connection {connection.transport!r} is not supported for the agent: "
            "expected ssh or local; set ansible_connection for this router"
        )
    if connection.become is not None and connection.become.require_tty:
        raise Unsupported(
            f"become method {connection.become.name} needs a terminal, and the agent has none: "
            "use sudo or su (ansible_become_method)"
        )


def way_aside(connection: Any, shell: Any, words: str) -> dict[str, Any]:
    """The way, for a connection that goes on to be used: its become plugin does not remember what was built."""
    become = connection.become
    connection.become = copy.copy(become)
    try:
        return way(connection, shell, words)
    finally:
        connection.become = become


def way(connection: Any, shell: Any, words: str) -> dict[str, Any]:
    """How to run the shell command ``words`` on the connection's host: argv, env, become (or None). JSON types.

    The become password is in it: it is for the watch's desk and for nothing else.
    """
    refuse(connection)
    become = None
    if connection.become is not None:
        words = connection.become.build_become_command(words, shell)
        become = _marks(connection).to_json()
    argv = ["/bin/sh", "-c", words] if connection.transport == "local" else _ssh(connection, words)
    return {"argv": argv, "env": dict(os.environ), "become": become}


def _ssh(connection: Any, words: str) -> list[str]:
    connection.host = connection.get_option("host")
    # The first value of an option wins in ssh, so ours come before the inventory's.
    if not _types(connection):
        return _command(connection, OWN, "-T", connection.host, words)
    check = _command(connection, SHARED, "-O", "check", connection.host)
    try:
        checked = subprocess.run(
            check, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=CHECK_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unsupported(f"{check[0]} cannot be asked for a living connection: {error}") from None
    if checked.returncode:
        said = " ".join(checked.stderr.split()) or f"ssh -O check ended with {checked.returncode}"
        raise Unsupported(
            f"this host asks for a password, and Ansible keeps no connection to it that could be shared ({said}): "
            "use a key, or leave ControlPersist on in ssh_args (ansible.cfg, ansible_ssh_args), as it is by default"
        )
    return _command(connection, SHARED, "-T", connection.host, words)


def logs_in_alone(connection: Any) -> bool:
    """Whether a channel needs nothing that only Ansible's own connection has, and no password, which may be wrong."""
    become = connection.become
    asked = become is not None and become.get_option("become_pass", playcontext=connection._play_context)
    return not asked and (connection.transport == "local" or not _types(connection))


def _types(connection: Any) -> bool:
    """Whether Ansible logs in with something that only it can give: a password, a PIN, a key that is in no file."""
    secrets = (
        connection.get_option("password"),
        connection._play_context.password,
        "private_key" in connection.get_options() and connection.get_option("private_key"),
    )
    return any(secrets)


def _command(connection: Any, options: tuple[str, ...], *rest: str) -> list[str]:
    executable = connection.get_option("ssh_executable")
    built = connection._build_command(executable, "ssh", *rest)
    argv = [part.decode() if isinstance(part, bytes) else str(part) for part in built]
    # Before it there may be sshpass, after it Ansible's own -vvv.
    after = argv[argv.index(executable) + 1 :]
    own = after[: len(after) - len(rest)]
    return [executable, *options, *(word for word in own if not re.fullmatch(r"-v+", word)), *rest]


def _marks(connection: Any) -> Become:
    """What the become plugin expects to hear, as data; each mark is put before the plugin's own check first."""
    become = connection.become
    if not become.check_success(f"{become.success}\n".encode()):
        raise Unsupported(f"become method {become.name} does not say when it has succeeded: use sudo or su")
    password = become.get_option("become_pass", playcontext=connection._play_context)
    return Become(
        method=str(become.name),
        success=str(become.success),
        prompt=_prompt(become) if password else "",
        incorrect=_texts(become, become.fail),
        missing=_texts(become, become.missing),
        password=str(password or ""),
    )


def _prompt(become: Any) -> str:
    if isinstance(become.prompt, str) and become.prompt:
        samples, pattern = [become.prompt], re.escape(become.prompt.strip())
    else:
        samples = [f"{word}: " for word in _words(become)]
        # As su asks, in the router's language; some of them write a wide colon.
        pattern = "(?:%s) ?[:：]" % "|".join(re.escape(word) for word in _words(become))
    if not samples or not all(become.check_password_prompt(sample.encode()) for sample in samples):
        raise Unsupported(
            f"become method {become.name} asks for its password in words that cannot be known beforehand: "
            "use sudo or su, or let it ask nothing"
        )
    return pattern


def _words(become: Any) -> list[str]:
    """The words for "Password" of a method that has no prompt of its own."""
    words: list[Any] = list(getattr(become, "SU_PROMPT_LOCALIZATIONS", ()))
    if "prompt_l10n" in become.get_options():
        words = become.get_option("prompt_l10n") or words
    return [str(word) for word in words]


def _texts(become: Any, texts: tuple[str, ...]) -> tuple[str, ...]:
    """The plugin's texts, also as this machine's language has them: that is what the plugin itself looks for."""
    both = [*texts, *(gettext.dgettext(become.name, text) for text in texts)]
    return tuple(str(text) for text in dict.fromkeys(both))
