# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that last, through real proxies: they are counted, no switch ends them, and they are closed where that
can be done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _envoy_documents as documents
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Unsupported
from tests.support.driven import Driven
from tests.support.fleet import Fleet
from tests.support.lasting import Download, WebSocket
from tests.support.wait import until

ALL = ("haproxy", "haproxy-managed", "envoy")
CLOSING = ("haproxy", "haproxy-managed")


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Driven]:
    with Fleet(proxy=request.param) as running:
        yield Driven(running)


@pytest.mark.parametrize("site", ALL, indirect=True)
def test_what_lasts_is_counted_and_no_switch_ends_it(site: Driven) -> None:
    assert site.sessions("blue") == 0
    with WebSocket(site.url) as chat, Download(site.url) as file:
        assert (chat.release, file.release) == ("v1", "v1")
        until(lambda: site.sessions("blue") == 2, "both to be counted")
        site.bring(50)
        site.bring(100)
        assert chat.lives() and file.lives()
        assert (site.sessions("blue"), site.sessions("green")) == (2, 0)
    until(lambda: site.sessions("blue") == 0, "both to be gone")


@pytest.mark.parametrize("site", CLOSING, indirect=True)
def test_what_lasts_is_closed_at_one_pool_and_not_at_the_other(site: Driven) -> None:
    with WebSocket(site.url) as old:
        site.bring(100)
        with WebSocket(site.url) as new, Download(site.url) as file:
            assert (old.release, new.release) == ("v1", "v2")
            until(lambda: site.sessions("green") == 2, "those at green to be counted")
            site.bring(0)
            assert new.lives() and file.lives(), "a revert alone closes nothing"
            site.driver.close(site.service, "green")
            assert not new.lives()
            assert not file.lives()
            assert old.lives()
    until(lambda: site.sessions("green") == 0, "nothing to be left at green")


@pytest.mark.parametrize("site", ["nginx"], indirect=True)
def test_no_switch_ends_what_lasts_where_nobody_tells_of_it(site: Driven) -> None:
    with WebSocket(site.url) as chat, Download(site.url) as file:
        assert (chat.release, file.release) == ("v1", "v1")
        site.bring(100)
        assert chat.lives() and file.lives()
        assert site.sessions("blue") is None


SILENCE = 0.5


def longer_than_it_may_be_silent(monkeypatch: pytest.MonkeyPatch, patience: dict[str, Any]) -> tuple[bool, bool]:
    """Whether a silent WebSocket and a download still live when Envoy's patience is over three times."""
    monkeypatch.setattr(documents, "PATIENCE", patience)
    with Fleet(proxy="envoy") as fleet, WebSocket(fleet.url()) as chat, Download(fleet.url()) as file:
        began = time.monotonic()
        until(lambda: time.monotonic() - began > 3 * SILENCE or not file.lives(), "time to pass")
        lived = file.lives()
        fleet.members["blue"].behave(hang=True)
        with pytest.raises(HTTPError, match="504"):
            urlopen(fleet.url(), timeout=10 * SILENCE)
        return chat.lives(), lived


def test_an_answer_may_last_as_long_as_something_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    short = {**documents.PATIENCE, "retry_policy": {"per_try_idle_timeout": "%gs" % SILENCE}}
    assert longer_than_it_may_be_silent(monkeypatch, short) == (True, True)


def test_an_answer_would_be_cut_by_envoys_own_patience__control(monkeypatch: pytest.MonkeyPatch) -> None:
    assert longer_than_it_may_be_silent(monkeypatch, {"timeout": "%gs" % SILENCE}) == (True, False)


@pytest.mark.parametrize("site", ["envoy", "nginx"], indirect=True)
def test_a_proxy_that_cannot_close_says_so(site: Driven) -> None:
    assert not site.driver.read(site.service).closes
    with pytest.raises(Unsupported, match=r"has no order that ends .* pool green"):
        site.driver.close(site.service, "green")
