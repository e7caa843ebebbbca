# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A channel to a real command: what comes before the first reply, between replies, and how it ends."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils._build import build
from ansible_collections.zdm.rollout.plugins.plugin_utils._channel import (
    PREAMBLE_LINES,
    Channel,
    ChannelLost,
    Command,
    Refusal,
)

#: A contract fake of an agent: says hello, then acts as its program says. Like the agent it ends with its stdin.
AGENT = """
import json, os, sys
def asked():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)
def reply(request, **keys):
    print(json.dumps(dict({"id": request["id"], "ok": True}, **keys)), flush=True)
%s
reply(asked(), version=1)
%s
while True:
    reply(asked())
"""


def command(program: str = "", before: str = "") -> Command:
    return Command((sys.executable, "-c", AGENT % (before, program)), os.environ, {"type": "fake"})


def talk(how: Command, scene: Callable[[Channel], Awaitable[Any]], timeout: float = 10.0) -> Any:
    """What comes of a conversation over an open channel."""

    async def conversation() -> Any:
        channel = await Channel.open(how, timeout)
        try:
            return await scene(channel)
        finally:
            await channel.close()

    return asyncio.run(conversation())


async def read(channel: Channel) -> dict[str, Any]:
    return await channel.ask("read", 10.0)


def test_hello_brings_the_versions_and_the_router() -> None:
    before = "print(sys.stdin.readline(), file=sys.stderr); sys.exit(3)"
    with pytest.raises(ChannelLost) as error:
        talk(command(before=before), read)
    for part in ('"op":"hello"', '"versions":[1]', '"router":{"type":"fake"}'):
        assert part in str(error.value)


@pytest.mark.parametrize("noise", ["Welcome to lb1", "", "[1, 2]", "* motd {", "\\udcff"])
def test_what_a_login_says_before_the_first_reply_is_skipped(noise: str) -> None:
    before = "for dummy in range(%d): sys.stdout.buffer.write('%s\\n'.encode(errors='surrogateescape'))" % (
        PREAMBLE_LINES,
        noise,
    )
    assert talk(command(before=before + "; sys.stdout.buffer.flush()"), read)["ok"]


@pytest.mark.parametrize(
    ("before", "program"),
    [("print('Welcome\\n' * %d, end='', flush=True)" % (PREAMBLE_LINES + 1), ""), ("", "print('Welcome', flush=True)")],
    ids=["too much of it", "after the first reply"],
)
def test_noise_that_is_no_preamble_is_an_end_that_shows_it(before: str, program: str) -> None:
    with pytest.raises(ChannelLost, match=r"it said 'Welcome\\n' where a reply was expected"):
        talk(command(program, before), read)


ENDS = {
    "with a code": ("asked(); sys.exit(7)", ["the command ended with 7"]),
    "by a signal": ("asked(); os.kill(os.getpid(), 9)", ["the command ended with -9"]),
    "with a complaint": (
        "asked(); print('disk full', file=sys.stderr, flush=True); sys.exit(1)",
        ["the command ended with 1", "disk full"],
    ),
    "by closing its side": ("asked(); os.close(1); sys.stdin.read(); sys.exit(0)", ["the connection ended"]),
}


@pytest.mark.parametrize(("program", "how"), ENDS.values(), ids=ENDS)
def test_an_end_says_how(program: str, how: list[str]) -> None:
    with pytest.raises(ChannelLost) as error:
        talk(command(program), read)
    for part in how:
        assert part in str(error.value)


def test_everyone_who_waits_hears_of_the_end_and_who_asks_later_too() -> None:
    async def scene(channel: Channel) -> Any:
        return [
            *await asyncio.gather(read(channel), read(channel), return_exceptions=True),
            *await asyncio.gather(read(channel), return_exceptions=True),
        ]

    ends = talk(command("asked(); asked(); sys.exit(7)"), scene)
    assert {(type(end), str(end)) for end in ends} == {(ChannelLost, "the command ended with 7")}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("/nowhere/ssh", "lb1"), "/nowhere/ssh cannot be run: .*No such file"),
        (("/bin/sh", "-c", "echo Permission denied >&2; exit 255"), "the command ended with 255: Permission denied"),
        (("/bin/sh", "-c", "cat >/dev/null"), "no reply to hello within 0.3 s"),
    ],
    ids=["no command", "ssh that is refused", "nobody speaks"],
)
def test_a_channel_that_does_not_come_about_says_why(words: tuple[str, ...], why: str) -> None:
    with pytest.raises(ChannelLost, match=why):
        talk(Command(words, os.environ, {}), read, timeout=0.3 if "cat" in words[-1] else 10.0)


def test_a_question_without_an_answer_in_time_is_lost_and_the_next_is_not() -> None:
    async def scene(channel: Channel) -> Any:
        with pytest.raises(ChannelLost, match=r"no reply to renew within 0\.2 s"):
            await channel.ask("renew", 0.2, epoch=1)
        return await read(channel)

    # The late answer comes together with the next one's, and is nobody's.
    late = "first = asked(); second = asked(); reply(first, said='late'); reply(second, said='mine')"
    assert talk(command(late), scene)["said"] == "mine"


def test_answers_out_of_order_reach_those_who_asked() -> None:
    async def scene(channel: Channel) -> Any:
        return await asyncio.gather(*(channel.ask("probe", 10.0, number=number) for number in range(20)))

    program = "for request in reversed([asked() for dummy in range(20)]): reply(request, number=request['number'])"
    assert [reply["number"] for reply in talk(command(program), scene)] == list(range(20))


def test_a_no_has_its_code() -> None:
    with pytest.raises(Refusal, match="held by ann") as error:
        talk(command("reply(asked(), ok=False, error={'code': 'busy', 'text': 'held by ann'})"), read)
    assert error.value.code == "busy"


def test_a_command_is_told_of_the_end_and_never_killed(tmp_path: Path) -> None:
    """An agent on this machine brings traffic back after its stdin has ended."""
    done = tmp_path / "done"
    program = "asked_to_end = sys.stdin.read(); open(%r, 'w').write('reverted'); sys.exit(0)" % str(done)

    async def nothing(channel: Channel) -> None:
        return None

    talk(command(program), nothing)
    assert done.read_text() == "reverted"


def test_the_agent_itself_speaks(tmp_path: Path) -> None:
    path = tmp_path / "zdm-agent.pyz"
    path.write_bytes(build())
    router = {"type": "haproxy", "mode": "servers", "socket": str(tmp_path / "none")}
    words = (sys.executable, str(path), "--stdio")
    assert talk(Command(words, os.environ, router), lambda channel: channel.ask("status", 10.0))["records"] == []
    with pytest.raises(Refusal, match="type 'nginx' with mode 'None' is not one that zdm drives") as error:
        talk(Command(words, os.environ, {"type": "nginx"}), read)
    assert error.value.code == "router"
