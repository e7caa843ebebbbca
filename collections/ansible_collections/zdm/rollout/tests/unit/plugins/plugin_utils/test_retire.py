# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pool may be let go, and when. What is refused is in the corpus (retire.*)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._retire import retired

from .example import example, fleet_of, live_of, spec_of

UNTIL = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


def pool(kept: str, later: timedelta, outcome: str = "promoted", green: float = 100.0) -> str:
    """The pool that may be let go so much later than the last end, with green at this share."""
    spec = spec_of({"keep_old_for": kept})
    fleet = fleet_of(example(), spec)
    live = live_of({name: {"blue": 100 - green, "green": green} for name in ("p1", "p2")}, fleet)
    entry = {"run": "r1", "release": "2.3", "stable": "blue", "canary": "green", "outcome": outcome}
    record = {"state": "idle", "rollouts": [{**entry, "until": UNTIL.isoformat()}]}
    return retired(spec, fleet, {name: replace(found, record=record) for name, found in live.items()}, UNTIL + later)


def test_the_old_pool_once_it_was_kept_for_long_enough() -> None:
    assert pool("1h", timedelta(hours=1)) == "blue"
    with pytest.raises(SpecError, match="at least 1h ago"):
        pool("1h", timedelta(minutes=59))


def test_at_once_where_it_is_not_to_be_kept() -> None:
    assert pool("0s", timedelta()) == "blue"


def test_a_release_that_went_back_is_let_go_too() -> None:
    assert pool("1h", timedelta(hours=1), "rolled_back", green=0.0) == "green"
    with pytest.raises(SpecError, match=r"retire\.early|kept warm"):
        pool("1h", timedelta(), "rolled_back", green=0.0)
