# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Envoy with the bootstrap and the arguments of the role `router`, and real members behind it.

What it does is read here by the test's own reader, not by the driver under test.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jinja2

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Health, Service, Wanted
from ansible_collections.zdm.rollout.plugins.module_utils.routers.envoy import EnvoyManaged

from .members import RunningMember
from .ports import free_port
from .processes import Process
from .programs import need
from .wait import until

ROLE = Path(__file__).resolve().parents[2] / "collections/ansible_collections/zdm/rollout/roles/router"
HEALTH = Health(path="/health", timeout=1.0)


class RunningEnvoy:
    """Envoy in ``directory``; it listens for each service of ``names`` at ``ports[name]``."""

    def __init__(self, directory: Path, names: tuple[str, ...]) -> None:
        self.directory, self.admin = directory, directory / "admin.sock"
        self.ports = {name: free_port() for name in names}
        self._process: Process | None = None

    @property
    def definition(self) -> dict[str, Any]:
        """Its ``zdm_router``."""
        services = {name: {"listen": "127.0.0.1:%d" % port} for name, port in self.ports.items()}
        return {"type": "envoy", "mode": "managed", "config": str(self.directory), "services": services}

    def url(self, name: str) -> str:
        return "http://127.0.0.1:%d/" % self.ports[name]

    def start(self, bootstrap: Callable[[str], str] = str) -> None:
        """Start it and wait until it is ready; ``bootstrap`` may change the text of the role's bootstrap."""
        binary = need("envoy")
        path = self.directory / "envoy.json"
        path.write_text(bootstrap(self._bootstrap()), encoding="utf-8")
        arguments = ["--reject-unknown-dynamic-fields", "--disable-hot-restart", "--log-level", "warning"]
        command = [binary, "-c", str(path), *arguments, "--concurrency", "2"]
        self._process = Process(command, self.directory / "envoy.log")
        until(self._ready, "Envoy to be ready, see %s" % (self.directory / "envoy.log"))

    def stop(self) -> None:
        if self._process:
            self._process.stop()

    def kill(self) -> None:
        assert self._process
        self._process.kill()

    def get(self, target: str) -> str:
        """An answer of the admin socket."""
        connection = http.client.HTTPConnection("envoy", timeout=5)
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connected:
            connected.connect(str(self.admin))
            connection.sock = connected
            connection.request("GET", target)
            return connection.getresponse().read().decode()

    def weights(self, name: str) -> dict[str, int]:
        """The weights that are in force for a service."""
        for entry in json.loads(self.get("/config_dump?resource=dynamic_route_configs")).get("configs", ()):
            if entry["route_config"]["name"] == name:
                clusters = entry["route_config"]["virtual_hosts"][0]["routes"][-1]["route"]["weighted_clusters"]
                return {part["name"]: part["weight"] for part in clusters["clusters"]}
        return {}

    def stat(self, name: str) -> str:
        """One statistic by its whole name; empty where there is none."""
        for line in self.get("/stats?filter=^%s$" % name.replace(".", "%5C.")).splitlines():
            return line.partition(": ")[2].strip('"')
        return ""

    def files(self) -> dict[str, tuple[str, int]]:
        """Digest and time of change of every file that zdm writes at run time."""
        return {
            str(path.relative_to(self.directory)): (
                hashlib.sha256(path.read_bytes()).hexdigest(),
                path.stat().st_mtime_ns,
            )
            for kind in ("cds", "eds", "rds")
            for path in (self.directory / kind).rglob("*")
        }

    def _ready(self) -> bool:
        assert self._process
        assert self._process.ended is None, "Envoy ended: %s" % (self.directory / "envoy.log").read_text()
        try:
            return self.get("/ready") == "LIVE\n"
        except OSError:
            return False

    def _bootstrap(self) -> str:
        environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True)
        environment.filters["to_json"] = json.dumps
        return environment.from_string((ROLE / "templates/envoy.json").read_text(encoding="utf-8")).render(
            inventory_hostname="router",
            zdm_router=self.definition,
            router_config=str(self.directory),
            router_admin=str(self.admin),
        )


class Site:
    """An Envoy, services with the pools blue (release v1, all traffic) and green (v2), a driver. All of it runs."""

    def __init__(self, directory: Path, names: tuple[str, ...] = ("web",), health: Health | None = HEALTH) -> None:
        need("envoy")
        self.envoy = RunningEnvoy(directory / "envoy", names)
        self.envoy.directory.mkdir(parents=True)
        self.members = {
            "%s-%s" % (name, pool): RunningMember("%s-%s" % (name, pool), release, directory)
            for name in names
            for pool, release in (("blue", "v1"), ("green", "v2"))
        }
        self.services = {name: self._service(name, health) for name in names}
        self.driver = EnvoyManaged(self.envoy.definition)
        for service in self.services.values():
            self.driver.define(service, "blue")

    def _service(self, name: str, health: Health | None) -> Service:
        pools = {pool: (self.members["%s-%s" % (name, pool)].member,) for pool in ("blue", "green")}
        return Service(name=name, environment="test", pools=pools, health=health)

    def start(self, bootstrap: Callable[[str], str] = str) -> None:
        """Start Envoy and wait until it has found all members well."""
        self.envoy.start(bootstrap)
        for service in self.services.values():
            until(partial(self._all_well, service), "the members of %s to be well" % service.name)

    def _all_well(self, service: Service) -> bool:
        hosts = [
            host
            for cluster in json.loads(self.envoy.get("/clusters?format=json"))["cluster_statuses"]
            if cluster["name"].startswith(service.name + "-")
            for host in cluster["host_statuses"]
        ]
        return len(hosts) == len(service.pools) and all(
            set(host["health_status"]) == {"eds_health_status"} for host in hosts
        )

    def split(self, green: float) -> Wanted:
        return Wanted({"blue": 100 - green, "green": green}, "blue")

    def bring(self, green: float, name: str = "web") -> None:
        """Write a split and read it back, as the apply function does."""
        self.driver.write(self.services[name], self.split(green))
        self.driver.verify(self.services[name], self.split(green))

    def ask(self, name: str = "web", headers: Mapping[str, str] | None = None) -> int:
        """The status of one request through Envoy."""
        connection = http.client.HTTPConnection("127.0.0.1", self.envoy.ports[name], timeout=5)
        try:
            connection.request("GET", "/", headers=dict(headers or {}))
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self.envoy.stop()
        for member in self.members.values():
            member.stop()
