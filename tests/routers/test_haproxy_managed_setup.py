# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making services known to a managed HAProxy: before it runs, while it runs, and when it refuses."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _haproxy_documents as documents
from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_files import Files
from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_setup import Setup
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import (
    DOWN,
    UNCHECKED,
    UP,
    Health,
    NotInForce,
    Refused,
    Service,
    Unreachable,
    Unsupported,
    Wanted,
)
from ansible_collections.zdm.rollout.plugins.module_utils.routers.haproxy_managed import HaproxyManaged
from demo.client import Client
from tests.support.haproxy_managed import Site
from tests.support.load import seen_more
from tests.support.modules import run_module
from tests.support.ports import free_port
from tests.support.programs import need
from tests.support.wait import until


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


def ask(port: int, host: str = "localhost", secure: bool = False) -> int:
    """The status of one request."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection: http.client.HTTPConnection = (
        http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
        if secure
        else http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    )
    try:
        connection.request("GET", "/", headers={"Host": host})
        return connection.getresponse().status
    finally:
        connection.close()


def optioned(service: Service, **more: Any) -> Service:
    return replace(service, options={**service.options, **more})


def test_haproxy_that_does_not_run_is_named(tmp_path: Path) -> None:
    driver = HaproxyManaged({"config": str(tmp_path)})
    with pytest.raises(Unreachable, match=r"master\.sock does not exist: start HAProxy"):
        driver.read(Service("web", "test", {}))


def test_a_service_that_haproxy_does_not_know_is_unsupported(site: Site) -> None:
    with pytest.raises(Unsupported, match=r"no backend shop-blue and shop-green.*zdm\.rollout\.service"):
        site.driver.read(replace(site.web, name="shop"))
    with pytest.raises(Unsupported, match="sums to 90: expected 100; nothing was changed"):
        site.driver.write(site.web, Wanted({"blue": 90.0}, "blue"))
    assert site.haproxy.share() == 0


def test_health_is_what_haproxy_finds(site: Site) -> None:
    def health(pool: str) -> str:
        (found,) = [member.health for member in site.driver.read(site.web).members if member.pool == pool]
        return found

    site.bring(30.0)
    assert [(m.name, m.pool, m.health, m.weight) for m in site.driver.read(site.web).members] == [
        ("web-blue", "blue", UP, 7000),
        ("web-green", "green", UP, 3000),
    ]
    site.members["web-green"].behave(healthy=False)
    until(lambda: health("green") == DOWN, "green to be found down")
    site.members["web-green"].behave(healthy=True)
    until(lambda: health("green") == UP, "green to be found well again")
    site.driver.define(replace(site.web, health=None), "blue")
    assert (health("blue"), health("green")) == (UNCHECKED, UNCHECKED)
    assert site.haproxy.share() == 30


def test_health_is_asked_as_the_service_wants_it(site: Site) -> None:
    """404 is what /health never says, so a pool that has to say it is down."""
    service = replace(site.web, health=Health(path="/health", expect=404))
    site.driver.define(service, "blue")
    until(lambda: {member.health for member in site.driver.read(service).members} == {DOWN}, "all to be found down")


def test_haproxy_is_reloaded_only_for_another_configuration(site: Site) -> None:
    site.bring(30.0)
    workers, files = site.haproxy.workers(), site.haproxy.files()
    for initial in ("blue", "green"):
        assert site.driver.define(site.web, initial) == []
    assert (site.haproxy.workers(), site.haproxy.files()) == (workers, files)
    slower = optioned(site.web, timeouts={"server": "1m"})
    (change,) = site.driver.define(slower, "green", check=True)
    assert change.thing.endswith("/services/web.cfg") and "timeout server 60000ms" in change.after
    assert (site.haproxy.workers(), site.haproxy.files()) == (workers, files)
    site.driver.define(slower, "green")
    assert site.haproxy.workers() != workers
    assert site.haproxy.share() == 30, "a split that is there is kept"
    assert site.driver.define(slower, "green") == []


def test_a_pool_comes_gets_traffic_and_goes(site: Site) -> None:
    red = {"red": (replace(site.web.pools["green"][0], name="web-red"),)}
    three = replace(site.web, pools={**site.web.pools, **red})
    site.driver.define(three, "blue")
    site.driver.write(three, Wanted({"blue": 30.0, "green": 0.0, "red": 70.0}, "blue"))
    assert (site.haproxy.share(pool="red"), site.haproxy.share(pool="green")) == (70, 0)
    with pytest.raises(Unsupported, match=r"red still gets traffic.*bring its share to another first"):
        site.driver.define(site.web, "blue")
    site.driver.revert(three, "blue")
    site.driver.define(site.web, "blue")
    assert "web-red" not in site.haproxy.rows()
    assert ask(site.haproxy.ports["web"]) == 200


def test_members_change_under_load_and_nobody_notices(site: Site) -> None:
    more = replace(
        site.web,
        pools={**site.web.pools, "blue": (*site.web.pools["blue"], replace(site.web.pools["green"][0], name="two"))},
    )
    client = Client(site.haproxy.url(), rate=200, polite=True).start()
    seen_more(client, 50)
    site.driver.define(more, "blue")
    until(lambda: client.result.releases.get("v2", 0) > 20, "the new member to answer")
    site.driver.define(site.web, "blue")
    seen_more(client, 50)
    result = client.stop()
    assert set(result.kinds) <= {"closed", "reset"}, result.kinds


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    key, path = tmp_path / "key.pem", tmp_path / "web.pem"
    words = [need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    subprocess.run([*words, "-keyout", str(key), "-out", str(path)], check=True, capture_output=True)
    path.write_text(path.read_text() + key.read_text())
    return path


def test_host_names_and_tls(site: Site, certificate: Path) -> None:
    port = site.haproxy.ports["web"]
    site.driver.define(optioned(site.web, domains=["a.example", "*.b.example"]), "blue")
    hosts = ("a.example", "A.example:80", "x.b.example", "b.example", "other.example")
    assert [ask(port, host) for host in hosts] == [200, 200, 200, 404, 404]
    site.driver.define(optioned(site.web, tls={"certificate": str(certificate)}), "blue")
    assert ask(port, secure=True) == 200


REFUSED = {"tls": {"certificate": "/no/such/file.pem"}}


def test_a_configuration_that_haproxy_would_refuse_changes_nothing(site: Site) -> None:
    site.bring(30.0)
    files, workers = site.haproxy.files(), site.haproxy.workers()
    with pytest.raises(Refused, match=r"nothing was changed: .*services/web\.cfg.*/no/such/file\.pem"):
        site.driver.define(optioned(site.web, **REFUSED), "blue")
    shop = replace(optioned(site.web, listen="127.0.0.1:%d" % free_port(), **REFUSED), name="shop")
    with pytest.raises(Refused):
        site.driver.define(shop, "blue")
    assert {name: digest for name, (digest, _) in site.haproxy.files().items()} == {
        name: digest for name, (digest, _) in files.items()
    }
    assert (site.haproxy.workers(), site.haproxy.share()) == (workers, 30)


def test_an_address_that_is_taken_is_refused_before_haproxy_stops_listening(site: Site) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port()))
        other.listen()
        taken = optioned(site.web, listen="127.0.0.1:%d" % other.getsockname()[1])
        client = Client(site.haproxy.url(), rate=100).start()
        seen_more(client, 10)
        with pytest.raises(Refused, match=r"could not listen at .*, so nothing was changed: Address already in use"):
            site.driver.define(taken, "blue")
        seen_more(client, 10)
        assert client.stop().failed == 0


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_a_configuration_that_fails_at_the_reload_does_not_stay(
    site: Site, protected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HAProxy's own check passes it. It would fail at the next start too."""
    monkeypatch.setattr(Setup, "_refuse_taken", lambda *_arguments: None)
    if not protected:
        monkeypatch.setattr(Files, "put_back", lambda *_arguments: None)
    site.bring(30.0)
    workers = site.haproxy.workers()
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port()))
        other.listen()
        with pytest.raises(Refused, match=r"did not come up with the configuration on disk.*goes on with what it had"):
            site.driver.define(optioned(site.web, listen="127.0.0.1:%d" % other.getsockname()[1]), "blue")
    assert site.haproxy.workers() == workers
    until(lambda: ask(site.haproxy.ports["web"]) == 200, "the old worker to go on")
    assert (site.driver.define(site.web, "blue", check=True) == []) is protected


def test_what_a_crash_left_unread_is_read(site: Site) -> None:
    """The file was written, and then there was no reload."""
    slower = optioned(site.web, timeouts={"server": "1m"})
    text = documents.service_text(slower, str(site.haproxy.map))
    (site.haproxy.directory / "services" / "web.cfg").write_text(text)
    workers = site.haproxy.workers()
    (change,) = site.driver.define(slower, "blue")
    assert change.thing.endswith("web.cfg (not in force)")
    assert site.haproxy.workers() != workers
    assert site.driver.define(slower, "blue") == []


def test_a_haproxy_of_other_files_is_told_apart(site: Site) -> None:
    with Site() as other:
        driver = HaproxyManaged({**other.haproxy.definition, "master": str(site.haproxy.master)})
        with pytest.raises(NotInForce, match=r"HAProxy runs and does not read .*: expected one .* -f .*haproxy\.cfg"):
            driver.define(other.web, "blue")


def test_two_services_at_one_address_are_refused(site: Site) -> None:
    router = {**site.haproxy.definition}
    router["services"] = {**router["services"], "shop": site.web.options}
    with pytest.raises(Unsupported, match=r"shop and web both listen at 127\.0\.0\.1:\d+"):
        HaproxyManaged(router).define(site.web, "blue")


def test_what_is_left_to_its_operator_needs_nothing_of_zdm_and_comes_back() -> None:
    """The split stays what it is, over each of: left, restarted, taken back."""
    with Site(names=("web", "shop")) as site:
        site.bring(30.0)
        site.bring(100.0, "shop")
        files = site.haproxy.files()
        assert [Path(change.thing).name for change in site.driver.detach(site.web, check=True)] == [
            "web.cfg",
            "share.map",
        ]
        assert site.haproxy.files() == files
        site.driver.detach(site.web)
        assert site.haproxy.map.read_text() == "shop blue:green:10000\n"
        assert site.driver.detach(site.web) == []
        for use in (site.driver.read, site.driver.counters, lambda web: site.driver.write(web, site.split(5.0))):
            with pytest.raises(Unsupported, match=r"stands in .*web\.cfg, which zdm has left to its operator"):
                use(site.web)
        site.driver.detach(site.services["shop"])
        assert not site.haproxy.map.exists()
        site.haproxy.stop()
        site.haproxy.start()
        site.settle()
        client = Client(site.haproxy.url(), rate=None, connections=8).start()
        seen_more(client, 2000)
        result = client.stop()
        assert result.failed == 0, result.kinds
        assert result.shares["v2"] == pytest.approx(30, abs=5)
        for service in site.services.values():
            site.driver.define(service, "blue")
        assert (site.haproxy.share(), site.haproxy.share("shop")) == (30, 100)
        site.bring(5.0)


def test_the_module(site: Site, tmp_path: Path) -> None:
    """Check mode touches nothing; a second run changes nothing; a new service is known afterwards."""
    shop = replace(optioned(site.web, listen="127.0.0.1:%d" % free_port()), name="shop")
    router = {**site.haproxy.definition, "state": str(tmp_path / "state")}
    arguments = {"router": router, "service": shop.to_json(), "initial": "green"}
    files, workers = site.haproxy.files(), site.haproxy.workers()
    checked = run_module("service", arguments, tmp_path, "--check", "--diff")
    assert checked.changed and checked.result["traffic"] is None
    assert (site.haproxy.files(), site.haproxy.workers()) == (files, workers)
    assert not (tmp_path / "state").exists()

    done = run_module("service", arguments, tmp_path)
    assert done.result["changes"] == checked.result["changes"]
    assert done.result["traffic"]["split"] == {"blue": 0.0, "green": 100.0}
    files, workers = site.haproxy.files(), site.haproxy.workers()
    again = run_module("service", arguments, tmp_path)
    assert (again.changed, again.result["changes"]) == (False, [])
    assert (site.haproxy.files(), site.haproxy.workers()) == (files, workers)

    arguments["service"] = optioned(shop, **REFUSED).to_json()
    assert "HAProxy would not take its configuration" in run_module("service", arguments, tmp_path).refusal
