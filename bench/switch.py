# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How soon a share is in force: from the order to the last request that began after it and still went the old way.

Connections are kept alive and ask one request after the other, so that there is always one about to begin.
"""

from __future__ import annotations

import http.client
import threading
import time
from functools import partial
from urllib.parse import urlsplit

from bench.table import Row
from tests.support.driven import Driven
from tests.support.fleet import Fleet
from tests.support.wait import until

CONNECTIONS = 6


class Asking(threading.Thread):
    """One connection. ``answers``: when a request began, and the release that answered it."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._where = urlsplit(url)
        self.answers: list[tuple[float, str]] = []
        self.over = False

    def run(self) -> None:
        connection = http.client.HTTPConnection(str(self._where.hostname), self._where.port, timeout=10)
        while not self.over:
            began = time.monotonic()
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            self.answers.append((began, answer.headers["x-release"]))
        connection.close()


def rows(proxy: str, flips: int) -> list[Row]:
    """Two rows: until the last request went the new way, and until the driver had read it back."""
    followed, returned = [], []
    with Fleet(proxy=proxy) as fleet:
        driven = Driven(fleet)
        asking = [Asking(driven.url) for dummy in range(CONNECTIONS)]
        for each in asking:
            each.start()
        for number in range(flips):
            new = "v1" if number % 2 else "v2"
            ordered = time.monotonic()
            driven.bring(100.0 if new == "v2" else 0.0)
            returned.append(1000.0 * (time.monotonic() - ordered))
            until(partial(_all_get, asking, new), "all connections to get %s" % new)
            old = [began for each in asking for began, release in each.answers if began > ordered and release != new]
            followed.append(1000.0 * (max(old, default=ordered) - ordered))
            for each in asking:
                each.answers.clear()
        for each in asking:
            each.over = True
            each.join(10)
    note = "%d connections kept alive" % CONNECTIONS
    return [
        Row("a share in force, %s: order to the last request the old way" % proxy, "ms", followed, None, note),
        Row("the same: order to read back", "ms", returned, None, ""),
    ]


def _all_get(asking: list[Asking], release: str) -> bool:
    """Whether the last three answers of each were of it."""
    last = [[answer[1] for answer in each.answers[-3:]] for each in asking]
    return all(got == [release] * 3 for got in last)
