# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pump between real pipes: how lines travel, that the router is watched meanwhile, and how it ends."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import pump, session
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import ARMED, REVERTED
from ansible_collections.zdm.rollout.plugins.module_utils.agent.probe import Answer
from ansible_collections.zdm.rollout.plugins.module_utils.agent.protocol import LINE_LIMIT
from ansible_collections.zdm.rollout.plugins.module_utils.agent.session import Session
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import UP

from .agents import RUN, Agent, split

DEADLINE = 10.0
HELLO: dict[str, Any] = {"op": "hello", "versions": [1], "router": {"type": "fake"}}
MEMBER = {"name": "blue-1", "address": "127.0.0.1", "port": 9}
PROBE: dict[str, Any] = {"service": {}, "request": {"member": MEMBER, "path": "/", "timeout": 1}}


class Controller:
    """The other ends of a pump's pipes. Its requests are numbered from 1."""

    def __init__(self) -> None:
        self.source, self._requests = os.pipe()
        replies, self.sink = os.pipe()
        self._replies = os.fdopen(replies, "r")
        self._number = 0

    def line(self, op: str, **keys: Any) -> bytes:
        self._number += 1
        return json.dumps({"id": self._number, "op": op, **keys}).encode() + b"\n"

    def send(self, data: bytes) -> None:
        os.write(self._requests, data)

    def hear(self) -> dict[str, Any]:
        reply: dict[str, Any] = json.loads(self._replies.readline())
        return reply

    def ask(self, op: str, **keys: Any) -> dict[str, Any]:
        self.send(self.line(op, **keys))
        reply = self.hear()
        assert reply["ok"], reply
        return reply

    def arm(self) -> None:
        """Holds the lease, and has armed 25 %."""
        self.ask(**HELLO)
        self.ask("acquire", run="r1", **RUN)
        self.ask("arm", epoch=1, wanted=split(25))

    def turn_away(self) -> None:
        """It no longer reads the replies."""
        self._replies.close()

    def hang_up(self) -> None:
        os.close(self._requests)

    def close(self) -> None:
        self._replies.close()
        for end in (self.source, self.sink):
            os.close(end)


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """The pump takes these for itself."""
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE)
    before = [(number, signal.getsignal(number)) for number in numbers]
    yield
    for number, handler in before:
        signal.signal(number, handler)


def pumped(agent: Agent, talk: Callable[[Controller], Any], log: Callable[[str], Any] = lambda text: None) -> int:
    """The pump's exit code after a talk, whose thread it has to itself; the controller hangs up at its end."""
    controller = Controller()

    def talked() -> None:
        try:
            talk(controller)
        finally:
            controller.hang_up()

    with ThreadPoolExecutor(1) as other:
        talking = other.submit(talked)
        code = pump.Pump(Session(agent.store), controller.source, controller.sink, log).run()
        talking.result(DEADLINE)
    controller.close()
    return code


# --- lines


def test_replies_come_in_the_order_of_the_requests_however_they_are_cut(agent: Agent) -> None:
    def talk(controller: Controller) -> None:
        controller.send(b"".join(controller.line("status") for dummy in range(3)) + b"\n \n")
        assert [controller.hear()["id"] for dummy in range(3)] == [1, 2, 3]
        for byte in controller.line("status"):
            controller.send(bytes([byte]))
        assert controller.hear()["id"] == 4
        one, two = controller.line("status"), controller.line("status")
        controller.send(one + two[:9])
        assert controller.hear()["id"] == 5
        controller.send(two[9:])
        assert controller.hear()["id"] == 6

    assert pumped(agent, talk) == 0


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1", b"\xff\xfe", b'{"op": "fire"}', b"[" * 9999])
def test_a_line_that_is_no_request_is_refused_and_the_next_is_answered(agent: Agent, junk: bytes) -> None:
    def talk(controller: Controller) -> None:
        controller.send(junk + b"\n")
        assert controller.hear()["error"]["code"] == "bad_request"
        assert controller.ask("status")["id"] == 1

    assert pumped(agent, talk) == 0


def test_a_probe_that_takes_its_time_keeps_nobody_waiting(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = Event()

    def slow(*ignored: Any) -> Answer:
        assert answered.wait(DEADLINE)
        return Answer(200, "", "well", 0.0)

    monkeypatch.setattr(session, "probe", slow)

    def talk(controller: Controller) -> None:
        controller.send(controller.line("probe", **PROBE) + controller.line("status"))
        assert controller.hear()["id"] == 2
        answered.set()
        reply = controller.hear()
        assert (reply["id"], reply["body"]) == (1, "well")

    assert pumped(agent, talk) == 0


# --- the beat


def test_the_router_is_sampled_while_there_is_a_lease_and_not_before_and_after(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "SAMPLE_SECONDS", 0.0)
    enough = Event()

    def samples() -> int:
        return agent.driver.calls.count("counters")

    def during(name: str) -> None:
        if samples() > 3:
            enough.set()

    agent.driver.during = during

    def talk(controller: Controller) -> None:
        controller.ask(**HELLO)
        for dummy in range(5):
            controller.ask("status")
        assert samples() == 0
        controller.ask("acquire", run="r1", **RUN)
        assert enough.wait(DEADLINE)
        controller.ask("disarm", epoch=1)
        until_now = samples()
        for dummy in range(5):
            controller.ask("status")
        assert samples() == until_now

    assert pumped(agent, talk) == 0


# --- the end


def hang_up(controller: Controller) -> None:
    controller.arm()


def hang_up_within_a_line(controller: Controller) -> None:
    controller.arm()
    controller.send(controller.line("disarm", epoch=1)[:-1])


def never_end_a_line(controller: Controller) -> None:
    controller.arm()
    controller.send(b"x" * LINE_LIMIT)
    controller.send(b"x")


def turn_away(controller: Controller) -> None:
    controller.arm()
    controller.turn_away()
    controller.send(controller.line("status"))


def tell_to_end(controller: Controller) -> None:
    controller.arm()
    os.kill(os.getpid(), signal.SIGTERM)


ENDS = {
    "the controller hangs up": (hang_up, "the controller's connection ended"),
    "within a line": (hang_up_within_a_line, "the controller's connection ended"),
    "a line without an end": (never_end_a_line, "a line without an end"),
    "nobody reads": (turn_away, "nobody reads the replies: "),
    "a signal": (tell_to_end, "the agent was told to end (signal 15)"),
}


@pytest.mark.parametrize(("end", "why"), ENDS.values(), ids=ENDS)
def test_whatever_ends_it_what_is_on_loan_goes_back(agent: Agent, end: Callable[[Controller], None], why: str) -> None:
    said: list[str] = []
    assert pumped(agent, end, said.append) == 0
    assert agent.driver.share() == 0
    lease = agent.store.load("test", "web").lease
    assert (lease.state, lease.reason.startswith(why)) == (REVERTED, True)
    assert said == ["session ended: " + lease.reason]


def test_what_was_disarmed_stays__control(agent: Agent) -> None:
    def talk(controller: Controller) -> None:
        controller.arm()
        controller.ask("disarm", epoch=1)

    assert pumped(agent, talk) == 0
    assert agent.driver.share() == 25


def refuse(agent: Agent) -> None:
    agent.driver.broken = {"revert"}


def fall_ill(agent: Agent) -> None:
    agent.driver.ail("blue")


def recover(agent: Agent) -> None:
    agent.driver.broken = set()
    agent.driver.ail("blue", UP)


TROUBLES = {
    "the proxy refuses": (refuse, "revert: the proxy says no"),
    "stable is sick": (fall_ill, "blue would get 100 % of web, but none of its members is healthy"),
}
troubles = pytest.mark.parametrize(("trouble", "why"), TROUBLES.values(), ids=TROUBLES)


@troubles
def test_a_return_that_cannot_be_made_is_tried_until_it_can(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, trouble: Callable[[Agent], None], why: str
) -> None:
    monkeypatch.setattr(pump, "REVERT_AGAIN_SECONDS", 0.0)
    said: list[str] = []

    def log(text: str) -> None:
        said.append(text)
        if len(said) == 3:
            recover(agent)

    def talk(controller: Controller) -> None:
        controller.arm()
        trouble(agent)

    assert pumped(agent, talk, log) == 0
    assert agent.driver.share() == 0
    assert [text.startswith("REVERT NOT DONE, tried again: " + why) for text in said] == [True, True, True, False]


@troubles
def test_a_return_that_can_never_be_made_is_said_and_stays_owed(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, trouble: Callable[[Agent], None], why: str
) -> None:
    monkeypatch.setattr(pump, "REVERT_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(pump, "REVERT_SECONDS", 0.1)
    said: list[str] = []

    def talk(controller: Controller) -> None:
        controller.arm()
        trouble(agent)

    assert pumped(agent, talk, said.append) == 1
    assert len(said) > 1
    assert all(why in text for text in said)
    assert agent.store.load("test", "web").lease.state == ARMED
