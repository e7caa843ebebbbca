# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `router` and the module `service` as ansible-playbook runs them, with a real Envoy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.envoy import RunningEnvoy, Site
from tests.support.programs import need
from tests.support.role import Role
from tests.support.wait import until


class Play(Role):
    """Runs the role on the host `edge`, this machine."""

    def __init__(self, directory: Path, envoy: RunningEnvoy, site: Site) -> None:
        super().__init__(directory, sys.executable)
        self.envoy = envoy
        self.variables.update(
            router_envoy_binary=need("envoy"),
            zdm_router={**envoy.definition, "state": str(directory / "state")},
            router_services={"web": {"definition": site.services["web"].to_json(), "initial": "green"}},
        )

    def pid(self) -> int:
        return int((self.envoy.directory / "envoy.pid").read_text())


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """Members run, Envoy does not yet, and its directory is not there."""
    with Site(tmp_path / "site") as site:
        envoy = RunningEnvoy(tmp_path / "etc" / "envoy", ("web",))
        site.envoy.stop()
        running = Play(tmp_path, envoy, site)
        try:
            yield running
        finally:
            if (envoy.directory / "envoy.pid").exists():
                running.run("-e", "router_state=stopped")


def everything(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of change of all files but the log."""
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in directory.rglob("*")
        if path.is_file() and path.name != "envoy.log"
    }


def test_from_nothing_to_a_running_envoy_and_back(play: Play, tmp_path: Path) -> None:
    recap, output = play.run("--check", "--diff")
    assert recap["failed"] == 0, output
    assert '"web-green"' in output, "the difference shows the clusters"
    assert not play.envoy.directory.exists()
    assert not (tmp_path / "state").exists()

    recap, output = play.run()
    assert recap["failed"] == 0, output
    assert play.envoy.weights("web") == {"web-blue": 0, "web-green": 10000}
    assert (play.envoy.directory / "admin.sock").stat().st_mode & 0o777 == 0o600
    files, pid = everything(play.envoy.directory), play.pid()

    recap, output = play.run()
    assert (recap["failed"], recap["changed"]) == (0, 0), output
    assert (everything(play.envoy.directory), play.pid()) == (files, pid)

    play.variables["zdm_router"]["services"]["web"]["listen"] = "127.0.0.1:1"
    recap, output = play.run()
    assert recap["failed"] == 1
    assert "router_restart=true" in output
    assert (everything(play.envoy.directory), play.pid()) == (files, pid)

    recap, output = play.run("-e", "router_state=stopped")
    assert recap["failed"] == 0, output
    until(lambda: not Path("/proc/%d" % pid).exists(), "Envoy to be gone")
    assert not (play.envoy.directory / "envoy.pid").exists()


def test_an_envoy_that_cannot_start_says_why(play: Play) -> None:
    """A listener on an address that this machine does not have passes Envoy's own validation."""
    play.variables["zdm_router"]["services"]["web"]["listen"] = "192.0.2.1:8080"
    play.variables["router_services"]["web"]["initial"] = "blue"
    recap, output = play.run()
    assert recap["failed"] == 1
    assert "Cannot assign requested address" in output


def test_a_service_without_a_definition_is_refused_by_name(play: Play) -> None:
    play.variables["router_services"] = {"shop": play.variables["router_services"]["web"]}
    recap, output = play.run()
    assert recap["failed"] == 1
    assert "zdm_router.services.web of edge" in output
    assert "router_services has shop" in " ".join(output.split())
    assert not play.envoy.directory.exists()
