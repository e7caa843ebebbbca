# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switches under load: nobody loses a request, and the share is the share. The order of the weights is what does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils import _split
from ansible_collections.zdm.rollout.plugins.module_utils.routers import haproxy
from demo.client import Client
from tests.support.haproxy import Site
from tests.support.load import no_request_is_lost, seen_more
from tests.support.relay import Relay
from tests.support.wait import until


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


def test_no_request_is_lost_in_300_switches(site: Site) -> None:
    no_request_is_lost(site.haproxy.url, site.members.values(), site.bring)
    assert site.share() == 0


def lower_first(
    before: Mapping[str, int], after: Mapping[str, int], pool_of: Mapping[str, str], stable: str
) -> list[tuple[str, int]]:
    """The order that invariant 1 forbids."""
    return list(reversed(_split_order(before, after, pool_of, stable)))


_split_order = _split.order


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_the_order_of_the_weights(site: Site, protected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raised before lowered, nobody notices; lowered before raised, for an instant there is nowhere to go."""
    if not protected:
        monkeypatch.setattr(_split, "order", lower_first)
    client = Client(site.haproxy.url, rate=None, connections=16).start()
    seen_more(client, 40)
    for number in range(100):
        site.bring(100.0 if number % 2 == 0 else 0.0)
        seen_more(client, 1)
    result = client.stop()
    assert (result.failed == 0) is protected, result.kinds


def one_by_one(commands: Sequence[str]) -> list[list[str]]:
    """A connection for each command, so that there is an instant between two of them."""
    return [[command] for command in commands]


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_no_instant_is_worse_than_before_and_after(protected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Canary's share at HAProxy, looked at between all commands of a rollout's steps and its way back."""
    monkeypatch.setattr(haproxy, "packed", one_by_one)
    if not protected:
        monkeypatch.setattr(_split, "order", lower_first)
    seen: list[float] = []
    kept = []
    with Site({"blue": 3, "green": 2}, servers={"blue": "weight 1", "green": "weight 0"}) as site:

        def look(line: str) -> str:
            if line.startswith("set "):
                seen.append(site.share())
            return line

        path = site.directory / "relay.sock"
        with Relay(path, site.haproxy.socket, look):
            driver = haproxy.HaproxyServers({**site.definition, "socket": str(path)})
            for green in (1.0, 5.0, 25.0, 50.0, 75.0, 100.0, 50.0, 0.0):
                seen.clear()
                before = site.share()
                driver.write(site.service, site.split(green))
                after = site.share()
                assert after == pytest.approx(green, abs=0.5), "its end is right in any order"
                assert len(seen) > 1, "there are instants between the commands"
                kept.append(all(0 <= share <= max(before, after) + 1e-9 for share in seen))
    assert all(kept) is protected


def test_five_percent_are_five_percent(site: Site) -> None:
    site.bring(5.0)
    client = Client(site.haproxy.url, rate=None, connections=24).start()
    until(lambda: len(client.records) >= 20_000, "20,000 answers", deadline=60)
    result = client.stop()
    assert result.failed == 0, result.kinds
    assert result.shares["v2"] == pytest.approx(5.0, abs=0.5)
    assert {name: member.count()["requests"] for name, member in site.members.items()} == {
        "blue-1": result.releases["v1"],
        "green-1": result.releases["v2"],
    }
