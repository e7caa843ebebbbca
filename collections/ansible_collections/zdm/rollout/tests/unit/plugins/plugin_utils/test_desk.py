# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The desk: a real socket, visitors in threads of their own as the play's tasks are."""

from __future__ import annotations

import asyncio
import socket
import stat
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils import _desk
from ansible_collections.zdm.rollout.plugins.plugin_utils._desk import Declined, Desk, visit


@pytest.fixture
def path() -> Iterator[str]:
    """A short one: paths of sockets are limited to 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="zdm-") as directory:
        yield directory + "/desk"


def visitor(path: str, **request: Any) -> asyncio.Task[list[dict[str, Any]]]:
    """All messages to one who asks."""
    return asyncio.create_task(asyncio.to_thread(lambda: list(visit(path, request, 10.0))))


def at_desk(
    path: str,
    serve: Callable[[Mapping[str, Any]], Awaitable[Any]],
    scene: Callable[[Desk], Awaitable[Any]],
) -> Any:
    """What comes of a scene at an open desk."""

    async def played() -> Any:
        desk = Desk(serve)
        await desk.open(path)
        try:
            return await asyncio.wait_for(scene(desk), 10)
        finally:
            await desk.close()

    return asyncio.run(played())


async def echo(request: Mapping[str, Any]) -> Any:
    return {"asked": dict(request)}


async def refuse(request: Mapping[str, Any]) -> Any:
    raise Declined("not now: run it again")


def test_a_request_gets_its_result(path: str) -> None:
    long = "x" * 200000
    messages = at_desk(path, echo, lambda desk: visitor(path, op="step", text=long))
    assert messages == [{"done": {"asked": {"op": "step", "text": long}}}]


def test_a_no_says_why(path: str) -> None:
    assert at_desk(path, refuse, lambda desk: visitor(path)) == [{"refused": {"text": "not now: run it again"}}]


def test_who_waits_hears_what_is_said_meanwhile_and_nobody_else_does(path: str) -> None:
    arrived: dict[str, asyncio.Event] = {}
    go: dict[str, asyncio.Event] = {}

    async def serve(request: Mapping[str, Any]) -> Any:
        arrived[request["who"]].set()
        await go[request["who"]].wait()
        return request["who"]

    async def scene(desk: Desk) -> Any:
        for who in ("ann", "bob"):
            arrived[who], go[who] = asyncio.Event(), asyncio.Event()
        desk.say("nobody is there")
        ann = visitor(path, who="ann")
        await arrived["ann"].wait()
        desk.say("one")
        bob = visitor(path, who="bob")
        await arrived["bob"].wait()
        desk.say("two")
        go["bob"].set()  # the later one is answered first
        heard = await bob
        desk.say("three")
        go["ann"].set()
        return await ann, heard

    ann, bob = at_desk(path, serve, scene)
    assert ann == [{"say": "one"}, {"say": "two"}, {"say": "three"}, {"done": "ann"}]
    assert bob == [{"say": "two"}, {"done": "bob"}]


def test_garbage_is_hung_up_on_and_the_next_one_is_served(path: str) -> None:
    async def scene(desk: Desk) -> Any:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET / HTTP/1.1\n")
        assert await reader.read() == b""
        writer.close()
        return await visitor(path, op="step")

    assert at_desk(path, echo, scene) == [{"done": {"asked": {"op": "step"}}}]


def test_a_visitor_that_leaves_disturbs_nobody(path: str) -> None:
    left = asyncio.Event()

    async def serve(request: Mapping[str, Any]) -> Any:
        if request.get("op") == "leave":
            await left.wait()
        return "done"

    async def scene(desk: Desk) -> Any:
        dummy, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"op": "leave"}\n')
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        desk.say("are you there")
        left.set()
        return await visitor(path)

    assert at_desk(path, serve, scene) == [{"done": "done"}]


def test_a_sign_of_life_keeps_a_patient_one_waiting(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its patience is shorter than the work, and longer than the time between two signs."""
    monkeypatch.setattr(_desk, "ALIVE_SECONDS", 0.02)

    async def slow(request: Mapping[str, Any]) -> Any:
        await asyncio.sleep(1.0)
        return "done"

    def patient() -> list[dict[str, Any]]:
        return list(visit(path, {}, 0.5))

    assert at_desk(path, slow, lambda desk: asyncio.to_thread(patient)) == [{"done": "done"}]


def test_a_watch_that_gives_no_sign_of_life_is_not_waited_for__control(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(path)
        silent.listen()
        with pytest.raises(TimeoutError):
            list(visit(path, {}, 0.1))


def test_a_watch_that_is_gone_is_an_error_at_once(path: str) -> None:
    with pytest.raises(FileNotFoundError):
        list(visit(path, {}))
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(path)
        assert stat.S_ISSOCK(Path(path).stat().st_mode)
        with pytest.raises(ConnectionRefusedError):
            list(visit(path, {}))


def test_a_watch_that_dies_meanwhile_ends_the_messages(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as dying:
        dying.bind(path)
        dying.listen()

        async def scene() -> Any:
            messages = visitor(path)
            connection, dummy = await asyncio.to_thread(dying.accept)
            connection.recv(100)
            connection.sendall(b'{"say": "one"}\n')
            connection.close()
            return await messages

        assert asyncio.run(scene()) == [{"say": "one"}]
