# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets of real routers under real traffic."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fleet import Fleet
from tests.support.traffic import traffic


@pytest.fixture
def fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """One router, on this machine: HAProxy, unless a test says otherwise."""
    with Fleet(proxy=getattr(request, "param", "haproxy")) as running, traffic(running, 100):
        yield running


@pytest.fixture
def three(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Three routers, each reached by ssh: HAProxys, unless a test says otherwise."""
    with Fleet(routers=3, ssh=True, proxy=getattr(request, "param", "haproxy")) as running, traffic(running, 60):
        yield running
