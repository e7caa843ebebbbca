# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a split survives HAProxy itself: what the driver says of it, and what reloads and restarts do.

HAProxy does not tell at its socket whether it reads a server-state file, nor whether anybody saves it. So the driver
answers for the worst, and says what would help.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import NotInForce
from tests.support.haproxy import Site

CONFIGURED = {"blue": "weight 90", "green": "weight 10"}
FROM_FILE = "balance roundrobin\nload-server-state-from-file global"
DEATHS = ("reload", "restart")


def dies(site: Site, death: str) -> None:
    if death == "reload":
        site.haproxy.reload()
    else:
        site.haproxy.stop()
        site.haproxy.start()


def state_file(directory: Path) -> str:
    return "server-state-file %s" % (directory / "servers.state")


def save(site: Site, directory: Path) -> None:
    """As a unit's ExecReload does where people set this up."""
    (directory / "servers.state").write_text(site.haproxy.ask("show servers state"))


@pytest.mark.parametrize("death", DEATHS)
def test_without_a_state_file_the_configured_weights_come_back(death: str) -> None:
    with Site(servers=CONFIGURED) as site:
        site.bring(50.0)
        traffic = site.driver.read(site.service)
        assert traffic.durable == "no"
        assert "brings back the weights of its configuration (blue 90 %, green 10 %)" in traffic.promises[0]

        dies(site, death)
        assert site.weights() == {"blue-1": 90, "green-1": 10}
        assert site.share() == 10
        with pytest.raises(NotInForce, match=r"wanted blue 50 %, green 50 %, in force is blue 90 %, green 10 %"):
            site.driver.verify(site.service, site.split(50.0))
        site.bring(50.0)
        assert site.share() == pytest.approx(50, abs=0.5)


@pytest.mark.parametrize("death", DEATHS)
def test_with_a_state_file_that_is_saved_in_time_it_survives(death: str, tmp_path: Path) -> None:
    with Site(backend=FROM_FILE, servers=CONFIGURED, globals_=state_file(tmp_path)) as site:
        site.bring(50.0)
        before = site.weights()
        assert (
            "unless they are saved by `show servers state` and a server-state file"
            in (site.driver.read(site.service).promises[0])
        )

        save(site, tmp_path)
        dies(site, death)
        assert site.weights() == before
        assert site.driver.changes(site.service, site.split(50.0)) == []
        site.driver.verify(site.service, site.split(50.0))


@pytest.mark.parametrize("death", DEATHS)
def test_a_state_file_that_nobody_saves_is_worth_nothing(death: str, tmp_path: Path) -> None:
    """Why `durable` is not `yes` where there is such a file."""
    with Site(backend=FROM_FILE, servers=CONFIGURED, globals_=state_file(tmp_path)) as site:
        save(site, tmp_path)
        site.bring(50.0)
        assert site.driver.read(site.service).durable == "no"
        dies(site, death)
        assert site.share() == 10


def test_what_the_configuration_gives_is_known_after_weights_were_changed() -> None:
    """Each member's part of its pool is the configured one, at any time, over a reload too."""
    with Site({"blue": 2, "green": 1}, servers={"blue-1": "weight 30", "blue-2": "weight 10"}) as site:
        for green in (5.0, 60.0):
            site.bring(green)
            site.haproxy.reload()
            bases = {member.name: member.base for member in site.driver.read(site.service).members}
            assert bases == {"blue-1": 30, "blue-2": 10, "green-1": 1}


def test_a_split_of_all_to_the_pool_that_the_configuration_favours_survives() -> None:
    """Rolled back on a configuration as people write it, and the promise says so."""
    with Site(servers={"blue": "weight 100", "green": "weight 0"}) as site:
        site.bring(25.0)
        site.driver.revert(site.service, "blue")
        assert "(blue 100 %, green 0 %)" in site.driver.read(site.service).promises[0]
        dies(site, "reload")
        site.driver.verify(site.service, site.split(0.0))
        assert site.share() == 0
