# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of Envoy's files: where each document is, and the end of the log.

Envoy looks at a file when something is renamed in its directory, and never tries a refused one again by itself;
so every write is a rename, also one that changes nothing.
"""

from __future__ import annotations

import os
from typing import List

from ._managed_files import ManagedFiles

#: What Envoy writes when it does not take a file; its reason follows.
REJECTED, FAILED = "Filesystem config update rejected: ", "Filesystem config update failure: "

#: So much of a log is read at most, in bytes.
LOG_LIMIT = 1 << 20


class Files(ManagedFiles):
    """The files under ``config`` (``zdm_router.config``)."""

    proxy = "Envoy"

    def __init__(self, config: str) -> None:
        self.config = config
        self.members = os.path.join(config, "eds")
        self.clusters = os.path.join(config, "cds", "cds.json")
        self.log = os.path.join(config, "envoy.log")

    def members_of(self, cluster: str) -> str:
        return os.path.join(self.members, cluster + ".json")

    def routes_of(self, service: str) -> str:
        return os.path.join(self.config, "rds", service + ".json")

    def log_size(self) -> int:
        """Where the log ends now, in bytes; 0 where there is none."""
        try:
            return os.path.getsize(self.log)
        except OSError:
            return 0

    def reasons(self, path: str, since: int) -> List[str]:
        """Why Envoy did not take the file at ``path``, of what it has logged since; empty without a log.

        A rejection does not name its file, so that of another file which is broken at the same time may be among them.
        """
        try:
            with open(self.log, "rb") as log:
                log.seek(since)
                lines = log.read(LOG_LIMIT).decode("utf-8", "replace").splitlines()
        except OSError:
            return []
        found: List[str] = []
        for line in lines:
            rejection, failure = line.partition(REJECTED)[2].strip(), line.partition(FAILED)[2].strip()
            reason = rejection or (failure if path in failure else "")
            if reason and reason not in found:
                found.append(reason)
        return found
