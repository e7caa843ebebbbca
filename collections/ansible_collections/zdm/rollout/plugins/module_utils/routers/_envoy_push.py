# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A document on its way into the running Envoy: renamed into place, watched until it is taken, put back if it is not.

    subscription before -> rename -> taken | refused | neither in time -> (not taken: the last good document again)

So whatever Envoy refuses, the file that a restart would read is one that was in force before.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Mapping, Optional

from . import _envoy_documents as documents
from ._envoy_admin import Admin
from ._envoy_files import Files
from .api import NotInForce, Refused, Unreachable

#: Seconds that Envoy may take for a file (measured: 7 ms, at worst 1.3 s), and between two looks at it.
DEADLINE, LOOK = 5.0, 0.004


class Pusher:
    """Brings documents into one running Envoy."""

    def __init__(self, admin: Admin, files: Files, deadline: float = DEADLINE) -> None:
        self._admin, self._files, self._deadline = admin, files, deadline

    def push(self, prefix: str, path: str, text: str, good: Optional[str], reload: bool = False) -> None:
        """Bring ``text`` into force as the file at ``path``, which Envoy's subscription ``prefix`` reads.

        ``good`` is the document to put back when Envoy does not take it (None: there is none, the file goes).
        ``reload`` says that the content is another than what is in force, so that a reload must be counted.
        Raises Refused with Envoy's reason, NotInForce when nothing happens in time, Unreachable.
        """
        version = documents.version(text)
        before, logged = self._admin.subscription(prefix), self._files.log_size()
        self._files.write(path, text)

        def taken(now: Mapping[str, Any]) -> bool:
            return (
                now.get("version_text") == version
                and _moved(before, now, "update_success")
                and (not reload or _moved(before, now, "config_reload"))
            )

        def refused(now: Mapping[str, Any]) -> bool:
            return _moved(before, now, "update_rejected") or _moved(before, now, "update_failure")

        try:
            now = self._await(prefix, lambda seen: taken(seen) or refused(seen))
        except Unreachable as error:
            raise Unreachable(
                "%s. It had been given %s, which is what a restart would read: whether it is in force is not known"
                % (error, path)
            ) from error
        if taken(now):
            return
        put_back = self._put_back(prefix, path, good)
        if refused(now):
            reasons = self._files.reasons(path, logged) or [_counted(before, now, self._files.log)]
            raise Refused("Envoy did not take %s: %s. %s" % (path, " | ".join(reasons), put_back))
        raise NotInForce(
            "Envoy did not take %s within %g s: expected version %s at %s, seen %s. %s"
            % (path, self._deadline, version, prefix, _shown(now), put_back)
        )

    def wait(self, condition: Callable[[], bool], deadline: Optional[float] = None) -> bool:
        """Look every few milliseconds until ``condition`` holds; False when it does not within the deadline."""
        end = time.monotonic() + (deadline or self._deadline)
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(LOOK)
        return True

    def _await(self, prefix: str, condition: Callable[[Mapping[str, Any]], bool]) -> Dict[str, Any]:
        seen: Dict[str, Any] = {}

        def look() -> bool:
            seen.update(self._admin.subscription(prefix))
            return condition(seen)

        self.wait(look)
        return seen

    def _put_back(self, prefix: str, path: str, good: Optional[str]) -> str:
        """Put the last good document back; says for people what is there now."""
        if good is None:
            self._files.remove(path)
            return "There was no file before, so it was removed again"
        before = self._admin.subscription(prefix)
        self._files.write(path, good)
        now = self._await(prefix, lambda seen: _moved(before, seen, "update_success"))
        if _moved(before, now, "update_success"):
            return "What was in force before still is, and its file was put back"
        return "Its file was put back as it was before, and Envoy has not taken that yet: seen %s" % _shown(now)


def _moved(before: Mapping[str, Any], now: Mapping[str, Any], counter: str) -> bool:
    return int(now.get(counter, 0)) > int(before.get(counter, 0))


def _counted(before: Mapping[str, Any], now: Mapping[str, Any], log: str) -> str:
    moved = [name for name in ("update_rejected", "update_failure") if _moved(before, now, name)]
    return "%s went up, and there is no reason in %s (see Envoy's own log)" % (" and ".join(moved), log)


def _shown(now: Mapping[str, Any]) -> str:
    return ", ".join("%s=%s" % item for item in sorted(now.items())) or "no such subscription"
