# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of one router whose driver is called by hand."""

from __future__ import annotations

from ansible_collections.zdm.rollout.plugins.module_utils.routers import open_router
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Service, Wanted

from .fleet import Fleet


class Driven:
    """Its driver, and the service as that knows it."""

    def __init__(self, fleet: Fleet) -> None:
        router = fleet.routers[0]
        self.url, self.driver = fleet.url(), open_router(router.definition)
        pools = {pool: (member.member,) for pool, member in fleet.members.items()}
        self.service = Service("web", "test", pools, options=router.definition["services"]["web"])

    def wanted(self, green: float) -> Wanted:
        return Wanted({"blue": 100 - green, "green": green}, "blue", armed=True)

    def bring(self, green: float) -> None:
        """Write a split and read it back, as the apply function does."""
        self.driver.write(self.service, self.wanted(green))
        self.driver.verify(self.service, self.wanted(green))

    def sessions(self, pool: str) -> int | None:
        """How much is under way at a pool."""
        return self.driver.read(self.service).sessions(pool)
