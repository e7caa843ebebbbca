# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows in which no rollout starts: dates, days of the week, zones and their changes of clock."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils._errand import A_ROLLOUT, RETRY, UNDO, Errand
from ansible_collections.zdm.rollout.plugins.plugin_utils._freeze import frozen, refuse_frozen
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError

from .example import spec_of

HOLIDAYS = {"from": "2026-12-20 18:00", "to": "2027-01-02", "reason": "holidays"}
#: 2026-11-27 is a Friday.
WEEKEND = {"days": ["fri", "sat", "sun"], "from": "16:00", "to": "08:00", "zone": "Europe/Berlin", "reason": "asleep"}
ALL_DAY = {"days": ["mon"], "reason": "the day of the books"}
CLOSE = datetime(2026, 12, 24, tzinfo=timezone.utc)


def told(window: dict[str, Any], now: str) -> str:
    return frozen(spec_of({"freeze": [window]}).freeze, datetime.fromisoformat(now).replace(tzinfo=timezone.utc))


@pytest.mark.parametrize(
    ("window", "now", "until"),
    [
        (HOLIDAYS, "2026-12-20 17:59", ""),
        (HOLIDAYS, "2026-12-20 18:00", "2027-01-03 00:00 UTC"),
        (HOLIDAYS, "2027-01-02 23:59", "2027-01-03 00:00 UTC"),
        (HOLIDAYS, "2027-01-03 00:00", ""),
        ({**HOLIDAYS, "zone": "Europe/Berlin"}, "2026-12-20 17:00", "2027-01-03 00:00 Europe/Berlin"),
        (WEEKEND, "2026-11-27 14:59", ""),
        (WEEKEND, "2026-11-27 15:00", "2026-11-28 08:00 Europe/Berlin"),
        (WEEKEND, "2026-11-28 06:59", "2026-11-28 08:00 Europe/Berlin"),
        (WEEKEND, "2026-11-28 07:00", ""),
        (WEEKEND, "2026-11-30 06:59", "2026-11-30 08:00 Europe/Berlin"),
        (WEEKEND, "2026-11-30 15:00", ""),
        ({**WEEKEND, "days": ["wed"]}, "2026-07-15 14:00", "2026-07-16 08:00 Europe/Berlin"),
        ({**WEEKEND, "days": ["wed"]}, "2026-07-15 13:59", ""),
        (ALL_DAY, "2026-11-30 00:00", "2026-12-01 00:00 UTC"),
        (ALL_DAY, "2026-11-29 23:59", ""),
        (ALL_DAY, "2026-12-01 00:00", ""),
        # Until further notice: the last day that there is has no next one.
        ({**HOLIDAYS, "to": "9999-12-31"}, "2027-01-03 00:00", "9999-12-31 23:59 UTC"),
    ],
)
def test_a_window_is_in_force_from_its_beginning_until_before_its_end(window: Any, now: str, until: str) -> None:
    assert told(window, now) == (f"until {until}: {window['reason']}" if until else "")


def test_all_that_are_in_force_are_told() -> None:
    freezes = spec_of({"freeze": [HOLIDAYS, {**ALL_DAY, "days": ["thu"]}, ALL_DAY]}).freeze
    found = frozen(freezes, CLOSE)
    assert found == "until 2027-01-03 00:00 UTC: holidays; until 2026-12-25 00:00 UTC: the day of the books"


@pytest.mark.parametrize("errand", [A_ROLLOUT, Errand(RETRY)])
def test_what_brings_a_release_forward_is_refused(errand: Errand) -> None:
    freezes = spec_of({"freeze": [HOLIDAYS]}).freeze
    for reason in ("", "  "):
        with pytest.raises(SpecError, match="holidays"):
            refuse_frozen(freezes, errand, reason, CLOSE)
    assert "lifted: a hole in the wall" in refuse_frozen(freezes, errand, "a hole in the wall", CLOSE)


def test_the_way_back_is_never_frozen() -> None:
    assert refuse_frozen(spec_of({"freeze": [HOLIDAYS]}).freeze, Errand(UNDO), "", CLOSE) == ""


def test_without_a_freeze_there_is_nothing_to_lift() -> None:
    assert refuse_frozen(spec_of({"freeze": [HOLIDAYS]}).freeze, A_ROLLOUT, "why not", CLOSE.replace(year=2025)) == ""
