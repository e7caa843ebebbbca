# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records that never were: a service with a fault put in, from a seed.

Rules of this room: pure; the seed is an argument. Requests come evenly, failures by chance.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import floor, log
from typing import Any

from ..module_utils.judge import Counts
from ._kinds import duration as duration_kind
from ._kinds import number, whole
from ._problem import SpecError
from ._reader import Reader
from ._records import Tick
from ._spec_keys import Keys

KEYS = Keys(("duration", "rate", "share", "good", "bad", "onset", "every", "seed"))
DURATION, EVERY = duration_kind(1, 7 * 86400.0), duration_kind(0.1, 600)


@dataclass(frozen=True)
class Fault:
    """``rate`` requests a second, ``share`` percent of them at canary, of which ``bad`` percent fail from ``onset``
    (seconds) on, and else ``good`` percent as at stable; a tick each ``every`` seconds.
    """

    duration: float
    rate: float
    share: float
    good: float
    bad: float
    onset: float
    every: float
    seed: int


def parse(document: Any) -> Fault:
    """The fault that a mapping describes; SpecError with all that is wrong."""
    problems: list[Any] = []
    body = Reader(document, "generate", KEYS, problems)
    fault = Fault(
        duration=body.optional("duration", DURATION, 3600.0),
        rate=body.required("rate", number(0.01, 1e6), 1.0),
        share=body.optional("share", number(0.01, 99.99), 5.0),
        good=body.optional("good", number(0, 100), 0.1),
        bad=body.required("bad", number(0, 100), 0.0),
        onset=body.optional("onset", duration_kind(0, 7 * 86400.0), 0.0),
        every=body.optional("every", EVERY, 1.0),
        seed=body.optional("seed", whole(0, 2**32), 1),
    )
    if problems:
        raise SpecError(problems)
    return fault


def ticks(fault: Fault) -> list[Tick]:
    """The records."""
    chance = random.Random(fault.seed)
    made: list[Tick] = []
    canary, stable = fault.rate * fault.share / 100.0, fault.rate * (1.0 - fault.share / 100.0)
    count = int(fault.duration / fault.every)
    for index in range(1, count + 1):
        before, t = (index - 1) * fault.every, index * fault.every
        failing = fault.bad if t > fault.onset else fault.good
        arms = [
            Counts(requests, failures_of(requests, share / 100.0, chance))
            for requests, share in ((_come(canary, before, t), failing), (_come(stable, before, t), fault.good))
        ]
        made.append(Tick(t, arms[0], arms[1], fault.share))
    return made


def _come(rate: float, begin: float, end: float) -> int:
    """How many requests come between two times, where they come evenly."""
    return int(rate * end + 1e-9) - int(rate * begin + 1e-9)


def failures_of(requests: int, rate: float, chance: random.Random) -> int:
    """How many of them fail: from one failure to the next is a geometric distance."""
    if rate <= 0.0 or not requests:
        return 0
    if rate >= 1.0:
        return requests
    found, place = 0, 0
    while True:
        place += 1 + floor(log(1.0 - chance.random()) / log(1.0 - rate))
        if place > requests:
            return found
        found += 1
