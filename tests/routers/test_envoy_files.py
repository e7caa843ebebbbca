# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stays: the split over a restart, the last good file after a refusal, everything in a second run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _envoy_documents as documents
from ansible_collections.zdm.rollout.plugins.module_utils.routers._envoy_admin import Admin
from ansible_collections.zdm.rollout.plugins.module_utils.routers._envoy_files import Files
from ansible_collections.zdm.rollout.plugins.module_utils.routers._envoy_push import Pusher
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import NotInForce, Refused, Unreachable
from tests.support.envoy import Site
from tests.support.wait import until

THIRTY = {"web-blue": 7000, "web-green": 3000}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as running:
        running.start()
        yield running


def routes_file(site: Site) -> Path:
    return site.envoy.directory / "rds" / "web.json"


def restart(site: Site) -> None:
    site.envoy.stop()
    site.envoy.start()


def rename_into(path: Path, text: str) -> None:
    """As somebody else would put a file there."""
    beside = path.with_suffix(".other")
    beside.write_text(text)
    beside.rename(path)


@pytest.mark.parametrize("death", ["stop", "kill"])
def test_a_restart_keeps_the_split(site: Site, death: str) -> None:
    site.bring(30.0)
    getattr(site.envoy, death)()
    with pytest.raises(Unreachable, match="nobody listens at Envoy's admin socket"):
        site.driver.read(site.services["web"])
    site.envoy.start()
    assert site.envoy.weights("web") == THIRTY
    assert site.driver.changes(site.services["web"], site.split(30.0)) == []
    site.driver.verify(site.services["web"], site.split(30.0))


def test_what_envoy_refuses_is_put_back(site: Site) -> None:
    """A service that Envoy cannot have (two wildcards) is refused with its reason; what was there before stays."""
    site.bring(30.0)
    before = routes_file(site).read_bytes()
    unfit = replace(site.services["web"], options={"domains": ["*", "*"]})
    with pytest.raises(Refused, match="Only a single wildcard domain is permitted") as refusal:
        site.driver.write(unfit, site.split(60.0))
    assert "put back" in str(refusal.value)
    assert str(routes_file(site)) in str(refusal.value)
    assert int(site.envoy.stat("http.web.rds.web.update_rejected")) == 1
    assert site.envoy.weights("web") == THIRTY
    assert routes_file(site).read_bytes() == before
    restart(site)
    assert site.envoy.weights("web") == THIRTY
    assert site.ask() == 200


def test_control_a_refused_file_that_is_left_there_is_what_a_restart_reads(site: Site) -> None:
    unfit = replace(site.services["web"], options={"domains": ["*", "*"]})
    refused = documents.document([documents.routes(unfit, THIRTY)])
    rename_into(routes_file(site), refused)
    until(lambda: site.envoy.stat("http.web.rds.web.update_rejected") == "1", "Envoy to refuse it")
    assert site.ask() == 200
    restart(site)
    assert site.ask() == 404


def test_where_the_file_was_broken_before_the_one_that_runs_is_put_there(site: Site) -> None:
    site.bring(30.0)
    rename_into(routes_file(site), "{ broken")
    until(lambda: site.envoy.stat("http.web.rds.web.update_failure") == "1", "Envoy to refuse it")
    (warning,) = site.driver.read(site.services["web"]).warnings
    assert "a restart of Envoy would read another split" in warning
    unfit = replace(site.services["web"], options={"domains": ["*", "*"]})
    with pytest.raises(Refused):
        site.driver.write(unfit, site.split(60.0))
    restart(site)
    assert site.envoy.weights("web") == THIRTY
    assert site.ask() == 200


def test_a_broken_file_is_put_right_by_the_next_write_of_the_same_split(site: Site) -> None:
    site.bring(30.0)
    good = routes_file(site).read_text()
    rename_into(routes_file(site), "{ broken")
    (change,) = site.driver.changes(site.services["web"], site.split(30.0))
    assert (change.thing, change.before, change.after) == (str(routes_file(site)), "{ broken", good)
    site.bring(30.0)
    assert routes_file(site).read_text() == good


def test_without_a_log_the_refusal_says_what_was_counted(site: Site) -> None:
    site.envoy.directory.joinpath("envoy.log").unlink()
    unfit = replace(site.services["web"], options={"domains": ["*", "*"]})
    with pytest.raises(Refused, match=r"update_rejected went up, and there is no reason in .*envoy\.log"):
        site.driver.write(unfit, site.split(60.0))


def test_a_file_that_envoy_never_looks_at_is_an_error_that_says_what_was_seen(site: Site) -> None:
    files = Files(str(site.envoy.directory / "elsewhere"))
    pusher = Pusher(Admin(str(site.envoy.directory / "admin.sock")), files, deadline=0.3)
    version = site.envoy.stat("http.web.rds.web.version_text")
    text = documents.document([documents.routes(site.services["web"], THIRTY)])
    seen = r"within 0\.3 s: expected version %s .* version_text=%s" % (documents.version(text), re.escape(version))
    with pytest.raises(NotInForce, match=seen):
        pusher.push("http.web.rds.web", files.routes_of("web"), text, None)
    assert not Path(files.routes_of("web")).exists()


def test_a_second_run_changes_nothing(site: Site) -> None:
    service = site.services["web"]
    site.bring(30.0)
    files, tried = site.envoy.files(), site.envoy.stat("http.web.rds.web.update_attempt")
    assert site.driver.define(service, "green") == []
    assert site.driver.changes(service, site.split(30.0)) == []
    site.bring(30.0)
    assert site.envoy.files() == files
    assert site.envoy.stat("http.web.rds.web.update_attempt") == tried
    site.driver.revert(service, "blue")
    files = site.envoy.files()
    site.driver.revert(service, "blue")
    assert site.envoy.files() == files


def test_asking_what_would_change_changes_nothing(site: Site) -> None:
    files = site.envoy.files()
    (change,) = site.driver.changes(site.services["web"], site.split(5.0))
    assert documents.split_weights(json.loads(change.before)["resources"][0]) == {"web-blue": 10000, "web-green": 0}
    assert documents.split_weights(json.loads(change.after)["resources"][0]) == {"web-blue": 9500, "web-green": 500}
    moved = replace(site.services["web"], health=None)
    assert [change.thing for change in site.driver.define(moved, "blue", check=True)]
    assert site.envoy.files() == files


def test_somebody_elses_split_is_seen(site: Site) -> None:
    site.bring(30.0)
    routes = documents.routes(site.services["web"], {"web-blue": 1, "web-green": 1})
    rename_into(routes_file(site), documents.as_text("theirs", [routes]))
    until(lambda: site.envoy.stat("http.web.rds.web.version_text") == "theirs", "Envoy to take it")
    assert site.driver.read(site.services["web"]).split == {"blue": 50.0, "green": 50.0}
    with pytest.raises(NotInForce, match=r"expected web-blue 7000, web-green 3000 .* it runs web-blue 1, web-green 1"):
        site.driver.verify(site.services["web"], site.split(30.0))
    site.bring(30.0)
    assert site.envoy.weights("web") == THIRTY


def test_weights_of_zero_are_no_split(site: Site) -> None:
    """Envoy itself refuses them, so no service comes to have none by a file."""
    routes = documents.routes(site.services["web"], {"web-blue": 0, "web-green": 0})
    rename_into(routes_file(site), documents.document([routes]))
    until(lambda: site.envoy.stat("http.web.rds.web.update_rejected") == "1", "Envoy to refuse it")
    assert site.driver.read(site.services["web"]).held
