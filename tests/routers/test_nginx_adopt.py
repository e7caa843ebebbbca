# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adopting an nginx that people have written: a corpus, each on a real nginx, and nothing changes by looking.

Each case says what has to be said of it. What is proposed is read by zdm's own reader, and by the driver.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.zdm.rollout.plugins.module_utils.adoption.description import Found, FoundBackend
from ansible_collections.zdm.rollout.plugins.module_utils.adoption.hosts import Inventory
from ansible_collections.zdm.rollout.plugins.module_utils.adoption.proposal import Proposal, propose
from ansible_collections.zdm.rollout.plugins.module_utils.adoption.text import made
from ansible_collections.zdm.rollout.plugins.module_utils.routers import _haproxy_process, describe_router, open_router
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import (
    RouterError,
    Service,
    Unreachable,
    Unsupported,
    Wanted,
)
from ansible_collections.zdm.rollout.plugins.module_utils.routers.nginx_managed import NginxManaged
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import LiveRouter, plan
from ansible_collections.zdm.rollout.plugins.plugin_utils._request import Request, read_request
from tests.support.members import RunningMember
from tests.support.modules import run_module
from tests.support.nginx import RunningNginx
from tests.support.nginx_corpus import BLUE_GREEN, CASES, INCLUDED, Case, web
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]


class Looked:
    """A hand-written nginx, and what was found there."""

    def __init__(self, directory: Path, case: Case) -> None:
        self.directory = directory
        self.nginx = RunningNginx(directory, case.http, case.main)
        for name, text in case.files.items():
            (directory / name).parent.mkdir(exist_ok=True)
            (directory / name).write_text(self.nginx.filled(text))
        self.definition = {"type": "nginx", "nginx_conf": str(self.nginx.file), "state": str(directory / "state")}

    def find(self) -> tuple[Found, FoundBackend]:
        found = describe_router(self.definition)
        known = found.backend("web")
        assert known is not None
        return found, known

    def proposal(self, inventory: Inventory | None = None) -> Proposal:
        return propose({"lb1": self.find()[0]}, "web", {"lb1": self.definition}, inventory or Inventory())

    def untouched(self) -> object:
        """Differs as soon as anybody has written or touched a file, or nginx has read its configuration again."""
        files = {
            str(path): (
                path.stat().st_mtime_ns,
                hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else sorted(path.iterdir()),
            )
            for path in [self.directory, *self.directory.rglob("*")]
        }
        return files, self.nginx.pid, self.nginx.workers()


@pytest.fixture
def looked(request: pytest.FixtureRequest) -> Iterator[Looked]:
    directory = Path(tempfile.mkdtemp(prefix="zdm-adopt-"))
    here = Looked(directory, CASES[request.param])
    try:
        here.nginx.start()
        yield here
    finally:
        here.nginx.stop()
        shutil.rmtree(directory, ignore_errors=True)


def pasted(proposal: Proposal, directory: Path) -> Request:
    """The lines, as zdm's own reader takes them."""
    tree = yaml.safe_load(proposal.inventory)["all"]["children"]
    hosts = {host: {**group.get("vars", {}), **own} for group in tree.values() for host, own in group["hosts"].items()}
    (directory / "web.yml").write_text(proposal.spec, encoding="utf-8")
    groups = {name: list(group["hosts"]) for name, group in tree.items()}
    return read_request(str(directory / "web.yml"), "2.10", groups, hosts)


@pytest.mark.parametrize(("looked", "case"), [(name, name) for name in CASES], indirect=["looked"])
def test_what_is_there_is_told_and_left_as_it_is(looked: Looked, case: str, tmp_path: Path) -> None:
    before = looked.untouched()
    found, known = looked.find()
    proposal, lines = made({"lb1": found}, "web", {"lb1": looked.definition})
    text = "\n".join(lines)
    for words in CASES[case].says:
        assert looked.nginx.filled(words) in text, text
    assert (found.fits and known.fits) is CASES[case].fits
    assert looked.untouched() == before
    assert Found.from_json(found.to_json()) == found
    if not CASES[case].pools:
        assert proposal.spec == ""
        return
    # What is proposed is read, and the driver agrees.
    request = pasted(proposal, tmp_path)
    service = request.fleet.service_for("lb1", request.spec)
    assert {pool: [m.endpoint for m in members] for pool, members in service.pools.items()} == CASES[case].pools
    driver = open_router(request.fleet.routers["lb1"])
    assert splits(driver, service) is CASES[case].fits
    if CASES[case].fits:
        planned = plan(request.spec, request.fleet, {"lb1": LiveRouter(driver.read(service), None)})
        assert planned.stable == request.spec.initial == "blue"
        assert all(planned.routers["lb1"].held)
    assert looked.untouched() == before


def splits(driver: Any, service: Service) -> bool:
    """Whether the driver would take a share for green, asked without changing anything."""
    try:
        return bool(driver.changes(service, Wanted({"blue": 75.0, "green": 25.0}, "blue")))
    except RouterError:
        return False


@pytest.mark.parametrize("looked", ["a file of its own"], indirect=True)
@pytest.mark.parametrize("change", ["file", "touch", "reload"])
def test_a_change_would_have_been_seen__control(looked: Looked, change: str) -> None:
    before = looked.untouched()
    if change == "file":
        (looked.directory / "web.servers").write_text(BLUE_GREEN + "\n")
    elif change == "touch":
        (looked.directory / "web.servers").touch()
    else:
        looked.nginx.reload()
    assert looked.untouched() != before


@pytest.mark.parametrize("looked", ["a file of its own"], indirect=True)
@pytest.mark.parametrize("flags", [(), ("--check", "--diff")], ids=["run", "check mode"])
def test_the_module_tells_it_and_changes_nothing(looked: Looked, flags: tuple[str, ...], tmp_path: Path) -> None:
    before = looked.untouched()
    told = run_module("traffic_info", {"router": looked.definition, "backend": "web"}, tmp_path / "home", *flags)
    assert not told.changed
    assert Found.from_json(told.result["described"]).backend("web") is not None
    assert any("mode servers fits" in line for line in told.result["lines"])
    assert looked.untouched() == before


@pytest.mark.parametrize("looked", ["a file of its own"], indirect=True)
def test_hosts_of_the_inventory_keep_their_names(looked: Looked, tmp_path: Path) -> None:
    inventory = Inventory({"vm1": "127.0.0.11", "vm2": "127.0.0.12"}, {"machines": ["vm1", "vm2"]})
    proposal = looked.proposal(inventory)
    assert "machines" not in proposal.inventory, "it is there already"
    assert 'blue: {group: machines, port: 8081, server: "{host}-blue"}' in proposal.spec


@pytest.mark.parametrize("looked", ["a file of its own"], indirect=True)
@pytest.mark.parametrize("haproxy", [True, False], ids=["beside HAProxy", "alone"])
def test_nginx_is_found_where_nobody_says_what_it_is(
    looked: Looked, haproxy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets = {"/nonexistent/s": "admin"} if haproxy else {}
    monkeypatch.setattr(_haproxy_process, "sockets", lambda *_: sockets)
    assert describe_router({"nginx_conf": str(looked.nginx.file)}).type == "nginx"
    # Where nothing of nginx is named HAProxy goes first.
    if haproxy:
        with pytest.raises(Unreachable, match="/nonexistent/s does not exist"):
            describe_router({})
        return
    try:
        assert describe_router({}).type == "nginx"
    except Unsupported as error:  # others' nginx may run beside this one
        assert "nginx run here" in str(error)


@pytest.mark.parametrize("looked", ["as most have it"], indirect=True)
def test_what_is_mended_as_it_is_said_fits(looked: Looked) -> None:
    """The lines that mend are taken at their word."""
    (limit,) = (limit for limit in looked.find()[1].limits if limit.stops)
    file = looked.directory / "zdm" / "web.servers"
    lines = [line.partition(": ")[2] for line in limit.mend.splitlines() if line.startswith("%s: " % file)]
    assert [re.sub(" +;", ";", line) for line in BLUE_GREEN.strip().splitlines()] == lines
    file.parent.mkdir()
    file.write_text("\n".join(lines) + "\n")
    looked.nginx.write(web("zone web 64k; include %s;" % file))
    looked.nginx.reload()
    found, known = looked.find()
    assert found.fits and known.fits
    assert known.options["file"] == str(file)


@pytest.mark.parametrize("looked", ["a file of its own"], indirect=True)
def test_the_lines_that_make_it_managed_do(looked: Looked, tmp_path: Path) -> None:
    """They are put where it is said, over real members: the share is then changed without a reload."""
    members = {pool: RunningMember(pool, release, tmp_path) for pool, release in (("blue", "v1"), ("green", "v2"))}
    service = Service("web", "test", {pool: (each.member,) for pool, each in members.items()})
    try:
        lines = list(looked.proposal().managed)
        config, logs = looked.directory / "zdm-nginx", looked.directory / "logs"
        words = {"/etc/zdm/nginx": str(config), "/var/log/zdm-nginx": str(logs), "8480": str(free_port())}
        for there, here in words.items():
            lines = [line.replace(there, here) for line in lines]
        router = yaml.safe_load(lines[0].partition(": ")[2])
        router.update(config=str(config), logs=str(logs))
        service = replace(service, options=router["services"]["web"])
        looked.nginx.stop()
        looked.directory.chmod(0o755)  # its workers are another user
        driver = NginxManaged(router)
        driver.define(service, "blue")
        (include,) = (line.partition("{}:")[2] for line in lines if line.startswith("http {}"))
        at = lines.index("server {} whose location has `proxy_pass http://web`:")
        to = next(number for number, line in enumerate(lines) if line.startswith("that location:"))
        server, location = lines[at + 1 : to], [lines[to].partition(":")[2], *lines[to + 1 :]]
        http = include + web(INCLUDED).replace("location / {", "%s location / {" % " ".join(server))
        looked.nginx.write(http.replace("proxy_pass http://web;", " ".join(location)))
        looked.nginx.start()
        assert json.loads(looked.nginx.get(host="www.example.com")[1])["release"] == "v1"
        workers = looked.nginx.workers()
        driver.write(service, Wanted({"blue": 0.0, "green": 100.0}, "blue"))
        assert json.loads(looked.nginx.get(host="www.example.com")[1])["release"] == "v2"
        assert driver.verify(service, Wanted({"blue": 0.0, "green": 100.0}, "blue")).held
        assert looked.nginx.workers() == workers
    finally:
        for each in members.values():
            each.stop()


def test_the_page_shows_what_is_said_of_its_configuration(tmp_path: Path) -> None:
    """Its addresses are put on this machine, where nobody answers."""
    page = (ROOT / "docs/adopt.md").read_text(encoding="utf-8")
    (written,) = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    shown = re.findall(r"```text\n(.*?)```", page, re.DOTALL)[1]
    nginx = RunningNginx(tmp_path, "include {directory}/conf.d/*.conf;")
    places = {str(tmp_path): "/etc/nginx", "listen 127.0.0.1:%d" % nginx.port: "listen 80", "127.0.0.": "10.0.0."}
    for here, there in places.items():
        written = written.replace(there, here)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "web.conf").write_text(written)
    try:
        nginx.start()
        text = "\n".join(made({"lb1": describe_router(nginx.definition)}, "", {})[1]) + "\n"
    finally:
        nginx.stop()
    for here, there in places.items():
        text = text.replace(here, there)
    assert versionless(text) == versionless(shown)


def versionless(text: str) -> str:
    return re.sub(r"nginx [0-9.]+,", "nginx,", text)
