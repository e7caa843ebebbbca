# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner's end is noticed however it comes, and nobody else is taken for the owner."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils import _owner
from ansible_collections.zdm.rollout.plugins.plugin_utils._owner import gone, start_time


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that nobody has waited for: once it ends it is a zombie."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.fixture(params=["by the kernel's word", "by looking"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to notice an end; the second is for kernels before 5.3."""
    if request.param == "by looking":

        def none(pid: int) -> int:
            raise OSError("no such call")

        monkeypatch.setattr(os, "pidfd_open", none)
        monkeypatch.setattr(_owner, "POLL_SECONDS", 0.01)


def began(process: subprocess.Popen[bytes]) -> str:
    started = start_time(process.pid)
    assert started is not None
    return started


def state(process: subprocess.Popen[bytes]) -> str:
    with open("/proc/%d/stat" % process.pid) as stream:
        return stream.read().rpartition(")")[2].split()[0]


async def noticed(pid: int, started: str, deadline: float = 10.0) -> None:
    await asyncio.wait_for(gone(pid, started), deadline)


@pytest.mark.usefixtures("way")
def test_a_killed_one_that_is_still_a_zombie_is_gone(child: subprocess.Popen[bytes]) -> None:
    started = began(child)

    async def scene() -> None:
        waiting = asyncio.create_task(noticed(child.pid, started))
        await asyncio.sleep(0)
        assert not waiting.done()
        child.send_signal(signal.SIGKILL)
        await waiting

    asyncio.run(scene())
    assert state(child) == "Z"
    assert start_time(child.pid) is None
    asyncio.run(noticed(child.pid, started))  # who asks only now hears the same


@pytest.mark.usefixtures("way")
def test_one_that_lives_is_waited_for__control(child: subprocess.Popen[bytes]) -> None:
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(noticed(child.pid, began(child), deadline=0.2))


@pytest.mark.usefixtures("way")
def test_another_process_with_its_number_is_not_the_owner(child: subprocess.Popen[bytes]) -> None:
    asyncio.run(noticed(child.pid, str(int(began(child)) - 1)))


@pytest.mark.usefixtures("way")
def test_a_number_that_nobody_has_is_gone(child: subprocess.Popen[bytes]) -> None:
    started = began(child)
    child.kill()
    child.wait()
    assert start_time(child.pid) is None
    asyncio.run(noticed(child.pid, started))


def test_a_name_with_a_bracket_does_not_move_the_fields() -> None:
    program = "import os, sys; open('/proc/self/comm', 'w').write(') Z 1 (2'); print('named', flush=True); input()"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"named\n"
        assert int(began(process)) >= int(start_time(os.getpid()) or 0)
        process.kill()
