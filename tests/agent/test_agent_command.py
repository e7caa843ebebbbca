# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person has on the router's own host: ``zdm-agent status``, ``revert``, ``disarm`` and the rest."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils._person import person
from tests.agent.conftest import AT_25, without_stable
from tests.support.agent import Connection, Installed, Refused
from tests.support.haproxy import Site
from tests.support.wait import until


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


# --- what else a person can order


def test_an_order_is_left_for_the_rollout(armed: Connection, installed: Installed, site: Site) -> None:
    verbs = ("pause", "resume", "promote")
    for verb in verbs:
        result = installed.command(verb, "web")
        said = "web: %s is ordered; the rollout takes it with its next sign of life\n" % verb
        assert (result.returncode, result.stdout) == (0, said)
        assert armed.renew()["orders"][-1]["verb"] == verb
    orders = armed.renew()["orders"]
    assert [(order["verb"], order["by"]) for order in orders] == [(verb, person()) for verb in verbs]
    assert site.share() == AT_25


def test_a_disarm_leaves_the_split_as_it_is_and_nobody_minds_it(
    armed: Connection, installed: Installed, site: Site
) -> None:
    result = installed.command("disarm", "web")
    assert (result.returncode, result.stdout) == (0, "web: blue 75 %, green 25 %, and it stays so\n")
    reply = armed.renew()
    assert (reply["state"], reply["ended_by"]) == ("idle", "person")
    armed.hang_up()
    until(lambda: not installed.guard, "the guard to go, as nothing is left to mind")
    assert site.share() == AT_25
    assert "web in test: idle" in installed.command("status").stdout


def test_the_history_has_the_newest_first(installed: Installed) -> None:
    assert installed.command("history", "web").returncode == 1
    for run, end in (("r1", "disarm"), ("r2", "revert")):
        with installed.connect() as connection:
            epoch = connection.acquire(run)["epoch"]
            if run == "r1":
                assert installed.command("history", "web").stdout == "no rollout of web in test has ended here\n"
            connection.arm(25, epoch)
            connection.ask(end, epoch=epoch, **({"reason": "errors"} if end == "revert" else {}))
    newest, oldest = installed.command("history", "web").stdout.splitlines()
    assert "v2  rolled_back  blue to green, by ann@desk: errors" in newest
    assert oldest.endswith("v2  released  blue to green, by ann@desk")


@pytest.mark.parametrize("verb", ["disarm", "pause"])
def test_where_nothing_is_on_loan_there_is_nothing_to_order(installed: Installed, verb: str) -> None:
    disarmed(installed)
    result = installed.command(verb, "web")
    assert (result.returncode, result.stdout) == (1, "")
    assert "there is nothing to %s" % verb in result.stderr


def test_a_service_is_locked_and_unlocked_on_the_router_itself(installed: Installed) -> None:
    disarmed(installed)
    said = installed.command("lock", "web", "--reason", "schema change").stdout
    assert said.startswith("web is locked by ") and "schema change" in said
    assert said.strip() in installed.command("status").stdout
    with installed.connect() as connection, pytest.raises(Refused, match="schema change"):
        connection.acquire("r2")
    assert installed.command("unlock", "web").stdout == "web: a rollout may start here\n"
    with installed.connect() as connection:
        assert connection.acquire("r2")["epoch"] > 1


# --- who minds what is on loan


def test_the_status_says_who_minds_it(armed: Connection, installed: Installed) -> None:
    assert "minded by process %d\n" % installed.guard in installed.command("status").stdout
    os.kill(installed.guard, signal.SIGSTOP)
    said = "its guard, process %d (stopped), DOES NOTHING: end it with zdm-agent revert web" % installed.guard
    until(lambda: said in installed.command("status").stdout, "the guard to be stopped")
    installed.end_guard()
    assert "NO GUARD MINDS IT: end it with zdm-agent revert web" in installed.command("status").stdout
