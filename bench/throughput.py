# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looking up the share for every request costs nginx, beside the same service with its split in the configuration.

Both are zdm's own documents; the second is what ``detached`` leaves, a plain ``split_clients``. They take turns.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Member, Service
from ansible_collections.zdm.rollout.plugins.module_utils.routers.nginx_managed import NginxManaged
from bench.table import Row
from tests.support.nginx import RunningNginx
from tests.support.nginx_managed import ManagedNginx
from tests.support.programs import need

#: A member that answers at once; Python's would be what is measured.
MEMBER = 'server { listen 127.0.0.1:{port}; keepalive_requests 1000000; return 200 "ok"; }'
CONNECTIONS, THREADS = 16, 1


def rows(rounds: int, seconds: int) -> list[Row]:
    """Requests a second by both, and the one in parts of the other."""
    with tempfile.TemporaryDirectory(prefix="zdm-bench-") as made:
        directory = Path(made)
        (directory / "member").mkdir()
        member, nginx = RunningNginx(directory / "member", MEMBER), ManagedNginx(directory / "etc", user="root root")
        nginx.write()
        pools = {pool: (Member(pool, "127.0.0.1", member.port),) for pool in ("blue", "green")}
        service, driver = Service("web", "test", pools, None, nginx.service()), NginxManaged(nginx.definition)
        looked_up, plain = [], []
        member.start()
        try:
            driver.define(service, "blue")
            nginx.start()
            for dummy in range(rounds):
                driver.define(service, "blue")
                looked_up.append(_reached(nginx.url(), seconds))
                driver.detach(service)
                plain.append(_reached(nginx.url(), seconds))
        finally:
            nginx.stop()
            member.stop()
    parts = [100.0 * one / other for one, other in zip(looked_up, plain, strict=True)]
    return [
        Row("nginx, the share looked up in files", "requests/s", looked_up, more=True, note="with zdm's log"),
        Row("nginx, plain split_clients", "requests/s", plain, more=True, note="with the same log"),
        Row("the one, of the other", "%", parts, more=True, note="in turns, %d s each" % seconds),
    ]


def _reached(url: str, seconds: int) -> float:
    """Requests a second that wrk counts; ValueError where one failed."""
    command = [need("wrk"), "-t%d" % THREADS, "-c%d" % CONNECTIONS, "-d%ds" % seconds, url]
    said = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise ValueError("expected no failure: %s" % said)
    found = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    if found is None:
        raise ValueError("wrk did not say what it reached: %s" % said)
    return float(found[1])
