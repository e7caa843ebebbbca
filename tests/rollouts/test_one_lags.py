# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two routers, of which one does not follow at the last moment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fleet import Fleet
from tests.support.traffic import traffic


@pytest.fixture
def two() -> Iterator[Fleet]:
    with Fleet(routers=2) as running, traffic(running, 60):
        yield running


def test_a_lease_that_cannot_be_ended_takes_the_released_router_back_too(two: Fleet) -> None:
    """At 100 % lb1 gives its lease back; lb2 will not. lb1, which nobody holds any more, goes back as well."""
    disarms = "        return self._apply(leases.Disarm(epoch)).traffic\n"
    refuses = '        if "/lb2/" in self._means.store.directory:\n            raise RecordError("the disk is full")\n'
    two.alter("module_utils/agent/tenure.py", disarms, refuses + disarms)
    ended = two.play("rollout")
    assert ended.code == 2
    assert "lb2 could not be left at 100 %: the disk is full" in " ".join(ended.output.split())
    assert two.shares() == [0.0, 0.0]
    outcome = two.outcome()
    assert (outcome["outcome"], outcome["unconfirmed"]) == ("rolled_back", [])


def test_a_plan_names_the_router_that_it_cannot_read(two: Fleet) -> None:
    two.routers[1].haproxy.kill()
    ended = two.play("plan")
    assert ended.code == 2
    output = " ".join(ended.output.split())
    assert "lb2: " in output and str(two.routers[1].haproxy.socket) in output, ended.output
