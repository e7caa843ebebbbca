# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kind of the machine that is measured on, in words that name no machine."""

from __future__ import annotations

import os
import platform
import re
import subprocess

from tests.support.programs import need

#: How each program says its version.
PROGRAMS = {
    "HAProxy": ("haproxy", "-v"),
    "Envoy": ("envoy", "--version"),
    "nginx": ("nginx", "-v"),
    "OpenSSH": ("ssh", "-V"),
}


def machine() -> dict[str, str]:
    """What matters for the figures, by name."""
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return {
        "cores": "%d (%s)" % (cores, platform.machine()),
        "load before": "%.1f" % load,
        "Linux": platform.release().split("-")[0],
        "Python": platform.python_version(),
        **{name: _version(*words) for name, words in PROGRAMS.items()},
    }


def _version(program: str, option: str) -> str:
    said = subprocess.run([need(program), option], text=True, capture_output=True, check=False, timeout=10)
    found = re.search(r"\d+\.\d+(\.\d+)?(p\d+)?", said.stdout + said.stderr)
    return found.group() if found else "of an unknown version"
