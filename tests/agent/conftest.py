# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HAProxy with the agent installed beside it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Store
from tests.support.agent import Connection, Installed
from tests.support.haproxy import Site
from tests.support.wait import until

AT_25 = pytest.approx(25, abs=0.5)


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    with Site(servers={"blue": "weight 100", "green": "weight 0"}) as site:
        yield site


@pytest.fixture
def site(running: Site) -> Site:
    """All traffic at blue."""
    running.bring(0)
    assert running.share() == 0
    return running


@contextmanager
def without_stable(site: Site) -> Iterator[None]:
    """Blue is down, and is well again at the end."""
    site.members["blue-1"].kill()
    until(lambda: site.status("blue-1") == "DOWN", "HAProxy to see that blue is down")
    try:
        yield
    finally:
        site.members["blue-1"].start()
        until(lambda: site.status("blue-1") == "UP", "HAProxy to see that blue is up")


@pytest.fixture
def state(site: Site) -> Iterator[Path]:
    with TemporaryDirectory(dir=site.directory, ignore_cleanup_errors=True) as directory:
        found = Path(directory) / "state"
        yield found
        # A guard outlives its connections.
        guard = Store(str(found)).guard_alive()
        if guard:
            os.kill(guard.pid, signal.SIGKILL)
            until(lambda: not Store(str(found)).guard_alive(), "the guard to be gone")


@pytest.fixture
def installed(site: Site, state: Path) -> Installed:
    return Installed(state, site.definition, site.service)


@pytest.fixture
def armed(installed: Installed, site: Site) -> Iterator[Connection]:
    """A connection that holds the lease, with a quarter of the traffic at green."""
    with installed.connect() as connection:
        connection.acquire()
        connection.arm(25)
        assert site.share() == AT_25
        yield connection
