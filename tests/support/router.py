# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A router of a fleet: a real proxy, the way to its host, and what it does, read without zdm's own drivers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Health, Member, Service, Wanted
from ansible_collections.zdm.rollout.plugins.module_utils.routers.envoy import EnvoyManaged
from ansible_collections.zdm.rollout.plugins.module_utils.routers.haproxy_managed import HaproxyManaged
from ansible_collections.zdm.rollout.plugins.module_utils.routers.nginx_managed import NginxManaged
from ansible_collections.zdm.rollout.plugins.module_utils.routers.rules import Rules

from .envoy import RunningEnvoy
from .haproxy import CHECKED, TO_RING, RunningHaproxy
from .haproxy_managed import ManagedHaproxy
from .members import RunningMember
from .nginx_managed import ManagedNginx
from .sshd import RunningSshd

BACKEND = """\
option httpchk GET /health
server blue 127.0.0.1:{blue} weight 100 %s
server green 127.0.0.1:{green} weight 0 %s
""" % (CHECKED, CHECKED)


class Router:
    """Sends all traffic of the service web to blue, until somebody moves it. ``state`` is its agent's directory."""

    def __init__(self, name: str, directory: Path, sshd: RunningSshd | None) -> None:
        directory.mkdir()
        self.name, self.state, self.sshd = name, directory / "state", sshd

    @property
    def definition(self) -> dict[str, Any]:
        """Its ``zdm_router``."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        raise NotImplementedError

    @property
    def variables(self) -> dict[str, Any]:
        """What the inventory says of it."""
        way = self.sshd.variables if self.sshd else {"ansible_connection": "local"}
        return {"zdm_router": self.definition, "ansible_python_interpreter": sys.executable, **way}

    def weights(self) -> dict[str, int]:
        """The weights in force, as the proxy itself says; empty while it does not answer."""
        raise NotImplementedError

    def meddle(self, share: int) -> None:
        """Somebody else gives green so many percent, past zdm."""
        raise NotImplementedError

    def up(self, *servers: str) -> bool:
        """Whether the proxy has found all of these well."""
        raise NotImplementedError

    def know(self, rules: Rules) -> None:
        """The service is made known with these rules, as the role does it."""
        raise NotImplementedError

    def down(self, server: str) -> bool:
        """Whether the proxy has given a server up."""
        return not self.up(server)

    def start(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        """The proxy crashes."""
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def share(self) -> float:
        """Green's share of the weights, in percent; -1 while the proxy does not answer."""
        weights = self.weights()
        return 100.0 * weights["green"] / sum(weights.values()) if weights else -1.0

    def record(self) -> dict[str, Any]:
        """What its agent keeps of the service."""
        found: dict[str, Any] = json.loads((self.state / "test" / "web.json").read_text(encoding="utf-8"))
        return found

    def agent(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The agent's command, as a person runs it on the router's host."""
        command = [sys.executable, str(self.state / "zdm-agent.pyz"), *arguments]
        return subprocess.run(command, text=True, capture_output=True, check=False, timeout=60)


class HaproxyRouter(Router):
    def __init__(
        self, name: str, directory: Path, members: Mapping[str, RunningMember], sshd: RunningSshd | None
    ) -> None:
        super().__init__(name, directory, sshd)
        ports = {pool: member.port for pool, member in members.items()}
        self.haproxy = RunningHaproxy(directory, BACKEND.format(**ports), log=TO_RING)
        self.start, self.kill, self.stop = self.haproxy.start, self.haproxy.kill, self.haproxy.stop  # type: ignore[method-assign]

    @property
    def definition(self) -> dict[str, Any]:
        return {
            "type": "haproxy",
            "mode": "servers",
            "socket": str(self.haproxy.socket),
            "log": {"ring": "lb"},
            "state": str(self.state),
            "services": {"web": {"backend": "web"}},
        }

    @property
    def url(self) -> str:
        return self.haproxy.url

    def weights(self) -> dict[str, int]:
        try:
            rows = self.haproxy.rows()
        except OSError:
            return {}
        return {name: int(row["weight"]) for name, row in rows.items() if name != "BACKEND"}

    def meddle(self, share: int) -> None:
        for server, weight in (("green", share), ("blue", 100 - share)):
            self.haproxy.ask("set server web/%s weight %d" % (server, weight))

    def up(self, *servers: str) -> bool:
        rows = self.haproxy.rows()
        return all(rows[server]["status"] == "UP" for server in servers)

    def down(self, server: str) -> bool:
        """Whether HAProxy has given a server up."""
        return self.haproxy.rows()[server]["status"] == "DOWN"


class EnvoyRouter(Router):
    def __init__(
        self, name: str, directory: Path, members: Mapping[str, RunningMember], sshd: RunningSshd | None
    ) -> None:
        super().__init__(name, directory, sshd)
        config = directory / "envoy"
        config.mkdir()
        self.envoy = RunningEnvoy(config, ("web",))
        pools = {pool: (Member(pool, "127.0.0.1", member.port),) for pool, member in members.items()}
        self._service = Service("web", "test", pools, Health(path="/health", timeout=1.0))
        self.know({})
        self.kill, self.stop = self.envoy.kill, self.envoy.stop  # type: ignore[method-assign]

    def know(self, rules: Rules) -> None:
        EnvoyManaged(self.envoy.definition).define(replace(self._service, rules=rules), "blue")

    def start(self) -> None:
        self.envoy.start()

    @property
    def definition(self) -> dict[str, Any]:
        return {**self.envoy.definition, "state": str(self.state)}

    @property
    def url(self) -> str:
        return self.envoy.url("web")

    def weights(self) -> dict[str, int]:
        try:
            weights = self.envoy.weights("web")
        except OSError:
            return {}
        return {name.partition("-")[2]: weight for name, weight in weights.items()}

    def meddle(self, share: int) -> None:
        EnvoyManaged(self.envoy.definition).write(self._service, Wanted({"blue": 100 - share, "green": share}, "blue"))

    def up(self, *servers: str) -> bool:
        statuses = json.loads(self.envoy.get("/clusters?format=json"))["cluster_statuses"]
        hosts = {host.get("hostname"): host for cluster in statuses for host in cluster.get("host_statuses", ())}
        return all(
            set(hosts[server]["health_status"]) == {"eds_health_status"} for server in servers if server in hosts
        )


class ManagedHaproxyRouter(Router):
    def __init__(
        self, name: str, directory: Path, members: Mapping[str, RunningMember], sshd: RunningSshd | None
    ) -> None:
        super().__init__(name, directory, sshd)
        self.haproxy = ManagedHaproxy(directory / "etc")
        pools = {pool: (Member(pool, "127.0.0.1", member.port),) for pool, member in members.items()}
        health, options = Health(path="/health", timeout=1.0), self.haproxy.definition["services"]["web"]
        self._service = Service("web", "test", pools, health, options)
        self.know({})
        self.start, self.kill, self.stop = self.haproxy.start, self.haproxy.kill, self.haproxy.stop  # type: ignore[method-assign]

    def know(self, rules: Rules) -> None:
        HaproxyManaged(self.haproxy.definition).define(replace(self._service, rules=rules), "blue")

    @property
    def definition(self) -> dict[str, Any]:
        return {**self.haproxy.definition, "state": str(self.state)}

    @property
    def url(self) -> str:
        return self.haproxy.url()

    def weights(self) -> dict[str, int]:
        share = self.haproxy.share()
        return {"blue": round(100 * (100 - share)), "green": round(100 * share)} if share >= 0 else {}

    def meddle(self, share: int) -> None:
        (worker,) = self.haproxy.workers()
        self.haproxy.ask("set map %s web blue:green:%d" % (self.haproxy.map, 100 * share), worker)

    def up(self, *servers: str) -> bool:
        return self.haproxy.up(*servers)

    def down(self, server: str) -> bool:
        """Whether HAProxy has given a server up."""
        return self.haproxy.rows()[server]["status"] == "DOWN"


class NginxRouter(Router):
    def __init__(
        self, name: str, directory: Path, members: Mapping[str, RunningMember], sshd: RunningSshd | None
    ) -> None:
        super().__init__(name, directory, sshd)
        # Nobody else may pass a fleet's directory.
        self.nginx = ManagedNginx(directory / "etc", user="root root")
        self.nginx.write()
        pools = {pool: (Member(pool, "127.0.0.1", member.port),) for pool, member in members.items()}
        health, options = Health(path="/health", timeout=1.0), self.nginx.service()
        self._service = Service("web", "test", pools, health, options)
        self.know({})
        self.start, self.kill, self.stop = self.nginx.start, self.nginx.kill, self.nginx.stop  # type: ignore[method-assign]

    def know(self, rules: Rules) -> None:
        NginxManaged(self.nginx.definition).define(replace(self._service, rules=rules), "blue")

    @property
    def definition(self) -> dict[str, Any]:
        return {**self.nginx.definition, "state": str(self.state)}

    @property
    def url(self) -> str:
        return self.nginx.url()

    def weights(self) -> dict[str, int]:
        share = self.nginx.share()
        return {"blue": round(10 * (100 - share)), "green": round(10 * share)} if share >= 0 else {}

    def meddle(self, share: int) -> None:
        self.nginx.meddle(share)

    def up(self, *servers: str) -> bool:
        """nginx checks nobody."""
        return self.nginx.answers()

    def down(self, server: str) -> bool:
        return self.nginx.answers()


Kind = Callable[[str, Path, Mapping[str, RunningMember], "RunningSshd | None"], Router]
KINDS: Mapping[str, Kind] = {
    "haproxy": HaproxyRouter,
    "haproxy-managed": ManagedHaproxyRouter,
    "envoy": EnvoyRouter,
    "nginx": NginxRouter,
}
