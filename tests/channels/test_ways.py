# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to a router, handed over by the oldest and the newest ansible-core, and taken by a channel."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils._become import Become
from ansible_collections.zdm.rollout.plugins.plugin_utils._channel import Channel, ChannelLost, Command
from tests.support.accounts import ACCOUNTS, ASKED, ROOT, TYPED, need_accounts
from tests.support.programs import need
from tests.support.wait import until

from .guarding import OPEN_SECONDS, does_not_without_guard, outlives
from .handed import HandedOver
from .ways import ORDINARY, ROWS

#: The ways whose connection goes over another host.
OVER_JUMP = ("jump", "proxy_command")
PASSWORDS = {"sudo_password": ASKED, "su_password": ROOT, "typed": TYPED, "local_sudo_password": ASKED}


@pytest.fixture(params=ROWS)
def way(request: pytest.FixtureRequest) -> str:
    """Its name."""
    name: str = request.param
    if name not in ORDINARY:
        need_accounts()
    if name == "typed":
        need("sshpass")
    return name


def refused(command: Command) -> str:
    """Why a channel is not opened; it must not take as long as it may."""

    async def opened() -> None:
        await (await Channel.open(command, OPEN_SECONDS)).close()

    with pytest.raises(ChannelLost) as lost:
        asyncio.run(asyncio.wait_for(opened(), OPEN_SECONDS / 2))
    return str(lost.value)


def test_the_agent_answers_and_runs_as_who_it_must(handed: HandedOver, way: str) -> None:
    command = handed.command(way)
    before = handed.jump.served
    handed.ways.mark.unlink(missing_ok=True)

    async def scene() -> None:
        channel = await Channel.open(command, OPEN_SECONDS)
        try:
            assert channel.hello["guard"] == "session"
            # Here everybody but root starts as an ordinary user; without accounts nobody becomes anyone.
            assert set(handed.agents(way).values()) == {os.getuid()}
            assert bool(handed.jump.served - before) == (way in OVER_JUMP)
        finally:
            await channel.close()

    asyncio.run(scene())
    assert handed.ways.mark.exists() == (way == "proxy_command")
    until(lambda: not handed.agents(way), "the agent to end with its connection")


def test_the_guard_outlives_the_connection(handed: HandedOver, way: str) -> None:
    outlives(handed, way)


@pytest.mark.parametrize("way", ["key", "local"])
def test_control_without_the_guard_nobody_brings_traffic_back(handed: HandedOver, way: str) -> None:
    with pytest.raises(AssertionError, match="for anybody to bring traffic back"):
        does_not_without_guard(handed, way)


def test_the_channel_is_no_part_of_what_ansible_does(handed: HandedOver) -> None:
    """It neither makes nor shares a connection of Ansible's, and does not repeat how talkative that is."""
    argv = handed.requests["key"]["argv"]
    assert "-v" not in argv
    assert argv.index("-oControlPath=none") < argv.index("-T")
    assert argv.index("-oControlMaster=no") < argv.index("ControlMaster=auto"), "the first value of an option wins"


@pytest.mark.parametrize("way", PASSWORDS)
def test_a_password_goes_to_the_desk_and_nowhere_else(handed: HandedOver, way: str) -> None:
    need_accounts()
    request = handed.requests[way]
    assert request["become"]["password"] == PASSWORDS[way].password
    assert not any(account.password in word for account in ACCOUNTS if account.password for word in request["argv"])
    assert not any(account.password in handed.output for account in ACCOUNTS if account.password)


@pytest.mark.parametrize("way", PASSWORDS)
def test_a_password_that_became_wrong_is_said_at_once_and_tried_once(handed: HandedOver, way: str) -> None:
    need_accounts()
    command = handed.command(way)
    assert isinstance(command.become, Become)
    wrong = "no-longer-%s" % command.become.password
    said = refused(replace(command, become=replace(command.become, password=wrong)))
    method = command.become.method
    assert said.startswith("become method %s: " % method)
    assert {"sudo": "Sorry, try again.", "su": "Authentication failure"}[method] in said
    assert "(the password is wrong)" in said
    assert command.become.password not in said


def test_a_shared_connection_that_is_gone_is_not_asked_for(handed: HandedOver) -> None:
    """Only Ansible can type the password: ssh must say no at once instead of waiting for somebody who types."""
    need_accounts()
    command = handed.command("typed")
    gone = [word.replace("/cp/", "/gone-") if "ControlPath" in word else word for word in command.argv]
    assert gone != list(command.argv)
    assert "Permission denied" in refused(replace(command, argv=tuple(gone)))
