# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making services known to a real Envoy: before it runs, while it runs, and after a start with broken files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import (
    DOWN,
    UNCHECKED,
    UP,
    Health,
    Member,
    Service,
    Unreachable,
    Unsupported,
    Wanted,
)
from ansible_collections.zdm.rollout.plugins.module_utils.routers.envoy import EnvoyManaged
from tests.support.envoy import Site
from tests.support.wait import until


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as running:
        running.start()
        yield running


def test_envoy_that_does_not_run_is_named(tmp_path: Path) -> None:
    driver = EnvoyManaged({"config": str(tmp_path)})
    with pytest.raises(Unreachable, match=r"admin\.sock does not exist: start Envoy"):
        driver.read(Service("web", "test", {}))


def test_a_service_that_envoy_does_not_know_is_unsupported(site: Site) -> None:
    pools = site.services["web"].pools
    with pytest.raises(Unsupported, match=r"no routes for service shop in force.*zdm\.rollout\.service.*router"):
        site.driver.read(Service("shop", "test", pools))
    unknown = replace(site.services["web"], pools={"blue": pools["blue"], "red": pools["green"]})
    with pytest.raises(Unsupported, match=r"no cluster web-red.*zdm\.rollout\.service"):
        site.driver.write(unknown, Wanted({"blue": 50.0, "red": 50.0}, "blue"))
    with pytest.raises(Unsupported, match="sums to 90: expected 100; nothing was changed"):
        site.driver.write(site.services["web"], Wanted({"blue": 90.0}, "blue"))
    assert site.envoy.weights("web") == {"web-blue": 10000, "web-green": 0}


def test_health_is_what_envoy_finds(site: Site) -> None:
    def health(pool: str) -> str:
        (found,) = [member.health for member in site.driver.read(site.services["web"]).members if member.pool == pool]
        return found

    site.bring(30.0)
    assert [(m.name, m.pool, m.health, m.weight) for m in site.driver.read(site.services["web"]).members] == [
        ("web-blue", "blue", UP, 7000),
        ("web-green", "green", UP, 3000),
    ]
    site.members["web-green"].behave(healthy=False)
    until(lambda: health("green") == DOWN, "green to be found down")
    site.members["web-green"].behave(healthy=True)
    until(lambda: health("green") == UP, "green to be found well again")
    site.driver.define(replace(site.services["web"], health=None), "blue")
    assert (health("blue"), health("green")) == (UNCHECKED, UNCHECKED)
    assert site.envoy.weights("web") == {"web-blue": 7000, "web-green": 3000}


def test_health_is_asked_as_the_service_wants_it(site: Site) -> None:
    """404 is what /health never says, so a pool that has to say it is down."""
    service = replace(site.services["web"], health=Health(path="/health", expect=404))
    site.driver.define(service, "blue")
    until(
        lambda: {member.health for member in site.driver.read(service).members} == {DOWN},
        "all members to be found down",
    )


def test_a_pool_comes_gets_traffic_and_goes(site: Site) -> None:
    service = site.services["web"]
    red = {"red": (replace(service.pools["green"][0], name="web-red"),)}
    three = replace(service, pools={**service.pools, **red})
    site.driver.define(three, "blue")
    site.driver.write(three, Wanted({"blue": 0.0, "green": 0.0, "red": 100.0}, "blue"))
    assert site.envoy.weights("web") == {"web-blue": 0, "web-green": 0, "web-red": 10000}
    with pytest.raises(Unsupported, match=r"web-red still gets traffic.*bring its share to another first"):
        site.driver.define(service, "blue")
    site.driver.revert(three, "blue")
    things = [Path(change.thing).name for change in site.driver.define(service, "blue")]
    assert things == ["web.json", "cds.json", "web-red.json"], "routes let go of it before the cluster goes"
    assert not (site.envoy.directory / "eds" / "web-red.json").exists()
    assert "web-red" not in site.envoy.get("/clusters")
    assert site.ask() == 200


def test_members_come_and_go(site: Site) -> None:
    service = site.services["web"]
    swapped = replace(service, pools={**service.pools, "blue": (replace(service.pools["green"][0], name="two"),)})
    site.driver.define(swapped, "blue")
    assert "two" in {member.name for member in site.driver.read(swapped).members}
    before = site.members["web-blue"].count()["requests"]
    until(lambda: site.ask() == 200, "the new member to answer")
    assert site.members["web-blue"].count()["requests"] == before
    assert site.members["web-green"].count()["requests"] > 0


@pytest.mark.parametrize(
    ("pools", "said"),
    [
        ({"blue": ()}, "pool blue of service web has no members"),
        ({"blue": (Member("a", "a.example.com", 80),)}, r"'a\.example\.com'.*set zdm_address"),
        ({"green": (Member("a", "127.0.0.1", 80),)}, "initial is 'blue': expected a pool of service web"),
    ],
)
def test_what_envoy_could_not_serve_is_refused_before_anything_is_written(
    tmp_path: Path, pools: dict[str, tuple[Member, ...]], said: str
) -> None:
    driver = EnvoyManaged({"config": str(tmp_path)})
    with pytest.raises(Unsupported, match=said):
        driver.define(Service("web", "test", pools), "blue")
    assert list(tmp_path.iterdir()) == []


def test_two_services_that_would_share_a_cluster_are_refused(site: Site) -> None:
    """web-blue is pool blue of web; it cannot be pool blue of another, nor pool `` of web-blue."""
    pools = {"b-c": site.services["web"].pools["blue"]}
    site.driver.define(Service("a", "test", pools), "b-c")
    with pytest.raises(Unsupported, match=r"cluster a-b-c .* is not pool c of service a-b but pool b-c of service a"):
        site.driver.define(Service("a-b", "test", {"c": pools["b-c"]}), "c")


def broken_text(path: Path) -> None:
    path.write_text("{ broken")


@pytest.mark.parametrize("broken", ["rds/web.json", "cds/cds.json", "eds/web-blue.json", "eds/web-blue.json missing"])
def test_a_start_with_a_broken_file_is_repaired_by_defining_again(site: Site, broken: str) -> None:
    if not broken.startswith("rds"):
        site.bring(30.0)
    files = {name: digest for name, (digest, _) in site.envoy.files().items()}
    site.envoy.stop()
    name, _, missing = broken.partition(" ")
    path = site.envoy.directory / name
    path.unlink() if missing else broken_text(path)
    site.envoy.start()
    assert 404 in {site.ask() for _ in range(20)} or broken == "eds/web-blue.json"
    assert site.driver.define(site.services["web"], "blue")
    until(lambda: site.ask() == 200, "a request to be served")
    assert {name: digest for name, (digest, _) in site.envoy.files().items()} == files
    assert site.driver.define(site.services["web"], "blue") == []


def test_broken_clusters_of_an_envoy_that_does_not_run_are_left_to_people(site: Site) -> None:
    """Nobody knows then what the other services' clusters were."""
    site.envoy.stop()
    broken_text(site.envoy.directory / "cds" / "cds.json")
    with pytest.raises(Unsupported, match=r"cds\.json is not a document of Envoy, and Envoy does not run"):
        site.driver.define(site.services["web"], "blue")
