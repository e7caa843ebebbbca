# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A policy that cannot find what everybody would call bad says so beforehand, with the time that it would need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils._reach import Rate, warnings

from .example import spec_of

STEPS = [{"weight": 5, "hold": "5m"}, {"weight": 50, "hold": "5m"}, {"weight": 100, "hold": "5m"}]


def said(rate: Rate, **check: Any) -> list[str]:
    errors = {"signal": "router", "compare": "stable", **check}
    return warnings(spec_of({"steps": STEPS, "checks": {"errors": errors}}), rate)


def test_a_step_that_is_too_short_for_it_is_named_with_the_time() -> None:
    (only,) = said(Rate(40, 0.1))
    start, _about, end = only.partition("about ")
    assert start == "checks.errors: 2 % errors at 5 % of 40 requests/s take "
    time, _to, rest = end.partition(" to find; ")
    assert rest == "the hold of step 1 is 5m"
    assert time.endswith("m") and 6 <= int(time[:-1]) <= 30, "so many minutes, more than its hold"


@pytest.mark.parametrize(
    ("rate", "check", "steps"),
    [
        (Rate(4000, 0.1), {}, []),
        (Rate(40, 0.1), {}, [1]),
        (Rate(40, 0.1), {"warm_up": "299s"}, [1, 2]),
        (Rate(4000, 0.1), {"warm_up": "299s"}, [1, 2]),
        (Rate(40, 0.1), {"judge": "threshold"}, []),
        (Rate(4000, 5), {}, []),
        (Rate(0.02, 0), {}, [1, 2]),
        (Rate(150, 0.1), {}, []),
        (Rate(150, 0.1), {"dispersion": 20}, [1, 2]),
        (Rate(150, 0.1), {"alpha": 1e-9}, [1]),
    ],
    ids=["busy", "quiet", "warming", "busy, warming", "fixed", "noisy", "hardly used", "enough", "bursts", "own alpha"],
)
def test_each_step_is_seen_for_itself(rate: Rate, check: Mapping[str, Any], steps: list[int]) -> None:
    texts = said(rate, **check)
    assert [f"step {number} " in text for number, text in zip(steps, texts, strict=True)] == [True] * len(steps)


def test_what_is_never_found_is_said_so() -> None:
    texts = said(Rate(40, 0.0), margin={"points": 2.5})
    assert not texts or "are never found" not in texts[0], "bad is what is twice as bad as may be"
    texts = said(Rate(0.00001, 0.0))
    assert "are never found" in texts[0]
