# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A member's place in a pool: what runs in it is ended, the new release is started and waited for.

    python3 demo/place.py PREFIX ADDRESS PORT RELEASE MEMBER FAIL_SHARE

PREFIX.pid and PREFIX.log are its files. Standard library only.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 20.0
POLL_SECONDS = 0.02


def main() -> int:
    prefix, address, port, release, member, fail = sys.argv[1:]
    stop(Path(prefix + ".pid"))
    app = [str(Path(__file__).with_name("app.py")), "--address", address, "--port", port]
    with open(prefix + ".log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, *app, "--release", release, "--member", member, "--fail", fail],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    Path(prefix + ".pid").write_text(str(process.pid), encoding="ascii")
    if wait(lambda: process.poll() is not None or answers(address, int(port))) and process.poll() is None:
        return 0
    print("%s did not come up on %s:%s, see %s.log" % (member, address, port, prefix), file=sys.stderr)
    return 1


def stop(pid_file: Path) -> None:
    """End the process of a pid file, if it runs, and wait for its end."""
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
        os.kill(pid, signal.SIGTERM)
    except (OSError, ValueError):
        return
    wait(lambda: not runs(pid))
    pid_file.unlink()


def runs(pid: int) -> bool:
    """Whether the process is there and not a zombie."""
    try:
        return Path("/proc/%d/stat" % pid).read_text(encoding="ascii").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def answers(address: str, port: int) -> bool:
    connection = http.client.HTTPConnection(address, port, timeout=1)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def wait(condition: Callable[[], bool]) -> bool:
    """Whether a condition came true in time."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(POLL_SECONDS)
    return False


if __name__ == "__main__":
    sys.exit(main())
