# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several checks as one evidence."""

from __future__ import annotations

from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils.judge.combination import combined

PARTS = st.dictionaries(
    st.sampled_from(["errors", "latency", "restarts", "orders"]),
    st.tuples(st.floats(0.01, 10.0), st.floats(-50.0, 50.0)),
    min_size=1,
)


def test_one_check_has_all_of_it() -> None:
    log_e, name = combined({"errors": (0.35, 7.0)})
    assert log_e == pytest.approx(7.0)
    assert name == "errors"


def test_a_weight_costs_its_logarithm() -> None:
    log_e, name = combined({"errors": (3.0, 10.0), "latency": (1.0, -100.0)})
    assert log_e == pytest.approx(10.0 + log(0.75))
    assert name == "errors"


@given(PARTS)
def test_it_is_the_weighted_mean_of_the_evidence(parts: dict[str, tuple[float, float]]) -> None:
    total = sum(weight for weight, _log_e in parts.values())
    mean = sum(weight / total * exp(log_e) for weight, log_e in parts.values())
    log_e, name = combined(parts)
    assert log_e == pytest.approx(log(mean), abs=1e-9)
    assert parts[name][0] * exp(parts[name][1]) == pytest.approx(
        max(weight * exp(each) for weight, each in parts.values())
    )
