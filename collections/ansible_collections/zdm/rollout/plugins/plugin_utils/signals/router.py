# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routers' own counters as a signal: counted by the judge's tally, measured as a share of failed tries."""

from __future__ import annotations

from ...module_utils.judge import Counts, Measurement, Tally, Totals

__all__ = ["Tally", "Totals", "measure"]


def measure(counts: Counts) -> Measurement:
    """The share of failed tries of a pool in a stretch of time, as a measurement for bounds."""
    if not counts.requests:
        return Measurement("canary has had no request", no_data=True)
    return Measurement("canary fails %s requests" % counts, value=counts.share)
