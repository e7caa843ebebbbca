# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene: a rollout in the middle of its first step, a client at each router, and somebody who reads every share."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from demo.client import Client
from tests.faults.table import NOTES
from tests.support.fleet import Fleet
from tests.support.playbook import Playbook
from tests.support.wait import until

LEASE = 3.0
#: Green's share in the step, in percent, and what a reading may be off.
ARMED, OFF = 25.0, 0.6
#: Between two looks at a router. What is noted is looked at closely; elsewhere it would only take what the others need.
LOOK_SECONDS = 0.01 if NOTES else 0.05


class Scene:
    """Three routers, the first on this machine and the others over ssh, unless ``fleet`` says otherwise."""

    def __init__(self, proxy: str = "haproxy", rate: float = 50.0, lease: float = LEASE, **fleet: Any) -> None:
        self.fleet = Fleet(**{"routers": 3, "ssh": True, "proxy": proxy, **fleet})
        first = self.fleet.variables["lb1"]
        if not self.fleet.cables:
            first["ansible_connection"] = "local"
        self.fleet.spec.update(
            steps=[{"weight": ARMED, "hold": "120s"}, {"weight": 50, "hold": "120s"}, {"weight": 100}],
            lease="%ds" % lease,
        )
        self.most = 0.0
        self._back: dict[str, float] = {}
        self._over = False
        self._stack = ExitStack()
        self._clients = [
            Client(self.fleet.url(index), rate=rate, connections=4) for index in range(len(self.fleet.routers))
        ]

    def __enter__(self) -> Scene:
        self._stack.enter_context(self.fleet)
        for client in self._clients:
            client.start()
            self._stack.callback(client.stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._stack.close()

    def begin(self) -> Playbook:
        """Start the rollout; returns when green has its share at all routers, and every share is watched."""
        self.running = self.fleet.start("rollout")
        self.running.says("read back", times=len(self.fleet.routers), deadline=120)
        assert all(self.is_armed(router) for router in self.fleet.routers), self.fleet.shares()
        self.look_at(*self.fleet.routers)
        return self.running

    def look_at(self, *routers: Any) -> None:
        """Watch the share of these from now on."""
        for router in routers:
            watcher = threading.Thread(target=self._watch, args=(router,), daemon=True)
            watcher.start()
            self._stack.callback(watcher.join)
            self._stack.callback(self._end)

    def _end(self) -> None:
        self._over = True

    def _watch(self, router: Any) -> None:
        while not self._over:
            share = router.share()
            t = time.monotonic()
            self.most = max(self.most, share)
            if share > 0:
                self._back.pop(router.name, None)
            elif share == 0:
                self._back.setdefault(router.name, t)
            time.sleep(LOOK_SECONDS)

    @staticmethod
    def is_armed(router: Any) -> bool:
        return bool(abs(router.share() - ARMED) <= OFF)

    @property
    def all_armed(self) -> bool:
        return all(self.is_armed(router) for router in self.fleet.routers)

    def back_at(self, *names: str, deadline: float) -> float:
        """When the last of these routers (all, if none is named) came back to stable, on the monotonic clock."""
        wanted = names or tuple(router.name for router in self.fleet.routers)
        until(lambda: set(wanted) <= set(self._back), "%s to be back at stable" % ", ".join(wanted), deadline)
        return max(self._back[name] for name in wanted)

    def was_never_above(self) -> bool:
        """Whether no reading of any router showed green with more than it was given."""
        return self.most <= ARMED + OFF

    def changes(self) -> list[tuple[int, bool]]:
        """The changes by somebody else that the journal tells of: their numbers, and whether they were put back."""
        return [(event["count"], event["put_back"]) for event in self.fleet.events() if event.get("foreign")]

    def failed(self) -> int:
        """Requests that failed, whoever's fault it was."""
        return sum(client.result.failed for client in self._clients)

    def send_watch(self, number: signal.Signals) -> None:
        os.kill(self.fleet.watch(), number)

    def send_guard(self, index: int, number: signal.Signals) -> None:
        os.kill(self.fleet.guard(self.fleet.routers[index]), number)

    def send_group(self, number: signal.Signals) -> None:
        """To ansible-playbook and all of its workers, as a terminal or a CI job does."""
        os.killpg(self.running.process.pid, number)
