# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole rollout with passwords, of sudo and of the login: they reach who asks, and show nowhere on the way."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.accounts import ASKED, TYPED, Account, need_accounts
from tests.support.fleet import Fleet
from tests.support.sshd import RunningSshd
from tests.support.traffic import traffic
from tests.support.wait import until

LOOK_SECONDS = 0.05


class Onlooker:
    """Somebody on the controller and the router who looks at all command lines and environments."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self.seen: set[str] = set()
        self.looks = 0

    def look(self) -> None:
        for directory in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                try:
                    content = (directory / name).read_bytes()
                except OSError:
                    continue
                if self._secret in content:
                    self.seen.add(content.decode(errors="replace"))
        self.looks += 1

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look all the time."""
        over = threading.Event()

        def go_on() -> None:
            while not over.wait(LOOK_SECONDS):
                self.look()

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@pytest.fixture
def host(fleet: Fleet) -> Iterator[RunningSshd]:
    """The host of the fleet's router: sudo asks for a password there."""
    running = RunningSshd(fleet.directory / "host", accounts=True)
    fleet.variables["lb1"].update({**running.variables, "ansible_become": True, "ansible_user": ASKED.name})
    yield running
    running.stop()


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """One router."""
    need_accounts()
    with Fleet() as running, traffic(running, 100):
        yield running


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("account", [ASKED, TYPED], ids=["of sudo", "of login and sudo"])
def test_a_password_is_seen_nowhere(fleet: Fleet, account: Account) -> None:
    password = fleet.directory / "password"
    password.write_text(account.password + "\n", encoding="utf-8")
    password.chmod(0o600)
    files = ["--become-password-file", str(password)]
    fleet.variables["lb1"]["ansible_user"] = account.name
    if account is TYPED:
        del fleet.variables["lb1"]["ansible_ssh_private_key_file"]
        files += ["--connection-password-file", str(password)]
    onlooker = Onlooker(account.password)
    with onlooker.looking():
        ended = fleet.play("rollout", "-vvvv", *files)
    assert ended.code == 0, ended.output[-4000:]
    assert fleet.outcome()["outcome"] == "promoted"

    assert onlooker.looks > 10
    assert not onlooker.seen
    assert account.password not in ended.output
    left = [path for path in fleet.directory.rglob("*") if path.is_file() and path != password]
    assert {path.name for path in left} >= {"journal.jsonl", "outcome.json", "watch.log", "web.json"}
    assert [str(path) for path in left if account.password.encode() in path.read_bytes()] == []


def test_control_an_onlooker_sees_a_password_on_a_command_line() -> None:
    secret = "a-secret-that-no-other-test-has"
    onlooker = Onlooker(secret)
    waits = [sys.executable, "-c", "input()", "--become-password", secret]
    with subprocess.Popen(waits, stdin=subprocess.PIPE) as process, onlooker.looking():
        until(lambda: onlooker.seen, "the onlooker to see it")
        process.communicate(b"\n")


@pytest.mark.usefixtures("host")
def test_a_rollout_with_the_wrong_password_moves_nothing(fleet: Fleet) -> None:
    fleet.variables["lb1"]["ansible_become_password"] = "not-%s" % ASKED.password
    ended = fleet.play("rollout")
    assert ended.code == 2
    assert fleet.outcome()["outcome"] == "refused"
    assert fleet.outcome()["reason"] == "no channel to lb1: AnsibleError: Incorrect sudo password"
    assert ASKED.password not in ended.output
    assert fleet.shares() == [0.0]
