# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch's voice: it tells people what became of a rollout (the spec's ``notify``), and keeps nothing waiting."""

from __future__ import annotations

import asyncio

from ..module_utils import _notify
from ._journal import wall_clock
from ._log import log
from ._spec import Spec


class Voice:
    """Tells of one run. What could not be told goes to the watch's log."""

    def __init__(self, spec: Spec, run: str) -> None:
        self._entries = [entry.to_json() for entry in spec.notify]
        self._who = (spec.service, spec.environment, spec.release, run)
        self._telling: list[asyncio.Task[str]] = []

    def tell(self, event: str, reason: str, actor: str) -> None:
        """Tell everyone who wants to hear of this event."""
        message = _notify.message(event, *self._who, None, reason, actor, wall_clock())
        for entry in _notify.wanted(self._entries, event):
            self._telling.append(asyncio.create_task(asyncio.to_thread(_notify.send, entry, message)))

    async def done(self) -> None:
        """Wait until all was told, for no longer than a notification may take."""
        for failure in await asyncio.gather(*self._telling):
            if failure:
                log(f"notify: {failure}")
