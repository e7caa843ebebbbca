# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to the guard over real sockets: lines, peers that are slow, and who may come."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import connection as room
from ansible_collections.zdm.rollout.plugins.module_utils.agent import guard, probe
from ansible_collections.zdm.rollout.plugins.module_utils.agent.connection import Connection, Gone, address, is_ours
from ansible_collections.zdm.rollout.plugins.module_utils.agent.kinds import SOCKET
from ansible_collections.zdm.rollout.plugins.module_utils.agent.probe import Answer
from ansible_collections.zdm.rollout.plugins.module_utils.agent.protocol import LINE_LIMIT
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Store

from .agents import Agent
from .guards import DEADLINE, PROBE, Client, Turned, guarded, until

pytestmark = pytest.mark.usefixtures("clock")


# --- lines


def test_who_comes_is_greeted_and_answered_in_order_however_the_lines_are_cut(agent: Agent) -> None:
    def talk() -> None:
        client = Client(agent)
        assert client.greeting == b"\n"
        client.send(b"".join(client.line("status") for dummy in range(3)) + b"\n \n")
        assert [client.hear()["id"] for dummy in range(3)] == [1, 2, 3]
        for byte in client.line("status"):
            client.send(bytes([byte]))
        assert client.hear()["id"] == 4
        one, two = client.line("status"), client.line("status")
        client.send(one + two[:9])
        assert client.hear()["id"] == 5
        client.send(two[9:])
        assert client.hear()["id"] == 6
        client.close()

    assert guarded(agent, talk) == 0


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1", b"\xff\xfe", b'{"op": "fire"}', b"[" * 9999])
def test_a_line_that_is_no_request_is_refused_and_the_next_is_answered(agent: Agent, junk: bytes) -> None:
    def talk() -> None:
        client = Client(agent)
        client.send(junk + b"\n")
        assert client.hear()["error"]["code"] == "bad_request"
        assert client.ask("status")["id"] == 1
        client.close()

    assert guarded(agent, talk) == 0


# --- peers that are slow, or never stop


def test_a_line_without_an_end_is_cut_off_and_hurts_nobody_else(agent: Agent) -> None:
    def talk() -> None:
        owner, endless = Client(agent), Client(agent)
        owner.arm()
        endless.send(b"x" * LINE_LIMIT)
        assert owner.renew()["state"] == "armed"
        endless.send(b"x")
        assert endless.is_cut_off()
        assert (owner.renew()["state"], agent.driver.share()) == ("armed", 25)
        owner.ask("disarm", epoch=1)
        for client in (owner, endless):
            client.close()

    assert guarded(agent, talk) == 0


def test_one_that_does_not_read_is_cut_off_at_the_limit_and_hurts_nobody_else(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "UNREAD_LIMIT", 100_000)

    def talk() -> None:
        owner, deaf = Client(agent), Client(agent)
        owner.arm()
        deaf.send(b'{"op": "status"}\n' * 3000)  # some 2 MB of replies
        until(lambda: owner.renew()["state"] == "armed" and cut(deaf), "the deaf one to be cut off")
        assert agent.driver.share() == 25
        owner.ask("disarm", epoch=1)
        for client in (owner, deaf):
            client.close()

    assert guarded(agent, talk) == 0


def cut(client: Client) -> bool:
    """Whether nobody is at the other end any more; nothing is read."""
    try:
        client.socket.send(b"\n")
    except OSError:
        return True
    return False


@pytest.mark.parametrize("patient", [True, False], ids=["patient", "reads on: the control"])
def test_one_that_reads_slowly_is_asked_for_no_more_meanwhile_and_gets_all(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, patient: bool
) -> None:
    """What comes of one read is less than half of the limit, and more than the socket takes at once."""
    monkeypatch.setattr(room, "READ_BYTES", 4096)
    monkeypatch.setattr(room, "UNREAD_LIMIT", 700_000)
    if not patient:
        monkeypatch.setattr(Connection, "takes_more", True)
    requests = 6000
    came = []

    def talk() -> None:
        owner, slow = Client(agent), Client(agent)
        owner.arm()
        slow.send(b'{"op": "status"}\n' * requests)  # some 4 MB of replies
        owner.renew()
        whole = b""
        try:
            while whole.count(b"\n") < requests and (part := slow.socket.recv(50_000)):
                whole += part
                owner.renew()
        except ConnectionError:
            pass
        came.append(whole.count(b"\n"))
        owner.ask("disarm", epoch=1)
        for client in (owner, slow):
            client.close()

    assert guarded(agent, talk) == 0
    assert (came == [requests]) == patient


def test_one_that_is_gone_while_it_is_answered_is_gone_and_no_more(agent: Agent) -> None:
    def talk() -> None:
        owner, hasty = Client(agent), Client(agent)
        owner.arm()
        hasty.send(b'{"op": "status"}\n' * 100)
        hasty.close()
        assert owner.renew()["state"] == "armed"
        owner.ask("disarm", epoch=1)
        owner.close()

    assert guarded(agent, talk) == 0


def test_a_broken_line_is_gone() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    connection = Connection(ours)
    assert connection.receive() == []
    connection.send("hello\n")
    assert connection.unread
    theirs.close()
    with pytest.raises(Gone, match="it broke"):
        connection.flush()
    with pytest.raises(Gone, match="the other side ended it"):
        connection.receive()
    ours.close()
    with pytest.raises(Gone, match="it broke"):
        connection.receive()


# --- probes


class Slow:
    """A member that answers when it may."""

    def __init__(self) -> None:
        self.may = Event()

    def __call__(self, *ignored: Any) -> Answer:
        assert self.may.wait(DEADLINE)
        return Answer(200, "", "well", 0.0)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    member = Slow()
    monkeypatch.setattr(probe, "probe", member)
    return member


def test_a_probe_that_takes_its_time_keeps_nobody_waiting(agent: Agent, slow: Slow) -> None:
    def talk() -> None:
        client = Client(agent)
        client.send(client.line("probe", **PROBE) + client.line("status"))
        assert client.hear()["id"] == 2
        slow.may.set()
        reply = client.hear()
        assert (reply["id"], reply["body"]) == (1, "well")
        client.close()

    assert guarded(agent, talk) == 0


def test_so_many_probes_are_under_way_and_no_more(agent: Agent, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MOST_PROBES", 2)

    def talk() -> None:
        client = Client(agent)
        client.send(b"".join(client.line("probe", **PROBE) for dummy in range(3)))
        refused = client.hear()
        assert (refused["id"], refused["error"]["code"]) == (3, "router")
        assert refused["error"]["text"] == "2 probes are under way: ask later"
        slow.may.set()
        assert {client.hear()["id"], client.hear()["id"]} == {1, 2}
        assert client.ask("probe", **PROBE)["body"] == "well", "there is room again"
        client.close()

    assert guarded(agent, talk) == 0


def test_the_answer_to_one_who_has_left_is_nobodys(agent: Agent, slow: Slow) -> None:
    def talk() -> None:
        hasty, other = Client(agent), Client(agent)
        hasty.send(hasty.line("probe", **PROBE))
        hasty.close()
        other.ask("status")
        slow.may.set()
        assert other.ask("probe", **PROBE)["body"] == "well"
        other.close()

    assert guarded(agent, talk) == 0


# --- who may come


def credentials(user: int) -> socket.socket:
    """The end of a socket whose other end another user has, as the kernel would say it."""

    class Peer:
        def getsockopt(self, level: int, option: int, size: int) -> bytes:
            assert (level, option) == (socket.SOL_SOCKET, socket.SO_PEERCRED)
            return struct.pack("3i", 77, user, 0)

    return cast(socket.socket, Peer())


def test_the_guards_own_user_and_root_may_come_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert [is_ours(credentials(user)) for user in (1000, 0, 1001, 65534)] == [True, True, False, False]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    monkeypatch.setattr(os, "geteuid", os.getuid)
    with ours, theirs:
        assert is_ours(ours)


def test_another_user_is_sent_away_without_a_word(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = [True, False, True]
    monkeypatch.setattr(guard, "is_ours", lambda peer: ours.pop(0))

    def talk() -> None:
        owner = Client(agent)
        owner.arm()
        other = Client(agent)
        assert other.greeting == b""
        assert "a connection of another user was refused" in agent.said
        assert Client(agent).greeting == b"\n"
        assert owner.renew()["state"] == "armed"

    assert guarded(agent, talk) == 0


def test_so_many_connections_and_no_more(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MOST_CONNECTIONS", 2)

    def talk() -> None:
        owner, other = Client(agent), Client(agent)
        owner.arm()
        assert Client(agent).greeting == b""
        assert "a connection was refused: there are 2" in agent.said
        other.close()
        until(lambda: Client(agent).greeting == b"\n", "room for another one")
        assert owner.renew()["state"] == "armed"

    assert guarded(agent, talk) == 0


def test_the_socket_is_its_owners_alone(agent: Agent, clock: Turned) -> None:
    modes = []

    def talk() -> None:
        Client(agent).close()
        modes.append((Path(agent.store.directory) / SOCKET).stat().st_mode & 0o777)

    before = os.umask(0)
    try:
        assert guarded(agent, talk) == 0
        assert os.umask(0) == 0, "the umask is as it was"
    finally:
        os.umask(before)
    assert modes == [0o600]


@pytest.mark.parametrize("length", [107, 108, 300])
def test_a_path_that_is_too_long_for_the_kernel_goes_all_the_same(agent: Agent, tmp_path: Path, length: int) -> None:
    directory = str(tmp_path / "s")
    fill = length - len(directory) - len("/agent.sock")
    if fill < 0:
        pytest.skip("the temporary directory's own path is longer")
    agent.store = Store(directory + "x" * fill)

    def talk() -> None:
        client = Client(agent)
        assert len(client.socket.getpeername()) <= 108
        assert client.ask("status")["records"] == []
        client.close()

    assert guarded(agent, talk) == 0
    with address(agent.store.directory, SOCKET) as path:
        assert (path == agent.store.directory + "/agent.sock") == (length <= 107)
    handles = [os.path.realpath("/proc/self/fd/%s" % handle) for handle in os.listdir("/proc/self/fd")]
    assert agent.store.directory not in handles, "none of the directory is left open"
