# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person has on the router's own host: ``zdm-agent status`` and ``zdm-agent revert``."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils._person import person
from tests.agent.conftest import without_stable
from tests.support.agent import Connection, Installed, Refused
from tests.support.haproxy import Site


def test_a_person_on_the_router_has_the_last_word(armed: Connection, installed: Installed, site: Site) -> None:
    result = installed.command("revert", "web")
    assert (result.returncode, result.stdout) == (0, "web: blue 100 %, green 0 %\n")
    assert site.share() == 0
    with pytest.raises(Refused, match="ordered on the router") as error:
        armed.arm(50)
    assert error.value.code == "reverted"
    assert armed.hang_up() == 0
    assert site.share() == 0


def test_a_broken_record_of_another_service_is_not_in_the_way(
    armed: Connection, installed: Installed, site: Site
) -> None:
    (installed.state / "test" / "api.json").write_text("junk")
    assert installed.command("revert", "web").returncode == 0
    assert site.share() == 0


def test_the_status_says_who_what_where_and_how_to_end_it(armed: Connection, installed: Installed) -> None:
    said = installed.command("status").stdout
    assert said.splitlines()[0] == "web in test: armed"
    for part in (
        "live: blue 75 %, green 25 %",
        "blue: blue-1 up",
        "green: green-1 up",
        "release v2 of run r1, by ann@desk, since ",
        "stable is blue, canary is green",
        "to end it safely, on this router: zdm-agent revert web",
    ):
        assert part in said


def disarmed(installed: Installed) -> None:
    with installed.connect() as connection:
        connection.acquire()
        connection.arm(25)
        connection.ask("disarm", epoch=1)


def nothing(installed: Installed) -> None:
    pass


@pytest.mark.parametrize(
    ("before", "because"),
    [(nothing, "web has a record nowhere in"), (disarmed, "nothing to revert; 'undo' goes back a release")],
)
def test_without_a_lease_there_is_nothing_to_revert(
    installed: Installed, site: Site, before: Callable[[Installed], None], because: str
) -> None:
    before(installed)
    share = site.share()
    result = installed.command("revert", "web")
    assert (result.returncode, result.stdout) == (1, "")
    assert because in result.stderr
    assert site.share() == share


def test_a_sick_stable_gets_the_traffic_only_by_a_persons_own_word(
    armed: Connection, installed: Installed, site: Site
) -> None:
    with without_stable(site):
        refused = installed.command("revert", "web")
        assert (refused.returncode, refused.stdout) == (1, "")
        for part in ("blue would get 100 %", "down: blue-1", "nothing was changed", "with --even-if-sick"):
            assert part in refused.stderr
        assert site.weights()["green-1"] > 0
        assert installed.command("revert", "web", "--even-if-sick").returncode == 0
        assert site.weights()["green-1"] == 0
    assert site.share() == 0


def test_a_service_in_two_environments_is_asked_for(armed: Connection, installed: Installed, site: Site) -> None:
    shutil.copytree(installed.state / "test", installed.state / "live")
    result = installed.command("revert", "web")
    assert (result.returncode, result.stdout) == (1, "")
    assert "several environments (live, test): name one with --environment" in result.stderr
    assert installed.command("revert", "web", "--environment", "test").returncode == 0
    assert site.share() == 0


def test_who_ordered_it_and_why_is_known_afterwards(armed: Connection, installed: Installed) -> None:
    installed.command("revert", "web", "--reason", "checkout is slow")
    said = installed.command("status").stdout
    for part in ("web in test: reverted", "checkout is slow (%s)" % person(), "last rollout: v2 rolled_back at "):
        assert part in said


def test_a_command_that_is_none_is_told_how_it_goes(installed: Installed) -> None:
    for arguments in ((), ("revert",), ("undo", "web")):
        result = installed.command(*arguments)
        assert (result.returncode, result.stdout) == (2, "")
        assert "usage: zdm-agent" in result.stderr


def test_by_its_link_it_finds_its_state(armed: Connection, installed: Installed, tmp_path: Path) -> None:
    link = tmp_path / "zdm-agent"
    link.symlink_to(installed.file)
    result = subprocess.run([installed.python, str(link), "status"], text=True, capture_output=True, check=True)
    assert "web in test: armed" in result.stdout


# --- what else may be broken at night


def test_a_proxy_that_is_gone_is_said_beside_the_rest(armed: Connection, installed: Installed, site: Site) -> None:
    record = installed.state / "test" / "web.json"
    record.write_text(record.read_text().replace(str(site.haproxy.socket), "/nowhere/admin.sock"))
    said = installed.command("status").stdout
    for part in ("web in test: armed", "live: cannot be read: ", "/nowhere/admin.sock", "ann@desk"):
        assert part in said


def test_a_broken_record_is_named_and_hides_no_other(armed: Connection, installed: Installed) -> None:
    (installed.state / "test" / "api.json").write_text("junk")
    result = installed.command("status")
    assert result.returncode == 1
    assert "web in test: armed" in result.stdout
    assert "test/api.json cannot be read" in result.stderr
    assert "move it away" in result.stderr
