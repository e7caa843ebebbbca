# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a HAProxy that runs, found by a /proc that is written here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _haproxy_look as look
from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_process import configuration, sockets
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Unsupported


class Machine:
    """A directory like /proc, and one for files of configuration."""

    def __init__(self, directory: Path) -> None:
        self.proc, self.etc = directory / "proc", directory / "etc"
        self.proc.mkdir()
        self.etc.mkdir()
        (self.proc / "meminfo").touch()

    def runs(self, pid: int, *words: str) -> None:
        (self.proc / str(pid)).mkdir()
        (self.proc / str(pid) / "cmdline").write_text("\0".join([*words, ""]), encoding="utf-8")
        (self.proc / str(pid) / "cwd").symlink_to(self.etc)

    def file(self, name: str, text: str) -> str:
        path = self.etc / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def files(self, pid: int) -> list[str]:
        return [os.path.relpath(path, self.etc) for path in configuration(str(pid), str(self.proc))[0]]

    def why(self, pid: str) -> str:
        files, written, why = configuration(pid, str(self.proc))
        assert (files, written) == ((), None)
        return why


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_files_and_directories_are_found_in_their_order(machine: Machine) -> None:
    main = machine.file("haproxy.cfg", "global\n server-state-file /s\n")
    for name in ("b.cfg", "a.cfg", ".hidden.cfg", "a.cfg.bak"):
        machine.file("conf.d/" + name, "backend web\n retries %d\n" % len(name))
    machine.runs(
        7, "/usr/sbin/haproxy", "-sf", "5", "6", "-Ws", "-f", main, "-f", "conf.d", "-p", "/run/p", "--", "z.cfg"
    )
    machine.file("z.cfg", "backend web\n retries 9\n")
    assert machine.files(7) == ["haproxy.cfg", "conf.d/a.cfg", "conf.d/b.cfg", "z.cfg"]
    dummy, written, why = configuration("7", str(machine.proc))
    assert written is not None
    assert (written.state_file, written.proxies["web"].retries, why) == ("/s", 9, "")


def test_why_files_are_not_read(machine: Machine) -> None:
    machine.runs(7, "/usr/bin/python3", "-f", machine.file("secret", "backend web\n"))
    machine.runs(8, "haproxy", "-f", "gone.cfg")
    machine.runs(9, "haproxy", "-vv")
    assert "is not the HAProxy that answers" in machine.why("7")
    assert "gone.cfg: No such file" in machine.why("8")
    assert "names no file" in machine.why("9")
    assert "No such file" in machine.why("10")
    assert "does not say which process" in machine.why("")


@pytest.mark.parametrize(
    ("lines", "socket"),
    [
        (("/a/s level user", "unix@/b/s mode 660 level admin", "ipv4@127.0.0.1:9999 level admin"), "/b/s"),
        (("/var/lib/haproxy/stats",), "/var/lib/haproxy/stats"),
        ((), "/nonexistent/usual"),
    ],
)
def test_the_socket_that_is_there_is_found(
    machine: Machine, lines: tuple[str, ...], socket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "SOCKET", "/nonexistent/usual")
    text = "\n".join("stats socket " + line for line in lines)
    machine.runs(7, "haproxy", "-f", machine.file("haproxy.cfg", "global\n%s\n" % text))
    machine.runs(8, "bash")
    assert look._socket(str(machine.proc)) == socket


def test_of_two_haproxys_one_has_to_be_named(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "SOCKET", "/nonexistent/usual")
    for pid, name in ((7, "one"), (8, "two")):
        text = "global\n stats socket /run/%s level admin\n" % name
        machine.runs(pid, "haproxy", "-f", machine.file(name + ".cfg", text))
    assert sockets(str(machine.proc)) == {"/run/one": "admin", "/run/two": "admin"}
    with pytest.raises(Unsupported, match=r"several runtime sockets of HAProxy \(/run/one, /run/two\): name one"):
        look.look({}, str(machine.proc))
