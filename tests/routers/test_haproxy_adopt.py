# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand-written HAProxys are described as they are, nothing is changed by looking, and what is proposed is true.

That is shown by the driver: it can split what fits and refuses what does not.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.zdm.rollout.plugins.module_utils.adoption.description import Found, FoundBackend
from ansible_collections.zdm.rollout.plugins.module_utils.adoption.hosts import Inventory
from ansible_collections.zdm.rollout.plugins.module_utils.adoption.proposal import Proposal, propose
from ansible_collections.zdm.rollout.plugins.module_utils.adoption.text import made
from ansible_collections.zdm.rollout.plugins.module_utils.routers import describe_router
from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_cannot import LOG
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Service, Unsupported, Wanted
from ansible_collections.zdm.rollout.plugins.module_utils.routers.haproxy import HaproxyServers
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import LiveRouter, plan
from ansible_collections.zdm.rollout.plugins.plugin_utils._request import Request, read_request
from tests.support.haproxy import FORMAT, RING, TO_RING, RunningHaproxy
from tests.support.modules import run_module
from tests.support.programs import need
from tests.support.relay import Relay

ROOT = Path(__file__).resolve().parents[2]
TWO_PORTS = """\
server s1 127.0.0.11:8081 {0}
server s2 127.0.0.12:8081 {0}
server s3 127.0.0.11:8082 {0}
server s4 127.0.0.12:8082 {0}"""
COLOURS = """\
server vm1-blue 127.0.0.11:8081 {0}
server vm2-blue 127.0.0.12:8081 {0}
server vm1-green 127.0.0.11:8082 {1}
server vm2-green 127.0.0.12:8082 {1}"""
CHECKED = "balance roundrobin\noption httpchk GET /health\n"


@dataclass(frozen=True)
class Case:
    """``backend`` as it is written; ``says``: of what is said of it; ``pools``: those proposed, none where somebody
    has to decide; ``fits``: whether the driver can split it."""

    backend: str
    says: tuple[str, ...]
    pools: dict[str, list[str]] = field(default_factory=dict)
    fits: bool = True
    words: dict[str, Any] = field(default_factory=dict)


COLOURED = {"blue": ["vm1-blue", "vm2-blue"], "green": ["vm1-green", "vm2-green"]}
PORTED = {"blue": ["s1", "s2"], "green": ["s3", "s4"]}
CASES = {
    "weights 1, two ports": Case(
        CHECKED + TWO_PORTS.format("check"),
        ("the ports 8081 and 8082", "both pools take traffic now (blue 50 %, green 50 %)", "health: {path: /health}"),
        PORTED,
    ),
    "colours": Case(
        CHECKED + COLOURS.format("check weight 100", "check weight 0"),
        ("vm1-blue 100, vm2-blue 100, vm1-green 0", "the words blue and green", "initial: blue"),
        COLOURED,
    ),
    "the scale of 256": Case(
        CHECKED + COLOURS.format("check weight 256", "check weight 1"), ("(blue 99.61 %, green 0.39 %)",), COLOURED
    ),
    "idle by weight": Case(
        CHECKED + "server a1 127.0.0.11:80 check\nserver c7 127.0.0.12:80 check weight 0",
        ("the weight 0 of c7",),
        {"blue": ["a1"], "green": ["c7"]},
    ),
    "equal servers": Case(
        CHECKED + "server a1 127.0.0.11:80 check\nserver c7 127.0.0.12:80 check",
        ("To be decided", "server a1-green 127.0.0.11:81 check weight 0", "such as c7: give these `weight 0`"),
    ),
    "static-rr": Case(
        "balance static-rr\n" + COLOURS.format("check", "check weight 0"),
        ("! `balance static-rr` takes no weights", "backend web: balance roundrobin", "does not fit yet"),
        COLOURED,
        fits=False,
    ),
    "source": Case(
        "balance source\n" + COLOURS.format("check", "check weight 0"),
        ("! `balance source` ties users",),
        COLOURED,
        fits=False,
    ),
    "leastconn": Case(
        "balance leastconn\n" + COLOURS.format("check", "check weight 0"), ("- `balance leastconn`",), COLOURED
    ),
    "unchecked": Case(
        "balance roundrobin\n" + COLOURS.format("", "weight 0"),
        ("vm2-green: no `check`: always up", "server vm1-blue 127.0.0.11:8081 check", "# health: {path: /health}"),
        COLOURED,
    ),
    "checked by a connection": Case(
        "balance roundrobin\n" + COLOURS.format("check", "check weight 0"), ("by a connection only",), COLOURED
    ),
    "operator": Case(
        CHECKED + COLOURS.format("check", "check weight 0"),
        ("! the runtime socket has level operator", "mode 660 level admin"),
        COLOURED,
        fits=False,
        words={"level": "operator"},
    ),
    "user": Case(
        CHECKED + COLOURS.format("check", "check weight 0"),
        ("! the runtime socket has level user",),
        COLOURED,
        fits=False,
        words={"level": "user"},
    ),
    "stick table": Case(
        CHECKED + "stick-table type ip size 10k expire 30m\nstick on src\n" + COLOURS.format("check", "check weight 0"),
        ("stick table: ip, 10240 entries", "`stick on src`: who is in the stick table stays"),
        COLOURED,
    ),
    "cookie": Case(
        CHECKED + "cookie SRV insert\n" + COLOURS.format("check cookie x", "check weight 0"),
        ("vm1-blue, vm2-blue: a cookie",),
        COLOURED,
    ),
    "backup": Case(
        CHECKED + COLOURS.format("check", "check weight 0") + "\nserver sorry 127.0.0.13:80 backup",
        ("sorry: `backup`: takes nothing", "Left alone, in no pool: sorry."),
        COLOURED,
    ),
    "maintenance": Case(
        CHECKED + COLOURS.format("check", "check weight 0") + "\nserver spare 127.0.0.13:8081 check disabled",
        ("MAINT", "Left alone, in no pool: spare."),
        COLOURED,
    ),
    "tcp": Case(
        "balance roundrobin\n" + COLOURS.format("check", "check weight 0"),
        ("`mode tcp`: the share is of connections",),
        COLOURED,
        words={"mode": "tcp"},
    ),
    "slowstart": Case(
        CHECKED + COLOURS.format("check slowstart 60s", "check weight 0"),
        ("vm1-blue, vm2-blue: `slowstart`",),
        COLOURED,
    ),
    "agent-check": Case(
        CHECKED + COLOURS.format("check", "check weight 0 agent-check agent-port 9 agent-inter 60s"),
        ("vm1-green, vm2-green: `agent-check`",),
        COLOURED,
    ),
    "server-template": Case(
        CHECKED + "server-template app 3 127.0.0.11:8081 check\nserver other 127.0.0.12:8082 check",
        ("app1 and app2 are the same server, 127.0.0.11:8081",),
    ),
    "use-server": Case(
        CHECKED + "use-server vm1-blue if { path /x }\n" + COLOURS.format("check", "check weight 0"),
        ("`use-server vm1-blue` goes round the weights",),
        COLOURED,
    ),
    "a socket of its own": Case(
        CHECKED + "server here unix@/nowhere check\n" + COLOURS.format("check", "check weight 0"),
        ("here: no address and port that zdm could name", "here takes traffic and has no address"),
    ),
    "no servers": Case("balance roundrobin", ("! it has no servers",), fits=False),
    "a state file": Case(
        CHECKED + "load-server-state-from-file global\n" + COLOURS.format("check", "check weight 0"),
        ("server-state file: /nowhere/state", "unless /nowhere/state is saved before"),
        COLOURED,
        words={"globals_": "server-state-file /nowhere/state"},
    ),
    "a log": Case(
        CHECKED + "retries 1\noption redispatch\n" + COLOURS.format("check", "check weight 0"),
        ("log of requests: ring lb", "log: {ring: lb}", "retries 1, with redispatch"),
        COLOURED,
        words={"log": TO_RING},
    ),
}


class Looked:
    """A hand-written HAProxy behind a relay that keeps what passes, and what was found there."""

    def __init__(self, directory: Path, case: Case) -> None:
        self.directory = directory
        self.haproxy = RunningHaproxy(directory, case.backend, **case.words)
        self.relay = Relay(directory / "relay.sock", self.haproxy.socket)
        self.definition = {"socket": str(self.relay.path), "state": str(directory / "state")}

    def find(self) -> tuple[Found, FoundBackend]:
        found = describe_router(self.definition)
        web = found.backend("web")
        assert web is not None
        return found, web

    def proposal(self, found: Found) -> Proposal:
        return propose({"lb1": found}, "web", {"lb1": self.definition}, Inventory())

    def untouched(self) -> object:
        """Differs as soon as anybody has changed a weight, a server's state or a file."""
        states = [
            [word for number, word in enumerate(line.split()) if number in (3, 4, 6, 7, 8, 18)]
            for line in self.haproxy.ask("show servers state").splitlines()
        ]
        files = {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            for path in self.directory.rglob("*")
            if path.name != "haproxy.log" and (path.is_file() or path.is_dir())
        }
        return states, files


@pytest.fixture
def looked(request: pytest.FixtureRequest) -> Iterator[Looked]:
    need("haproxy")
    directory = Path(tempfile.mkdtemp(prefix="zdm-adopt-"))
    here = Looked(directory, MENDED if request.param == "mended" else CASES[request.param])
    try:
        here.haproxy.start()
        with here.relay:
            yield here
    finally:
        here.haproxy.stop()
        shutil.rmtree(directory, ignore_errors=True)


def pasted(proposal: Proposal, directory: Path) -> Request:
    """The lines, as zdm's own reader takes them."""
    tree = yaml.safe_load(proposal.inventory)["all"]["children"]
    hosts = {host: {**group.get("vars", {}), **own} for group in tree.values() for host, own in group["hosts"].items()}
    (directory / "web.yml").write_text(proposal.spec, encoding="utf-8")
    groups = {name: list(group["hosts"]) for name, group in tree.items()}
    return read_request(str(directory / "web.yml"), "2.10", groups, hosts)


@pytest.mark.parametrize(("looked", "case"), [(name, name) for name in CASES], indirect=["looked"])
def test_what_is_there_is_described_and_left_as_it_is(looked: Looked, case: str) -> None:
    before = looked.untouched()
    found, web = looked.find()
    text = "\n".join(made({"lb1": found}, "web", {"lb1": looked.definition})[1])
    for words in CASES[case].says:
        assert words in text, text
    assert (found.fits and web.fits) is CASES[case].fits
    assert found.files == (str(looked.directory / "haproxy.cfg"),)
    assert looked.relay.commands
    assert looked.relay.orders == []
    assert looked.untouched() == before


@pytest.mark.parametrize(("looked", "case"), [(name, name) for name in CASES if CASES[name].pools], indirect=["looked"])
def test_the_lines_are_read_and_the_driver_agrees(looked: Looked, case: str, tmp_path: Path) -> None:
    request = pasted(looked.proposal(looked.find()[0]), tmp_path)
    service = request.fleet.service_for("lb1", request.spec)
    assert {pool: [each.name for each in members] for pool, members in service.pools.items()} == CASES[case].pools
    driver = HaproxyServers(request.fleet.routers["lb1"])
    if not CASES[case].fits:
        assert not splits(driver, service)
        return
    assert splits(driver, service)
    # Nobody is at these addresses, and when HAProxy finds that out is a matter of luck.
    spec = replace(request.spec, on_sick_stable="leave")
    planned = plan(spec, request.fleet, {"lb1": LiveRouter(driver.read(service), None)})
    assert planned.stable == request.spec.initial == "blue"
    assert all(planned.routers["lb1"].held)


def splits(driver: HaproxyServers, service: Service) -> bool:
    """Whether the driver would take a share for green, asked without changing anything."""
    try:
        return bool(driver.changes(service, Wanted({"blue": 75.0, "green": 25.0}, "blue")))
    except Unsupported:
        return False


MENDED = Case(
    CHECKED + "load-server-state-from-file global\n" + COLOURS.format("check", "check weight 0"),
    (),
    words={"globals_": "server-state-file /nowhere/state", "log": TO_RING},
)


@pytest.mark.parametrize("looked", ["mended"], indirect=True)
def test_what_is_mended_as_it_is_said_is_not_said_again(looked: Looked) -> None:
    found, web = looked.find()
    assert found.limits == (), "the log is the one that a HAProxy without one is told of"
    assert all(line in LOG for line in (FORMAT, "log " + TO_RING, *map(str.strip, RING.splitlines())))
    (saved,) = web.limits
    assert "unless /nowhere/state is saved before" in saved.what
    assert saved.mend == 'before each reload: echo "show servers state" | socat %s - > /nowhere/state' % found.socket


def test_the_page_shows_what_is_said_of_its_configuration() -> None:
    """Its addresses are put on this machine, where nobody answers: all but the servers' health is as it is shown."""
    need("haproxy")
    page = (ROOT / "docs/adopt.md").read_text(encoding="utf-8")
    written, shown = (re.findall(r"```%s\n(.*?)```" % kind, page, re.DOTALL)[0] for kind in ("haproxy", "text"))
    directory = Path(tempfile.mkdtemp(prefix="zdm-adopt-"))
    haproxy = RunningHaproxy(directory, "")
    places = {str(haproxy.socket): "/run/haproxy/admin.sock", str(directory): "/etc/haproxy", "127.0.0.": "10.0.0."}
    for here, there in places.items():
        written = written.replace(there, here)
    (directory / "haproxy.cfg").write_text(written.replace("bind :80", "bind 127.0.0.1:%d" % haproxy.port))
    try:
        haproxy.start()
        text = "\n".join(made({"lb1": describe_router({"socket": str(haproxy.socket)})}, "", {})[1]) + "\n"
    finally:
        haproxy.stop()
        shutil.rmtree(directory, ignore_errors=True)
    for here, there in places.items():
        text = text.replace(here, there)
    assert healthless(text) == healthless(shown)


def healthless(text: str) -> str:
    """Without the version and the servers' health, which are this machine's."""
    text = re.sub(r"HAProxy [^,]+", "HAProxy", text)
    return re.sub(r"\(\d up", "(N up", re.sub(r"  (UP|DOWN)( \d+/\d+)?$", "  HEALTH", text, flags=re.MULTILINE))


@pytest.mark.parametrize("looked", ["colours"], indirect=True)
def test_a_change_would_have_been_seen__control(looked: Looked) -> None:
    before = looked.untouched()
    looked.haproxy.ask("set server web/vm1-green weight 7")
    assert looked.untouched() != before


@pytest.mark.parametrize("looked", ["colours"], indirect=True)
@pytest.mark.parametrize("flags", [(), ("--check", "--diff")], ids=["run", "check mode"])
def test_the_module_tells_it_and_changes_nothing(looked: Looked, flags: tuple[str, ...], tmp_path: Path) -> None:
    before = looked.untouched()
    told = run_module("traffic_info", {"router": looked.definition, "backend": "web"}, tmp_path / "home", *flags)
    assert not told.changed
    assert Found.from_json(told.result["described"]).backend("web") is not None
    assert any("mode servers fits" in line for line in told.result["lines"])
    assert "traffic" not in told.result
    assert looked.relay.orders == []
    assert looked.untouched() == before
    assert not (looked.directory / "state").exists()


@pytest.mark.parametrize("looked", ["colours"], indirect=True)
def test_what_the_module_cannot_describe_is_said(looked: Looked, tmp_path: Path) -> None:
    def refusal(**arguments: Any) -> str:
        return run_module("traffic_info", {"router": looked.definition, **arguments}, tmp_path / "home").refusal

    assert "no router has a backend wep (there are empty, other, web)" in refusal(backend="wep")
    assert "zdm_router.type is 'envoy': only a haproxy" in refusal(router={"type": "envoy"})
    assert "/nonexistent/s does not exist" in refusal(router={"socket": "/nonexistent/s"})
