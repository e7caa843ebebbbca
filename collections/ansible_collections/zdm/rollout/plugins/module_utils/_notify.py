# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notifications: telling people, by a command or a URL, what became of a rollout (contracts, section 1.3).

Rules of this room: everything that blocks is in ``send``; the watch and the guard call it in a thread, and nothing that
brings traffic back waits for it. The words of a command and all of a URL but its host may be secrets: no text that
leaves this room has them.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import urllib.parse
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence

VERSION = 1

#: event -> what a person can do then; ``{service}`` is filled in.
NEXT: Dict[str, str] = {
    "promoted": "nothing: all traffic is at the new release",
    "rolled_back": "all traffic is at the old release: see the reason, mend the new one, then start the rollout again",
    "stuck": "the old release cannot take the traffic, so it stays where it is: make its members healthy, and look with"
    " 'zdm-agent status' on the routers whether it went back; 'zdm-agent revert {service} --even-if-sick' there is your"
    " own word for it",
    "held": "the new release keeps its share and nobody watches it: start the rollout again, or on each router bring it"
    " back with 'zdm-agent revert {service}'",
    "paused": "look at both releases, then run the playbook resume, promote or abort",
    "refused": "nothing was changed: see the reason, mend it, then start the rollout again",
    "reverted": "this router took all traffic back to the old release by itself: look with 'zdm-agent status' on the"
    " other routers, see what became of the controller, then start the rollout again",
}
#: What the watch tells of, and what a guard does that acted by itself.
WATCH_EVENTS = ("promoted", "rolled_back", "stuck", "held", "paused", "refused")
GUARD_EVENTS = ("reverted", "stuck", "held")
#: What is told of where an entry does not say it.
DEFAULT_EVENTS = tuple(event for event in NEXT if event != "promoted")

TIMEOUT_SECONDS = 10.0
#: How long a command that was killed may take to be gone.
GONE_SECONDS = 1.0


def wanted(entries: Iterable[Mapping[str, Any]], event: str) -> List[Mapping[str, Any]]:
    """The entries of a spec's ``notify`` that want to be told of ``event``."""
    return [entry for entry in entries if event in entry.get("on", DEFAULT_EVENTS)]


def message(
    event: str,
    service: str,
    environment: str,
    release: str,
    run: str,
    router: Optional[str],
    reason: str,
    actor: str,
    at: str,
) -> Dict[str, Any]:
    """What is told. ``router`` is None from the watch; ``at`` is the time, as ISO 8601."""
    return {
        "version": VERSION,
        "event": event,
        "service": service,
        "environment": environment,
        "release": release,
        "run": run,
        "router": router,
        "reason": reason,
        "actor": actor,
        "time": at,
        "next": NEXT[event].format(service=service),
    }


def named(entry: Mapping[str, Any]) -> str:
    """An entry for people: of a command its first word, of a URL its scheme and host."""
    if entry.get("command"):
        return str(entry["command"][0]).split(" ", 1)[0]
    try:
        url = urllib.parse.urlsplit(str(entry.get("url") or ""))
        port = ":%d" % url.port if url.port else ""
    except ValueError:
        return "a url"
    return "%s://%s%s" % (url.scheme, url.hostname, port) if url.hostname else "a url"


def without_secrets(record: Mapping[str, Any]) -> Dict[str, Any]:
    """An agent's record as a task result may have it: of its notifications only whom they tell, and of what."""
    terms = record.get("terms") or {}
    if not terms.get("notify"):
        return dict(record)
    told = [{"to": named(entry), "on": list(entry.get("on", DEFAULT_EVENTS))} for entry in terms["notify"]]
    return dict(record, terms=dict(terms, notify=told))


def send(entry: Mapping[str, Any], message: Mapping[str, Any], timeout: float = TIMEOUT_SECONDS) -> str:
    """Tell one entry; it blocks, for ``timeout`` seconds at most. '' when it is told, or why it is not, for people."""
    text = json.dumps(dict(message)).encode() + b"\n"
    failure = _run(entry["command"], text, timeout) if entry.get("command") else _posted(entry["url"], text, timeout)
    return "%s %s" % (named(entry), failure) if failure else ""


def _run(command: Sequence[str], text: bytes, timeout: float) -> str:
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=True,
            start_new_session=True,
            cwd="/",
        )
    except OSError as error:
        return "cannot be started: %s" % error.strerror
    except ValueError:
        return "cannot be started: a word has a sign in it that no command can take"
    try:
        process.communicate(text, timeout)
    except subprocess.TimeoutExpired:
        return "did not end within %g s%s" % (timeout, _killed(process))
    return "ended with %d" % process.returncode if process.returncode else ""


def _killed(process: subprocess.Popen[bytes]) -> str:
    """End it with all that it started; what is to be said of it."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=GONE_SECONDS)
        return " and was ended"
    return ", and process %d cannot be ended" % process.pid


def _posted(url: str, text: bytes, timeout: float) -> str:
    from ._http import post

    return post(url, text, timeout)
