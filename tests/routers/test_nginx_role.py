# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `router` with an nginx whose configuration is zdm's own: set up, used, run again, and left."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nginx_managed import ManagedNginx, Site
from tests.support.ports import free_port
from tests.support.programs import need
from tests.support.role import Role
from tests.support.wait import until


class Play(Role):
    """Runs the role on the host `edge`, this machine."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.directory, sys.executable)
        self.site = site
        # Its directory is not there yet.
        self.nginx = ManagedNginx(site.directory / "role" / "etc")
        self.service = site.services["web"]
        options = self.nginx.definition["services"]["web"]
        self.variables.update(
            router_nginx_binary=need("nginx"),
            zdm_router={**self.nginx.definition, "state": str(site.directory / "state")},
            router_services={"web": {"definition": {**self.service.to_json(), "options": options}, "initial": "green"}},
        )

    def applied(self, *arguments: str) -> int:
        """Run it; how much it has changed."""
        recap, output = self.run(*arguments)
        assert recap["failed"] == 0, output
        return recap["changed"]

    def pid(self) -> int:
        return int((self.nginx.directory / "nginx.pid").read_text())

    def split(self, green: int) -> None:
        """As a person orders it, by the module."""
        asked = {
            "router": self.variables["zdm_router"],
            "service": self.variables["router_services"]["web"]["definition"],
            "split": {"blue": 100 - green, "green": green},
        }
        finished = self.ask("zdm.rollout.traffic", json.dumps(asked))
        assert finished.returncode == 0, finished.stdout


@pytest.fixture
def play() -> Iterator[Play]:
    with Site() as site:
        site.nginx.stop()
        running = Play(site)
        try:
            yield running
        finally:
            if (running.nginx.directory / "nginx.pid").exists():
                running.run("-e", "router_state=stopped")


def test_from_nothing_to_a_running_nginx_and_back(play: Play) -> None:
    assert play.applied("--check", "--diff") > 0
    assert not play.nginx.directory.exists()
    assert not (play.directory / "state").exists()

    play.applied()
    assert play.nginx.share() == 100
    before = play.nginx.files(), play.pid(), play.nginx.workers()
    assert play.applied() == 0
    assert (play.nginx.files(), play.pid(), play.nginx.workers()) == before

    play.split(25)
    assert play.nginx.share() == 25
    before = play.nginx.files(), play.pid(), play.nginx.workers()
    assert play.applied() == 0, "a split that is there is kept"
    assert (play.nginx.files(), play.pid(), play.nginx.workers()) == before

    assert play.applied("-e", "router_state=detached", "--check") > 0
    assert play.nginx.share() == 25
    assert play.applied("-e", "router_state=detached") > 0
    assert not (play.nginx.directory / "split" / "web").exists()
    assert play.applied("-e", "router_state=detached") == 0
    releases = [play_release(play) for _ in range(200)]
    assert 20 < releases.count("v2") < 90, "a quarter, give or take five times what chance does"

    assert play.applied() > 0
    assert play.nginx.share() == 25
    pid = play.pid()
    assert play.applied("-e", "router_state=stopped") > 0
    until(lambda: not Path("/proc/%d" % pid).exists(), "nginx to be gone")
    assert not (play.nginx.directory / "nginx.pid").exists()


def play_release(play: Play) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", play.nginx.ports["web"], timeout=5)
    connection.request("GET", "/")
    answer = connection.getresponse()
    connection.close()
    return answer.headers["x-release"]


def test_another_address_needs_a_reload_and_no_restart(play: Play) -> None:
    play.applied()
    pid = play.pid()
    play.nginx.ports["web"] = free_port()
    options = play.nginx.definition["services"]
    play.variables["zdm_router"]["services"] = options
    play.variables["router_services"]["web"]["definition"]["options"] = options["web"]
    assert play.applied() == 1
    assert (play.pid(), play.nginx.share()) == (pid, 100)
    until(lambda: play_release(play) == "v2", "the new address to answer")


def test_an_nginx_that_cannot_start_says_why(play: Play) -> None:
    """A listener on an address that this machine does not have is found before anything is started."""
    options = {"listen": "192.0.2.1:8080"}
    play.variables["zdm_router"]["services"]["web"] = options
    play.variables["router_services"]["web"]["definition"]["options"] = options
    recap, output = play.run()
    assert recap["failed"] == 1
    assert "nginx could not listen at 192.0.2.1:8080, so nothing was changed: Cannot assign requested address" in output
