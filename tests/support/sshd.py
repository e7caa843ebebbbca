# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real sshd on 127.0.0.1 that lets the user of the tests in with a key: a host of its own for a router."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from .accounts import Accounts
from .network import Cable
from .ports import free_port
from .processes import Process
from .programs import need
from .wait import until

#: With SHLVL a shell that ssh starts does not think itself the first, and leaves what a person has in ~/.bashrc alone.
CONFIG = """\
Port {port}
ListenAddress {address}
MaxStartups 100
HostKey {directory}/host_key
AuthorizedKeysFile {keys}
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel ERROR
Subsystem sftp internal-sftp
SetEnv SHLVL=2
"""

#: Where there are accounts, one of them logs in with a password and nothing else.
BY_PASSWORD = """\
Match User zdm-typed
    PasswordAuthentication yes
    PubkeyAuthentication no
"""


class RunningSshd:
    """An sshd whose files are in ``directory``. Killed, it takes the connections that it serves with it.

    With ``accounts`` it lets all of them in, and it and all that is run over it sees only them.
    """

    def __init__(self, directory: Path, accounts: bool = False, cable: Cable | None = None) -> None:
        self._program = need("sshd")
        directory.mkdir(parents=True)
        self.directory = directory
        self.port = free_port()
        self.address = cable.address if cable else "127.0.0.1"
        for name in ("host_key", "key"):
            command = [need("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)]
            subprocess.run(command, check=True)
        self.known_hosts = directory / "known_hosts"
        key = (directory / "host_key.pub").read_text(encoding="utf-8")
        self.known_hosts.write_text("[%s]:%d %s" % (self.address, self.port, key), encoding="utf-8")
        if os.getuid() == 0 and not accounts:
            # The package's service would make it.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        config = directory / "sshd_config"
        keys = "%h.pub" if accounts else directory / "key.pub"
        content = CONFIG.format(address=self.address, port=self.port, directory=directory, keys=keys) + (
            BY_PASSWORD if accounts else ""
        )
        config.write_text(content, encoding="utf-8")
        command = [*(cable.words if cable else ()), self._program, "-D", "-e", "-f", str(config)]
        if accounts:
            command = Accounts(directory).inside(directory / "key.pub", *command)
        self._process = Process(command, directory / "sshd.log")
        until(self._listens, "sshd to listen, see %s" % (directory / "sshd.log"))

    @property
    def variables(self) -> dict[str, object]:
        """What the inventory says of this host."""
        return {
            "ansible_connection": "ssh",
            "ansible_host": self.address,
            "ansible_port": self.port,
            "ansible_user": getpass.getuser(),
            "ansible_ssh_private_key_file": str(self.directory / "key"),
            "ansible_ssh_common_args": "-F none -o UserKnownHostsFile=%s" % self.known_hosts,
        }

    @property
    def served(self) -> set[int]:
        """The processes of the connections that there are now."""
        return _descendants(self._process.pid)

    def inside(self, *words: str) -> list[str]:
        """A command, run on the host that this sshd is: with its accounts, if it has any."""
        return [need("nsenter"), "--mount=/proc/%d/ns/mnt" % self._process.pid, "--wd=%s" % os.getcwd(), *words]

    def cut(self) -> None:
        """End every connection that it serves now, and itself."""
        if self._process.ended is not None:
            return
        served = sorted(self.served, reverse=True)
        self._process.kill()
        for pid in served:
            _kill(pid)

    def stop(self) -> None:
        self.cut()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.address, self.port)) == 0


def _descendants(pid: int) -> set[int]:
    """The processes under ``pid`` that sshd started for its connections: only those named sshd."""
    found: set[int] = set()
    for child in Path("/proc/%d/task/%d/children" % (pid, pid)).read_text(encoding="ascii").split():
        try:
            name = Path("/proc/%s/comm" % child).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if name.startswith("sshd"):
            found |= {int(child)} | _descendants(int(child))
    return found


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
