# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others would do on the same streams, with the settings that their documentation shows.

Both look at canary alone, at whole intervals, and count how often it was below a fixed rate of success.
"""

from __future__ import annotations

import numpy as np

from .streams import Bools, Ints, Streams


def flagger(streams: Streams, interval: int = 60, least: float = 0.99, threshold: int = 5) -> Ints:
    """Flagger's request-success-rate: the second of the rollback, -1 for none.

    An interval without a request fails as well. Failures add up and are never forgiven; the rollback comes with the
    interval after the one that reaches the threshold.
    """
    bad = _bad(streams, interval, least, missing=True)
    return _second(np.cumsum(bad, axis=1) >= threshold, interval, later=1)


def argo(streams: Streams, interval: int = 300, least: float = 0.95, limit: int = 3) -> Ints:
    """Argo Rollouts' success-rate template: fails with one more than failureLimit."""
    bad = _bad(streams, interval, least, missing=False)
    return _second(np.cumsum(bad, axis=1) > limit, interval, later=0)


def _bad(streams: Streams, interval: int, least: float, missing: bool) -> Bools:
    runs, seconds = streams.canary_requests.shape
    whole = seconds // interval
    requests, failures = (
        each[:, : whole * interval].reshape(runs, whole, interval).sum(axis=2)
        for each in (streams.canary_requests, streams.canary_failures)
    )
    rate = 1.0 - failures / np.maximum(requests, 1)
    return np.where(requests == 0, missing, rate < least)


def _second(over: Bools, interval: int, later: int) -> Ints:
    if not over.shape[1]:
        return np.full(over.shape[0], -1)
    first: Ints = (np.argmax(over, axis=1) + 1 + later) * interval
    return np.where(over.any(axis=1), first, -1)
