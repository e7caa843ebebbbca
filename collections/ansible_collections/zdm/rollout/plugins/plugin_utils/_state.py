# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a run keeps its files on the controller: ``$ZDM_STATE/<environment>/<service>/<run>/``."""

from __future__ import annotations

import os
import secrets
import socket
from datetime import datetime, timezone
from pathlib import Path

from ..module_utils._person import person


def root() -> Path:
    """The directory of all runs of this user."""
    return Path(os.environ.get("ZDM_STATE") or Path.home() / ".local" / "state" / "zdm").absolute()


def new_run() -> str:
    """A name for a run: sorts by time, unique enough that two started at once differ."""
    return f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def run_directory(environment: str, service: str, run: str) -> Path:
    return root() / environment / service / run


def last_run(environment: str, service: str) -> Path | None:
    """The directory of the newest run of a service on this controller, if there was one."""
    found = runs(environment, service)
    return found[-1] if found else None


def runs(environment: str, service: str) -> list[Path]:
    """The directories of all runs of a service on this controller, the newest last."""
    directory = root() / environment / service
    return sorted(directory.iterdir()) if directory.is_dir() else []


def owner() -> str:
    """Who runs this, for those who meet the lock: ``user@host``, with the CI job where there is one."""
    job = os.environ.get("GITHUB_RUN_ID") or os.environ.get("CI_JOB_ID") or os.environ.get("AWX_JOB_ID")
    return f"{person()}@{socket.gethostname()}" + (f" (job {job})" if job else "")
