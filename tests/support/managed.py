# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sites of managed proxies have in common: a driver, services, and members that are ended with them."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Driver, Service, Wanted

from .members import RunningMember

D = TypeVar("D", bound=Driver)


class Proxy(Protocol):
    def stop(self) -> None: ...


class ManagedSite(Generic[D]):
    """A proxy, services with the pools blue (release v1, all traffic) and green (v2), a driver. A context manager."""

    directory: Path
    proxy: Proxy
    members: dict[str, RunningMember]
    services: dict[str, Service]
    driver: D

    @property
    def web(self) -> Service:
        return self.services["web"]

    def start(self) -> None:
        """Make all known and start the proxy."""
        raise NotImplementedError

    def split(self, green: float) -> Wanted:
        return Wanted({"blue": 100 - green, "green": green}, "blue")

    def bring(self, green: float, name: str = "web") -> None:
        """Write a split and read it back, as the apply function does."""
        self.driver.write(self.services[name], self.split(green))
        self.driver.verify(self.services[name], self.split(green))

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.callback(self.stop)
            self.start()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.proxy.stop()
        for member in self.members.values():
            member.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
