# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a split when a managed HAProxy is reloaded, restarted, or told something that it does not take."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_files import Files
from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_master import Master, Processes
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import NotInForce, Refused, Unsupported
from ansible_collections.zdm.rollout.plugins.module_utils.routers.haproxy_managed import HaproxyManaged
from demo.client import Client
from tests.support.haproxy_managed import Site
from tests.support.load import seen_more

CONNECTIONS = 40
NOTHING = "blue:green:0"


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


def dies(site: Site, death: str) -> None:
    if death == "reload":
        site.haproxy.reload()
    else:
        site.haproxy.stop()
        site.haproxy.start()


@pytest.mark.parametrize("death", ["reload", "restart"])
@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_a_split_survives(site: Site, death: str, protected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is what does it: without it the split of the set-up comes back."""
    if not protected:
        monkeypatch.setattr(HaproxyManaged, "_save", lambda *_arguments: None)
    for green in (30.0, 0.5, 75.0):
        site.bring(green)
        on_disk = site.haproxy.map.read_text()
        assert (on_disk == "web blue:green:%d\n" % (100 * green)) is protected
        assert site.haproxy.share() == green
    assert site.driver.read(site.web).durable == "yes"
    dies(site, death)
    assert site.haproxy.share() == (75 if protected else 0)


def test_a_reload_is_not_noticed_by_clients_that_look(site: Site) -> None:
    """Who uses a connection at the instant at which HAProxy closes it has to try again: HTTP has no other way. All else
    would be HAProxy's fault."""
    site.bring(50.0)
    site.members["web-green"].behave(slow=0.05)
    client = Client(site.haproxy.url(), rate=200, connections=16, polite=True).start()
    for _ in range(3):
        seen_more(client, 100)
        site.haproxy.reload()
        site.bring(50.0)
    seen_more(client, 100)
    result = client.stop()
    assert set(result.kinds) <= {"closed", "reset"}, result.kinds
    assert result.failed <= result.requests / 100, result.kinds
    assert min(result.releases.values()) > 50


def only_new(self: Processes) -> tuple[str, ...]:
    return self.new


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_an_old_worker_is_ordered_too(protected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on with the connections that it has, for as long as this HAProxy is told to leave them."""
    if not protected:
        monkeypatch.setattr(Processes, "all", property(only_new))
    with Site() as site:
        common = site.haproxy.directory / "haproxy.cfg"
        common.write_text(common.read_text().replace("close-spread-time 6s", "close-spread-time 5m"))
        dies(site, "restart")
        site.settle()
        (old,) = site.haproxy.workers()
        connections = [http.client.HTTPConnection("127.0.0.1", site.haproxy.ports["web"]) for _ in range(CONNECTIONS)]
        assert {release(connection) for connection in connections} == {"v1"}
        site.haproxy.reload()
        site.settle()
        site.bring(100.0)
        assert site.haproxy.words().get(old) == (["blue:green:10000"] if protected else [NOTHING])
        seen = [release(connection) for connection in connections if connection.sock]
        assert len(seen) > CONNECTIONS / 2, "most are still open"
        assert set(seen) == {"v2" if protected else "v1"}
        for connection in connections:
            connection.close()


def release(connection: http.client.HTTPConnection) -> str:
    """Who answers one request on a connection that is kept."""
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    return answer.headers["x-release"]


def altered(monkeypatch: pytest.MonkeyPatch, before: str, after: str) -> None:
    """What HAProxy is told is not what was said."""
    ask = Master.ask

    def other(self: Master, pid: str, commands: Sequence[str]) -> list[str]:
        return ask(self, pid, [line.replace(before, after) if "set map" in line else line for line in commands])

    monkeypatch.setattr(Master, "ask", other)


def test_what_haproxy_takes_without_a_word_is_read_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers any value with the same empty line."""
    altered(monkeypatch, "blue:green:2500", "abc")
    with pytest.raises(NotInForce, match=r"worker \d+ answered `set map .*2500` without an error, and has abc"):
        site.bring(25.0)
    monkeypatch.undo()
    traffic = site.driver.read(site.web)
    assert not traffic.held
    assert any("'abc'" in warning and "no share" in warning for warning in traffic.warnings)
    site.driver.revert(site.web, "blue")
    assert site.haproxy.share() == 0


def test_what_haproxy_refuses_is_an_error(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    altered(monkeypatch, " web ", " nope ")
    with pytest.raises(Refused, match=r"did not take `set map .* web blue:green:2500`: entry not found"):
        site.bring(25.0)
    assert site.haproxy.share() == 0


def test_a_disk_that_takes_nothing_stops_the_advance_and_not_the_return(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: Files, path: str, _text: str) -> None:
        raise Unsupported("%s cannot be written: No space left on device" % path)

    def broken(_self: Files, path: str) -> str:
        raise Unsupported("%s cannot be read: Input/output error" % path)

    site.bring(25.0)
    monkeypatch.setattr(Files, "text", broken)
    with pytest.raises(Unsupported, match="Input/output error"):
        site.driver.write(site.web, site.split(50.0))
    assert site.haproxy.share() == 25
    site.driver.revert(site.web, "blue")
    site.driver.verify(site.web, site.split(0.0))
    monkeypatch.undo()
    site.bring(25.0)
    monkeypatch.setattr(Files, "write", full)
    with pytest.raises(Unsupported, match="No space left"):
        site.driver.write(site.web, site.split(50.0))
    assert site.haproxy.share() == 25
    site.driver.revert(site.web, "blue")
    assert site.haproxy.share() == 0
    traffic = site.driver.verify(site.web, site.split(0.0))
    assert any("would read another split" in warning for warning in traffic.warnings)
    monkeypatch.undo()
    site.bring(0.0)
    assert site.haproxy.map.read_text() == "web blue:green:0\n"
    assert site.driver.read(site.web).warnings == ()


def test_somebody_elses_change_is_seen_and_put_right(site: Site) -> None:
    site.bring(25.0)
    (pid,) = site.haproxy.workers()
    site.haproxy.ask("add map %s web blue:green:1" % site.haproxy.map, pid)
    site.haproxy.ask("set map %s web blue:green:9000" % site.haproxy.map, pid)
    assert site.driver.read(site.web).split["green"] == 90
    with pytest.raises(NotInForce, match="%s has blue:green:9000" % pid):
        site.driver.verify(site.web, site.split(25.0))
    assert [change.after for change in site.driver.changes(site.web, site.split(25.0))] == ["blue:green:2500"]
    site.bring(25.0)
    assert set(site.haproxy.words()[pid]) == {"blue:green:2500"}


def test_a_line_that_is_gone_from_the_running_map_is_added_again(site: Site) -> None:
    (pid,) = site.haproxy.workers()
    site.haproxy.ask("del map %s web" % site.haproxy.map, pid)
    assert not site.driver.read(site.web).held
    site.driver.revert(site.web, "blue")
    assert site.haproxy.words()[pid] == [NOTHING]


def test_a_change_of_one_service_leaves_all_other_lines(site: Site) -> None:
    with open(site.haproxy.map, "a", encoding="utf-8") as file:
        file.write("web.match green\n# a remark\nother x:y:1\n")
    site.bring(25.0)
    assert site.haproxy.map.read_text() == "web blue:green:2500\nweb.match green\n# a remark\nother x:y:1\n"


def test_a_write_that_changes_nothing_writes_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.bring(25.0)
    asked: list[str] = []
    exchange = Master._exchange

    def noting(self: Master, text: str) -> str:
        asked.extend(text.splitlines())
        return exchange(self, text)

    monkeypatch.setattr(Master, "_exchange", noting)
    before = site.haproxy.files()
    site.bring(25.0)
    assert site.driver.changes(site.web, site.split(25.0)) == []
    assert site.haproxy.files() == before
    assert asked and {line.split(" ")[0].partition("!")[0] for line in asked} <= {"show", "@"}


def test_the_difference_is_the_files_and_changes_nothing(site: Site) -> None:
    before = site.haproxy.files()
    (change,) = site.driver.changes(site.web, site.split(5.0))
    assert Path(change.thing) == site.haproxy.map
    assert (change.before, change.after) == ("web blue:green:0\n", "web blue:green:500\n")
    assert (site.haproxy.files(), site.haproxy.share()) == (before, 0)
