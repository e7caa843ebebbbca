# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each pool of a service gets a second now: two looks at the counters, and what came between them."""

from __future__ import annotations

import time
from typing import Dict, Tuple

from ..judge import Counts, Tally
from .api import Driver, Service


def rate(driver: Driver, service: Service, seconds: float) -> Dict[str, Dict[str, float]]:
    """Pool -> ``requests`` and ``failures`` (tries) a second, counted for so many seconds; or RouterError."""
    tally = Tally({"": {member.name: pool for pool, members in service.pools.items() for member in members}})
    began = _look(driver, service, tally)[1]
    time.sleep(seconds)
    came, ended = _look(driver, service, tally)
    lasted = ended - began
    return {
        pool: {"requests": counts.requests / lasted, "failures": counts.failures / lasted}
        for pool, counts in came.items()
    }


def _look(driver: Driver, service: Service, tally: Tally) -> Tuple[Dict[str, Counts], float]:
    """What came since the last look, and when it was seen."""
    counters = driver.counters(service)
    t = time.monotonic()
    return tally.add("", {name: vars(counted) for name, counted in counters.items()}), t
