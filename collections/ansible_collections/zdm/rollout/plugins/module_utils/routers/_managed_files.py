# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a proxy that zdm manages: whole reads, atomic writes. What a document says is nothing of this file."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Optional

from .._files import write_whole
from .api import Unsupported


class ManagedFiles:
    """Files of the proxy that people call ``proxy``; whoever it runs as, it may read them."""

    proxy = ""

    def text(self, path: str) -> Optional[str]:
        """What the file says; None where there is none."""
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unsupported("%s's file %s cannot be read: %s" % (self.proxy, path, error.strerror)) from error

    def write(self, path: str, text: str) -> None:
        """Write a file whole."""
        try:
            write_whole(path, text, 0o644, 0o755)
        except OSError as error:
            raise Unsupported(
                "%s's file %s cannot be written: %s. Expected a directory that the role zdm.rollout.router made "
                "(zdm_router.config) and a user who may write to it" % (self.proxy, path, error.strerror)
            ) from error

    def remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(path)
