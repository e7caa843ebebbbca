# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switches under load: what every driver must do without a request being lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from demo.client import Client

from .members import RunningMember
from .wait import until

SWITCHES = 300
SHARES = (100.0, 0.0, 5.0, 95.0, 50.0, 0.0)


def seen_more(client: Client, requests: int) -> None:
    """Wait until the client has so many more answers."""
    before = len(client.records)
    until(lambda: len(client.records) >= before + requests, "%d more answers" % requests)


def no_request_is_lost(url: str, members: Iterable[RunningMember], bring: Callable[[float], None]) -> None:
    """Switch many times, with requests in flight at each switch and an answer seen after it; the last is to 0 %."""
    members = list(members)
    for member in members:
        member.behave(slow=0.03)  # so that at 400 requests a second a dozen are in flight at each switch
    client = Client(url, rate=400, connections=32).start()
    seen_more(client, 40)
    in_flight = 0
    for number in range(SWITCHES):
        in_flight += any(member.count()["in_flight"] for member in members) if number % 10 == 0 else 0
        bring(SHARES[number % len(SHARES)])
        seen_more(client, 1)
    result = client.stop()
    assert result.failed == 0, result.kinds
    assert in_flight > SWITCHES / 10 * 0.9, "there was nothing to lose at many of the switches"
    assert min(result.releases.values()) > SWITCHES / 10, "both releases have to answer: %s" % result.releases
    assert result.requests == sum(member.count()["requests"] for member in members)
