# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reading nginx's access log reaches, and what it takes of the machine while nginx writes it.

``python -m bench.access_log PATH`` is the reader that is looked at: it looks as often as a guard does, and says after
each look how many tries it has counted.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.zdm.rollout.plugins.module_utils.agent.guard import TICK_SECONDS
from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_log import AccessLog
from bench.table import Row
from bench.usage import stretches
from demo.client import Client
from tests.support.nginx_log import LoggingNginx, tries

ROOT = Path(__file__).resolve().parents[1]
#: What has to be reached, and what is asked for meanwhile.
LINES_A_SECOND, RATE, ROUNDS = 200_000.0, 2000.0, 5
LINE = '{"t":%d.%03d,"c":"0.00%d","h":"%.3f","v":"web","a":"10.0.0.%d:8080","u":"200","r":"%.3f","s":"200","d":%.3f}\n'


def rows(lines: int, seconds: float, rate: float = RATE) -> list[Row]:
    """``lines`` read at once, alike and as different as they can be; then ``rate`` requests for so many ``seconds``."""
    alike = list(_written(lines, servers=4, median=20.0))
    different = list(_written(lines, servers=200, median=20_000.0))
    what = "nginx access log, lines a second"
    share, note = _followed(seconds, rate)
    return [
        Row(what, "lines/s", _read(alike), LINES_A_SECOND, "4 servers, half of the answers in 20 ms", more=True),
        Row(
            what + ", hardly two alike",
            "lines/s",
            _read(different),
            LINES_A_SECOND,
            "200 servers, half of the answers in 20 s",
            more=True,
        ),
        Row("reading nginx's access log", "% of a core", [share], note=note),
    ]


def _written(lines: int, servers: int, median: float) -> Iterator[str]:
    """So many lines of tries that go well; their times spread as those of real services do."""
    dice = random.Random(1)
    for number in range(lines):
        took = dice.expovariate(0.693 / median) / 1e3
        head = took * dice.random()
        server = dice.randrange(servers)
        yield LINE % (1_800_000_000, number % 1000, dice.randrange(2), head, server, took, took + 0.001)


def _read(lines: list[str]) -> list[float]:
    """Lines a second of this process's time, each time from a log that is opened anew."""
    reached = []
    for dummy in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="zdm-bench-") as directory:
            path = Path(directory) / "access.log"
            path.touch(0o600)
            log = AccessLog(str(path), "web")
            log.read()
            path.write_text("".join(lines), encoding="ascii")
            began = time.process_time()
            found = tries(log)
            reached.append(len(lines) / (time.process_time() - began))
            log.close()
        if found != len(lines):
            raise ValueError("%d tries were counted in %d lines" % (found, len(lines)))
    return reached


def _followed(seconds: float, rate: float) -> tuple[float, str]:
    """The share of a core that a reader takes, and what happened meanwhile."""
    with tempfile.TemporaryDirectory(prefix="zdm-bench-") as directory, LoggingNginx(Path(directory)) as nginx:
        words = [sys.executable, "-m", "bench.access_log", str(nginx.log)]
        with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as reader:
            assert reader.stdout
            try:
                assert reader.stdout.readline() == "0\n"
                began = time.monotonic()
                client = Client(nginx.url, rate=rate, connections=16).start()
                (stretch,) = stretches([reader.pid], seconds)
                result = client.stop()
                lasted = time.monotonic() - began
                counted = 0
                while counted < result.requests:
                    counted = int(reader.stdout.readline())
            finally:
                reader.terminate()
    if counted != result.requests:
        raise ValueError("%d tries were counted, but %d requests were sent" % (counted, result.requests))
    note = "%.0f requests/s over %g s, a look each %g s" % (result.requests / lasted, seconds, TICK_SECONDS)
    return stretch.share, note


def main() -> None:
    log = AccessLog(sys.argv[1], "web")
    while True:
        print(tries(log), flush=True)
        log.times()
        time.sleep(TICK_SECONDS)


if __name__ == "__main__":
    main()
