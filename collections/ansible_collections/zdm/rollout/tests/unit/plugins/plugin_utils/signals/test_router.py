# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool's counts as a measurement: the share of its failed tries, or no data."""

from __future__ import annotations

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.judge import Counts
from ansible_collections.zdm.rollout.plugins.plugin_utils.signals.router import measure


@pytest.mark.parametrize(("counts", "value"), [((200, 3), 1.5), ((200, 0), 0.0), ((3, 3), 100.0)])
def test_a_measurement_is_the_share_of_failures_in_percent(counts: tuple[int, int], value: float) -> None:
    measurement = measure(Counts(*counts))
    assert (measurement.value, measurement.no_data, measurement.error) == (value, False, False)


def test_no_request_is_no_data_and_no_share_of_0() -> None:
    measurement = measure(Counts())
    assert (measurement.value, measurement.no_data) == (None, True)
