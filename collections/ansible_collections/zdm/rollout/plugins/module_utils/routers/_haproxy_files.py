# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of a managed HAProxy's files: where each is, and what ``haproxy -c`` says of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import suppress
from typing import List, Mapping, Optional

from ._managed_files import ManagedFiles
from .api import Refused, Unsupported

#: What stands in HAProxy's configuration as it is, and in commands to it.
PATH = re.compile(r"/[A-Za-z0-9/._+:@-]+\Z")

#: Where a service manager's PATH does not look.
MORE_PLACES = "/usr/local/sbin:/usr/sbin:/sbin"
CHECK_SECONDS = 60.0


class Files(ManagedFiles):
    """The files under ``config`` (``zdm_router.config``), checked by the program ``binary``."""

    proxy = "HAProxy"

    def __init__(self, config: str, binary: str) -> None:
        if not PATH.match(config):
            raise Unsupported(
                "zdm_router.config is %r: expected an absolute path of letters, digits and /._+:@-" % config
            )
        self.common = os.path.join(config, "haproxy.cfg")
        self.services = os.path.join(config, "services")
        self.shares = os.path.join(config, "share.map")
        self._binary = binary

    def service(self, name: str) -> str:
        return os.path.join(self.services, name + ".cfg")

    def put_back(self, path: str, text: Optional[str]) -> None:
        """As it was before: with this text, or not there."""
        if text is not None:
            self.write(path, text)
        else:
            self.remove(path)

    def is_map_read(self) -> bool:
        """Whether a service on disk needs the map: HAProxy would not start without the file then."""
        return any("map_str(%s," % self.shares in (self.text(path) or "") for path in self._present())

    def check(self, wanted: Mapping[str, str]) -> None:
        """Refused, in HAProxy's words, where it would not take the files with these texts in their places."""
        beside = {path: "%s/.%s.checked" % os.path.split(path) for path in wanted}
        present = {self.common, *self._present()}
        words = [self._program(), "-c"]
        for path in [self.common, *sorted((present | set(wanted)) - {self.common})]:
            words += ["-f", beside.get(path, path)]
        try:
            for path, text in wanted.items():
                self.write(beside[path], text)
            ended = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=CHECK_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unsupported("HAProxy cannot be asked about its configuration: %s" % error) from error
        finally:
            for path in beside.values():
                with suppress(OSError):
                    os.unlink(path)
        if ended.returncode:
            lines = ended.stdout.decode("utf-8", "replace").splitlines()
            said = " ".join(" ".join([line for line in lines if line.startswith("[ALERT]")] or lines).split())
            for path, name in beside.items():
                said = said.replace(name, path)
            raise Refused("HAProxy would not take its configuration, so nothing was changed: %s" % said)

    def _present(self) -> List[str]:
        try:
            names = os.listdir(self.services)
        except OSError:
            return []
        return [self.service(name[:-4]) for name in names if name.endswith(".cfg") and not name.startswith(".")]

    def _program(self) -> str:
        found = shutil.which(self._binary) or shutil.which(self._binary, path=MORE_PLACES)
        if found is None:
            raise Unsupported(
                "there is no program %s, and a configuration is checked before HAProxy gets it: install HAProxy, or "
                "name the program as zdm_router.binary" % self._binary
            )
        return found
