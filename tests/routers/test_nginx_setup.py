# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making services known to a managed nginx: before it runs, while it runs, and when it refuses."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _nginx_documents as documents
from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_setup import Setup
from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_status import Asked, Status
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import (
    TRIED,
    Member,
    NotInForce,
    Refused,
    Service,
    Unreachable,
    Unsupported,
    Wanted,
)
from ansible_collections.zdm.rollout.plugins.module_utils.routers.nginx_managed import NginxManaged
from demo.client import Client
from tests.support.load import seen_more
from tests.support.modules import run_module
from tests.support.nginx_managed import Site
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


def texts(site: Site) -> dict[str, str]:
    """What every file says and where every link leads, whenever it was written."""
    return {name: content for name, (content, _) in site.nginx.files().items()}


def test_nginx_that_does_not_run_is_named(site: Site) -> None:
    site.nginx.stop()
    with pytest.raises(Unreachable, match=r"nobody answers at nginx's socket .*include .*/http\.conf"):
        site.driver.read(site.web)


def test_a_service_that_nginx_does_not_know_is_unsupported(site: Site) -> None:
    with pytest.raises(Unsupported, match=r"no share of service shop .*zdm\.rollout\.service"):
        site.driver.read(replace(site.web, name="shop"))
    with pytest.raises(Unsupported, match="sums to 90: expected 100; nothing was changed"):
        site.driver.write(site.web, Wanted({"blue": 90.0}, "blue"))
    assert site.nginx.share() == 0


def test_members_are_those_of_the_files_and_nobody_checks_them(site: Site) -> None:
    site.bring(30.0)
    assert [(m.name, m.pool, m.health, m.weight) for m in site.driver.read(site.web).members] == [
        ("web-blue", "blue", TRIED, 700),
        ("web-green", "green", TRIED, 300),
    ]


def test_nginx_is_reloaded_only_for_another_configuration(site: Site) -> None:
    site.bring(30.0)
    workers, files = site.nginx.workers(), site.nginx.files()
    for initial in ("blue", "green"):
        assert site.driver.define(site.web, initial) == []
    assert (site.nginx.workers(), site.nginx.files()) == (workers, files)
    slower = optioned(site.web, timeouts={"server": "1m"})
    (change,) = site.driver.define(slower, "green", check=True)
    assert change.thing.endswith("/services/web.conf") and "proxy_read_timeout 60000ms" in change.after
    assert (site.nginx.workers(), site.nginx.files()) == (workers, files)
    site.driver.define(slower, "green")
    assert not set(site.nginx.workers()) & set(workers)
    assert site.nginx.share() == 30, "a split that is there is kept"
    assert site.driver.define(slower, "green") == []


def test_another_set_of_members_is_a_reload_and_is_read_back(site: Site) -> None:
    blue = (*site.web.pools["blue"], replace(site.web.pools["green"][0], name="two"))
    more = replace(site.web, pools={**site.web.pools, "blue": blue})
    things = [Path(change.thing).name for change in site.driver.define(more, "blue")]
    assert things == ["blue.conf", "web.conf"]
    assert {site.nginx.release() for _ in range(20)} == {"v1", "v2"}
    assert {member.name for member in site.driver.read(more).members} == {"web-blue", "two", "web-green"}
    assert site.driver.define(site.web, "blue", check=True) != []


def test_who_holds_a_worker_of_before_a_reload_is_named(site: Site) -> None:
    site.members["web-blue"].behave(slow=8.0)
    connection = socket.create_connection(("127.0.0.1", site.nginx.ports["web"]))
    with connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        until(lambda: site.members["web-blue"].count()["in_flight"], "the request to be on its way")
        site.driver.define(optioned(site.web, timeouts={"server": "1m"}), "blue")
        (warning,) = site.driver.read(site.web).warnings
        assert "held by 127.0.0.1:%d" % connection.getsockname()[1] in warning
        assert site.driver.define(optioned(site.web, timeouts={"server": "1m"}), "blue") == []


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    key, path = tmp_path / "key.pem", tmp_path / "web.pem"
    words = [need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    subprocess.run([*words, "-keyout", str(key), "-out", str(path)], check=True, capture_output=True)
    path.write_text(path.read_text() + key.read_text())
    return path


def test_host_names_and_tls(site: Site, certificate: Path) -> None:
    port = site.nginx.ports["web"]
    site.driver.define(optioned(site.web, domains=["a.example", "*.b.example"]), "blue")
    hosts = ("a.example", "A.example:80", "x.b.example", "b.example", "other.example")
    assert [ask(port, host) for host in hosts] == [200, 200, 200, 404, 404]
    site.driver.define(optioned(site.web, tls={"certificate": str(certificate)}), "blue")
    assert ask(port, secure=True) == 200


REFUSED = {"tls": {"certificate": "/no/such/file.pem"}}


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_a_configuration_that_nginx_refuses_does_not_stay(
    site: Site, protected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not protected:
        monkeypatch.setattr(Setup, "_put_back", lambda *_arguments: None)
    site.bring(30.0)
    files, workers = texts(site), site.nginx.workers()
    with pytest.raises(Refused, match=r"nginx would not take its configuration: .*/no/such/file\.pem"):
        site.driver.define(optioned(site.web, **REFUSED), "blue")
    assert (site.nginx.workers(), site.nginx.share()) == (workers, 30)
    assert (texts(site) == files) is protected
    starts = subprocess.run(
        [need("nginx"), "-t", "-q", "-c", str(site.nginx.directory / "nginx.conf")], capture_output=True, check=False
    )
    assert (starts.returncode == 0) is protected, "a restart would read it"


def test_a_new_service_that_nginx_refuses_leaves_nothing(site: Site) -> None:
    files = texts(site)
    shop = replace(optioned(site.web, listen="127.0.0.1:%d" % free_port(), **REFUSED), name="shop")
    with pytest.raises(Refused):
        site.driver.define(shop, "blue")
    assert texts(site) == files


def test_an_address_that_is_taken_is_refused_before_anything_is_written(site: Site) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port()))
        other.listen()
        files = texts(site)
        with pytest.raises(Refused, match=r"could not listen at .*, so nothing was changed: Address already in use"):
            site.driver.define(optioned(site.web, listen="127.0.0.1:%d" % other.getsockname()[1]), "blue")
        assert texts(site) == files


def test_an_address_that_is_taken_at_the_reload_does_not_stay(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """nginx's own test passes it: without the look before, only the reload finds it."""
    monkeypatch.setattr(Setup, "_refuse_taken", lambda *_arguments: None)
    files = texts(site)
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port()))
        other.listen()
        with pytest.raises(Refused, match=r"did not take its configuration.*Address already in use"):
            site.driver.define(optioned(site.web, listen="127.0.0.1:%d" % other.getsockname()[1]), "blue")
    assert texts(site) == files
    assert site.nginx.release() == "v1"


def test_what_a_crash_left_unread_is_read(site: Site) -> None:
    """The file was written, and then there was no reload."""
    slower = optioned(site.web, timeouts={"server": "1m"})
    site.driver.define(slower, "blue")
    newer = (site.nginx.directory / "services" / "web.conf").read_text()
    site.driver.define(site.web, "blue")
    (site.nginx.directory / "services" / "web.conf").write_text(newer)
    assert "is not what runs" in " ".join(site.driver.read(slower).warnings)
    (change,) = site.driver.define(slower, "blue")
    assert change.thing.endswith("web.conf (not in force)")
    assert site.driver.define(slower, "blue") == []
    assert site.driver.read(slower).warnings == ()


def test_files_that_were_broken_are_repaired(site: Site) -> None:
    site.bring(30.0)
    files = texts(site)
    (site.nginx.directory / "services" / "web.conf").write_text("}")
    (site.nginx.directory / "members" / "web" / "blue.conf").write_text("server nobody:x;\n")
    assert len(site.driver.define(site.web, "blue")) == 2
    assert texts(site) == files


@pytest.mark.parametrize("pools", [("blue",), ("blue", "green", "red")])
def test_pools_that_cannot_be_split(site: Site, pools: tuple[str, ...]) -> None:
    """One pool has no split and three are too many."""
    members = site.web.pools["blue"]
    service = replace(site.web, name="shop", pools=dict.fromkeys(pools, members))
    service = optioned(service, listen="127.0.0.1:%d" % free_port())
    if len(pools) == 1:
        site.driver.define(service, "blue")
        assert site.driver.read(service).split == {"blue": 100.0}
    else:
        with pytest.raises(Unsupported, match="splits between two pools, and these are 3"):
            site.driver.define(service, "blue")


def test_a_pool_that_takes_traffic_cannot_go(site: Site) -> None:
    red = replace(site.web, pools={"blue": site.web.pools["blue"], "red": site.web.pools["green"]})
    site.bring(10.0)
    with pytest.raises(Unsupported, match=r"green still gets traffic.*bring its share to another first"):
        site.driver.define(red, "blue")
    site.bring(0.0)
    site.driver.define(red, "blue")
    assert not (site.nginx.directory / "members" / "web" / "green.conf").exists()
    site.driver.write(red, Wanted({"blue": 0.0, "red": 100.0}, "blue"))
    assert {site.nginx.release() for _ in range(20)} == {"v2"}


BROKEN = {
    "a name": (Member("web-blue", "web.example", 80), "takes IP addresses"),
    "a directive": (Member("web-blue; }", "127.0.0.1", 80), "letters, digits and"),
}


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_members_that_nginx_would_not_take_are_refused(site: Site, case: str) -> None:
    member, reason = BROKEN[case]
    files = texts(site)
    with pytest.raises(Unsupported, match=reason):
        site.driver.define(replace(site.web, pools={**site.web.pools, "blue": (member,)}), "blue")
    with pytest.raises(Unsupported, match="pool blue of service web has no members"):
        site.driver.define(replace(site.web, pools={**site.web.pools, "blue": ()}), "blue")
    assert texts(site) == files


def test_two_services_at_one_address_are_refused(site: Site) -> None:
    router = {**site.nginx.definition}
    router["services"] = {**router["services"], "shop": site.web.options}
    with pytest.raises(Unsupported, match=r"shop and web both listen at 127\.0\.0\.1:\d+"):
        NginxManaged(router).define(site.web, "blue")


CACHE = "open_file_cache max=1000 inactive=1h; open_file_cache_valid 1h;"


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "control"])
def test_a_cache_of_files_around_it_does_not_hide_a_share(protected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not protected:
        monkeypatch.setattr(documents, "UNCACHED", ())
    with Site(http=CACHE) as site:
        site.bring(100.0)
        for _ in range(30):  # each worker looks at the last bucket
            Status(str(site.nginx.directory / "status.sock")).pools(site.web, [Asked(999)])
        if protected:
            site.bring(0.0)
            assert {site.nginx.release() for _ in range(20)} == {"v1"}
        else:
            site.driver.write(site.web, site.split(0.0))
            with pytest.raises(NotInForce, match=r"does not see the share of web .*open_file_cache"):
                site.driver.verify(site.web, site.split(0.0))


def test_a_cache_of_files_that_somebody_wrote_into_a_service_is_refused(site: Site) -> None:
    path = site.nginx.directory / "services" / "web.conf"
    path.write_text(path.read_text().replace("open_file_cache off;", CACHE))
    with pytest.raises(Unsupported, match=r"web\.conf has 'open_file_cache max=1000 inactive=1h', so that nginx would"):
        site.driver.read(site.web)
    site.driver.define(site.web, "blue")
    site.driver.read(site.web)


def test_a_share_that_workers_may_not_see_is_told(site: Site) -> None:
    """The files say 30 %, and nobody gets there."""
    site.bring(30.0)
    shares = site.nginx.directory / "split"
    shares.chmod(0o700)
    if os.getuid():
        pytest.skip("nginx's workers are this user's, who may pass his own directory")
    with pytest.raises(NotInForce, match=r"expected green=300, a worker sees green=0\. Either its user may not pass"):
        site.driver.verify(site.web, site.split(30.0))
    traffic = site.driver.read(site.web)
    assert traffic.split == {"blue": 100.0, "green": 0.0}
    assert "may not pass that directory" in " ".join(traffic.warnings)
    with pytest.raises(NotInForce, match="workers do not see the share of service web"):
        site.driver.define(optioned(site.web, timeouts={"server": "1m"}), "blue")
    shares.chmod(0o755)
    site.driver.verify(site.web, site.split(30.0))


def test_what_is_left_to_its_operator_needs_nothing_of_zdm_and_comes_back() -> None:
    """The split stays what it is, over each of: left, restarted, taken back."""
    with Site(names=("web", "shop")) as site:
        site.bring(30.0)
        site.bring(100.0, "shop")
        files = site.nginx.files()
        assert [Path(change.thing).name for change in site.driver.detach(site.web, check=True)] == ["web.conf", "web"]
        assert site.nginx.files() == files
        site.driver.detach(site.web)
        assert not (site.nginx.directory / "split" / "web").exists()
        assert site.driver.detach(site.web) == []
        for use in (site.driver.read, lambda web: site.driver.write(web, site.split(5.0))):
            with pytest.raises(Unsupported, match=r"stands in .*web\.conf, which zdm has left to its operator"):
                use(site.web)
        site.driver.detach(site.services["shop"])
        site.nginx.stop()
        site.nginx.start()
        assert {site.nginx.release("shop") for _ in range(20)} == {"v2"}
        client = Client(site.nginx.url(), rate=None, connections=8).start()
        seen_more(client, 2000)
        result = client.stop()
        assert result.failed == 0, result.kinds
        assert result.shares["v2"] == pytest.approx(30, abs=5)
        for service in site.services.values():
            site.driver.define(service, "blue")
        assert (site.nginx.share(), site.nginx.share("shop")) == (30, 100)
        site.bring(5.0)


def test_the_module(site: Site, tmp_path: Path) -> None:
    """Check mode touches nothing; a second run changes nothing; a new service is known afterwards."""
    shop = replace(optioned(site.web, listen="127.0.0.1:%d" % free_port()), name="shop")
    router = {**site.nginx.definition, "state": str(tmp_path / "state")}
    arguments = {"router": router, "service": shop.to_json(), "initial": "green"}
    files, workers = site.nginx.files(), site.nginx.workers()
    checked = run_module("service", arguments, tmp_path, "--check", "--diff")
    assert checked.changed and checked.result["traffic"] is None
    assert (site.nginx.files(), site.nginx.workers()) == (files, workers)
    assert not (tmp_path / "state").exists()

    done = run_module("service", arguments, tmp_path)
    assert done.result["changes"] == checked.result["changes"]
    assert done.result["traffic"]["split"] == {"blue": 0.0, "green": 100.0}
    files, workers = site.nginx.files(), site.nginx.workers()
    again = run_module("service", arguments, tmp_path)
    assert (again.changed, again.result["changes"]) == (False, [])
    assert (site.nginx.files(), site.nginx.workers()) == (files, workers)

    arguments["service"] = optioned(shop, **REFUSED).to_json()
    assert "nginx would not take its configuration" in run_module("service", arguments, tmp_path).refusal
