# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx, mode ``servers``: the user's own upstream split by weights in a file, each change a reload."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_lines import FORMAT
from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_process import NginxProcess
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import (
    DOWN,
    TRIED,
    NotInForce,
    Refused,
    Sick,
    Unreachable,
    Unsupported,
)
from ansible_collections.zdm.rollout.plugins.module_utils.routers.nginx import NginxServers
from demo.client import Client
from tests.support.load import seen_more
from tests.support.nginx import Site
from tests.support.wait import until


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


def test_a_rollout_and_its_way_back(site: Site) -> None:
    assert site.driver.read(site.service).split == {"blue": 100.0, "green": 0.0}
    seen = []
    for share in (5.0, 25.0, 100.0):
        site.bring(share)
        seen.append(site.releases(40))
    # Weights divide in turns: of 40 in a row 5 % are 2, wherever in the turns they begin.
    assert [each.get("v2", 0) for each in seen] == [2, 10, 40]
    site.driver.revert(site.service, "blue")
    assert site.driver.verify(site.service, site.split(0)).split == {"blue": 100.0, "green": 0.0}
    assert site.releases(20) == {"v1": 20}
    assert site.weights()["green-1"] == 0


def test_what_is_as_wanted_costs_no_reload(site: Site) -> None:
    site.bring(25.0)
    before = site.nginx.workers(), site.file.stat().st_mtime_ns
    assert site.driver.changes(site.service, site.split(25)) == []
    site.bring(25.0)
    assert (site.nginx.workers(), site.file.stat().st_mtime_ns) == before


def test_the_split_is_durable(site: Site) -> None:
    site.bring(25.0)
    assert site.driver.read(site.service).durable == "yes"
    site.nginx.reload()
    assert site.driver.verify(site.service, site.split(25)).held
    site.nginx.stop()
    site.nginx.start()
    assert site.driver.verify(site.service, site.split(25)).held
    assert site.releases(40) == {"v1": 30, "v2": 10}


def test_a_file_that_is_not_in_force_is_not_taken_for_it(site: Site) -> None:
    """Somebody writes the file and does not reload: what runs is what ran before, and that is what is told."""
    site.bring(5.0)
    text = site.file.read_text()
    site.file.write_text(text.replace("weight=19", "weight=1"))
    traffic = site.driver.read(site.service)
    assert traffic.split == {"blue": 95.0, "green": 5.0}
    assert any("says something else than what runs" in warning for warning in traffic.warnings)
    with pytest.raises(NotInForce, match="in force is blue 95 %, green 5 %"):
        site.driver.verify(site.service, site.split(50))
    assert site.releases(40) == {"v1": 38, "v2": 2}
    # It is reloaded, not by zdm: now it is in force.
    site.age()
    site.nginx.reload()
    assert site.driver.read(site.service).split == {"blue": 50.0, "green": 50.0}
    assert site.releases(40) == {"v1": 20, "v2": 20}


def test_what_nobody_knows_is_not_told(site: Site) -> None:
    """A file that is younger than the workers, and no note of what it said before."""
    site.file.write_text(site.file.read_text().replace(" down", " weight=3"))
    traffic = site.driver.read(site.service)
    assert not traffic.held
    assert any("what runs is not known: reload nginx" in warning for warning in traffic.warnings)
    site.driver.write(site.service, site.split(0))
    assert site.driver.verify(site.service, site.split(0)).held
    assert site.releases(20) == {"v1": 20}


def test_a_change_that_nginx_refuses_is_put_back(site: Site) -> None:
    site.bring(5.0)
    before, workers = site.file.read_text(), site.nginx.workers()
    conf = site.nginx.file.read_text()
    site.nginx.file.write_text(conf + "rubbish;\n")
    with pytest.raises(Unsupported, match=r'cannot be split: .* unknown directive "rubbish"'):
        site.driver.changes(site.service, site.split(50))
    with pytest.raises(Refused, match=r'unknown directive "rubbish".*web\.servers says again what it said before'):
        site.driver.revert(site.service, "blue")
    assert (site.file.read_text(), site.nginx.workers()) == (before, workers)
    site.nginx.file.write_text(conf)
    assert site.driver.verify(site.service, site.split(5)).held, "what was put back is what runs"
    site.driver.revert(site.service, "blue")


def test_who_may_not_signal_nginx_leaves_its_file_as_it_was(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_pid: int, _number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    before = site.file.read_text()
    monkeypatch.setattr(os, "kill", forbidden)
    with pytest.raises(Unsupported, match=r"may not be signalled by this user: run the agent as root.* says again"):
        site.driver.write(site.service, site.split(50))
    assert site.file.read_text() == before
    assert site.driver.verify(site.service, site.split(0)).held


def test_an_nginx_that_does_not_run_is_told(site: Site) -> None:
    before = site.file.read_text()
    site.nginx.stop()
    for asked in (site.driver.read, lambda service: site.driver.write(service, site.split(50))):
        with pytest.raises(Unreachable, match=r"no nginx runs here with .*nginx\.conf: start it"):
            asked(site.service)
    assert site.file.read_text() == before


def test_the_first_change_that_nginx_refuses_leaves_the_split_known(site: Site) -> None:
    """With a port that is taken, which its test does not see: the file is younger than the workers then."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        conf = site.nginx.file.read_text().rstrip()
        assert conf.endswith("}")
        site.nginx.file.write_text(conf[:-1] + "server { listen 127.0.0.1:%d; } }\n" % taken.getsockname()[1])
        with pytest.raises(Refused, match="Address already in use"):
            site.driver.write(site.service, site.split(50))
    assert site.driver.verify(site.service, site.split(0)).split == {"blue": 100.0, "green": 0.0}
    assert site.releases(10) == {"v1": 10}


def test_the_file_is_left_as_it_was_but_for_the_weights() -> None:
    lines = {"blue": "max_fails=3  fail_timeout=2s weight=2", "green-1": "down max_conns=9", "green-2": "down"}
    with Site({"blue": 2, "green": 2}, lines=lines) as site:
        os.chmod(site.file, 0o640)
        site.bring(50.0)
        ports = site.ports
        assert site.file.read_text().splitlines() == [
            "# ours",
            "server 127.0.0.1:%d weight=1 max_fails=3  fail_timeout=2s;" % ports["blue-1"],
            "server 127.0.0.1:%d weight=1 max_fails=3  fail_timeout=2s;" % ports["blue-2"],
            "server 127.0.0.1:%d weight=1 max_conns=9;" % ports["green-1"],
            "server 127.0.0.1:%d weight=1;" % ports["green-2"],
        ]
        assert site.file.stat().st_mode & 0o777 == 0o640


def test_members_keep_their_parts_of_their_pool() -> None:
    """A larger machine's weight of 2 counts as long as the file is zdm's, through small shares and none."""
    lines = {"blue-1": "weight=2", "green": "down", "green-1": "weight=2 down"}
    with Site({"blue": 2, "green": 2}, lines=lines) as site:
        for share in (1.0, 0.0, 100.0, 1.0):
            site.bring(share)
        site.bring(50.0)
        weights = site.weights()
        assert weights["blue-1"] == 2 * weights["blue-2"]
        assert weights["green-1"] == 2 * weights["green-2"]


def test_who_is_down_for_maintenance_stays_so() -> None:
    with Site({"blue": 2, "green": 2}, lines={"blue-2": "down", "green": "down"}) as site:
        health = {member.name: member.health for member in site.driver.read(site.service).members}
        assert health == {"blue-1": TRIED, "blue-2": DOWN, "green-1": TRIED, "green-2": TRIED}
        for share in (50.0, 100.0, 0.0):
            site.bring(share)
        assert site.weights()["blue-2"] == 0
        assert site.weights()["blue-1"] > 0


def test_a_pool_with_nobody_gets_nothing() -> None:
    with Site({"blue": 2, "green": 1}, lines={"green": "down"}) as site:
        site.driver.write(site.service, site.split(5))
        text = site.file.read_text().splitlines()
        site.file.write_text("\n".join(text[:-1]) + "\n")
        with pytest.raises(Unsupported, match="it has no server"):
            site.driver.write(site.service, site.split(50))
        with pytest.raises(Sick, match=r"pool green is to get 100 % of upstream web, and none of its members"):
            site.driver.revert(site.service, "green")


OBSTACLES = {
    "ip_hash": ("ip_hash;", "`ip_hash` ties users to servers"),
    "hash": ("hash $remote_addr consistent;", "`hash $remote_addr consistent` ties users"),
    "a server beside the file": ("server 127.0.0.1:9;", "127.0.0.1:9 is not in"),
}


@pytest.mark.parametrize("name", OBSTACLES)
def test_what_stands_in_the_way_is_refused_and_never_the_way_back(name: str) -> None:
    words, said = OBSTACLES[name]
    upstream = words if name == "a server beside the file" else ""
    with Site(upstream=upstream) as site:
        if not upstream:
            # nginx wants the method before the servers.
            site.nginx.file.write_text(site.nginx.file.read_text().replace("zone web 64k;", words + "zone web 64k;"))
            site.nginx.reload()
        assert any(said in warning for warning in site.driver.read(site.service).warnings)
        before = site.file.read_text()
        with pytest.raises(Unsupported, match="upstream web cannot be split: .*%s" % said.replace("$", r"\$")):
            site.driver.changes(site.service, site.split(5))
        with pytest.raises(Unsupported):
            site.driver.write(site.service, site.split(5))
        assert site.file.read_text() == before
        site.driver.revert(site.service, "blue")


def test_the_upstream_and_the_file_have_to_be_there(site: Site) -> None:
    def refusal(**options: str) -> str:
        other = Site(addresses={"blue-1": 1, "green-1": 2}, options=options)
        other.stop()
        service = other.service
        with pytest.raises(Unsupported) as raised:
            NginxServers(site.definition).changes(service, site.split(5))
        return str(raised.value)

    assert "nginx has no upstream of this name (there are web)" in refusal(upstream="wep", file=str(site.file))
    assert "cannot be read: No such file" in refusal(file="/nonexistent/web.servers")
    own = site.directory / "other.servers"
    own.write_text("server 127.0.0.1:1; server 127.0.0.1:2;")
    assert "it has no servers of %s: move its `server` lines" % own in refusal(file=str(own))


def test_the_plan_is_told_what_a_change_costs(site: Site) -> None:
    traffic = site.driver.read(site.service)
    assert "31 requests" in traffic.costs
    assert any("Keep the steps few" in text for text in traffic.promises)
    assert any("does not say which configuration runs" in text for text in traffic.promises)


def test_the_log_counts_each_try() -> None:
    """Also the ones that nginx hid from the client by asking another server, of the other pool."""
    logged = "set $zdm_service web; access_log {directory}/zdm.log zdm;"
    with Site(location=logged, http=FORMAT) as site:
        driver = NginxServers({**site.definition, "log": {"file": str(site.directory / "zdm.log")}})
        assert {name: c.requests for name, c in driver.counters(site.service).items()} == {"blue-1": 0, "green-1": 0}
        driver.write(site.service, site.split(25))
        site.releases(40)
        until(lambda: _tries(driver, site) == 40, "the lines of 40 requests")
        counted = driver.counters(site.service)
        assert {name: (c.requests, c.failures) for name, c in counted.items()} == {
            "blue-1": (30, 0),
            "green-1": (10, 0),
        }
        site.members["green-1"].kill()
        assert site.releases(8) == {"v1": 8}
        until(lambda: _tries(driver, site) == 49, "8 requests, and a try that was made again")
        assert driver.counters(site.service)["green-1"].failures == 1, (
            "after one nginx leaves it alone for fail_timeout"
        )
        assert not any("gets no lines" in warning for warning in driver.read(site.service).warnings)
        assert sum(each[2] for each in driver.times(site.service).pools["blue"]) == 38


def _tries(driver: NginxServers, site: Site) -> int:
    return sum(each.requests for each in driver.counters(site.service).values())


def test_a_log_that_gets_no_lines_is_told_of(site: Site) -> None:
    log = str(site.directory / "zdm.log")
    (warning,) = (
        text
        for text in NginxServers({**site.definition, "log": {"file": log}}).read(site.service).warnings
        if "gets no lines" in text
    )
    assert "`access_log %s zdm; set $zdm_service web;`" % log in warning


def test_counters_need_a_log(site: Site) -> None:
    with pytest.raises(Unsupported, match=r"zdm_router\.log of nginx is .*: expected a file"):
        NginxServers({**site.definition, "log": {"ring": "lb"}})
    with pytest.raises(Unsupported, match="log_format"):
        site.driver.counters(site.service)
    traffic, counters = site.driver.observe(site.service)
    assert (traffic.held, counters) == (True, {}), "a guard goes on without"


def test_nobody_answers_by_the_weights_of_before(site: Site) -> None:
    """When a change is read back it is over: no request goes where it went before."""
    for number in range(6):
        site.bring(100.0 if number % 2 == 0 else 0.0)
        assert site.releases(3) == {"v2" if number % 2 == 0 else "v1": 3}


def test_without_the_wait_some_still_do__control(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload that is only sent, and not waited for."""

    def sent(_self: NginxProcess, **_times: float) -> tuple[()]:
        site.nginx.send(signal.SIGHUP)
        return ()

    monkeypatch.setattr(NginxProcess, "reload", sent)
    seen = set()
    for number in range(6):
        site.driver.write(site.service, site.split(100.0 if number % 2 == 0 else 0.0))
        seen |= {(number % 2, release) for release in site.releases(1)}
    assert (0, "v1") in seen or (1, "v2") in seen


@pytest.mark.parametrize("polite", [False, True], ids=["reuses without a look", "looks first"])
def test_a_change_costs_what_the_plan_says(site: Site, polite: bool) -> None:
    """Each reload closes idle connections: who reuses one without a look loses about a request a connection."""
    changes = 8
    client = Client(site.nginx.url, rate=160, connections=16, polite=polite).start()
    seen_more(client, 32)
    for number in range(changes):
        site.bring(100.0 if number % 2 == 0 else 0.0)
        seen_more(client, 32)
    failed = client.stop().failed
    assert failed <= changes * 2 if polite else failed >= changes * 8, failed
