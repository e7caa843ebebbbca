# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at a HAProxy of somebody's own: asks its runtime socket, and reads the files that it was started with.

Nothing is changed. Which files those are is told by the command line of the process that answers at the socket; where
they cannot be read (another user, a container, a file that came over a pipe) the description says so, and what only
they tell stays unknown. What runs may be older than the files: who has changed them without a reload knows it.
"""

from __future__ import annotations

import os
from typing import Any, List, Mapping, Optional, Tuple

from ..adoption.description import Found
from . import _haproxy_config as config
from . import _haproxy_describe as describe
from ._haproxy_socket import RuntimeSocket
from .haproxy import SOCKET

#: Bytes; a configuration is not longer, and a device or a log that somebody named by mistake is.
LONGEST = 8 << 20


def look(definition: Mapping[str, Any]) -> Found:
    """What is there. Unreachable where nobody answers at the socket."""
    path = str(definition.get("socket") or SOCKET)
    runtime = RuntimeSocket(path, timeout=5.0)
    answers = {question: runtime.ask([question]) for question in describe.QUESTIONS}
    pid = next((line[5:] for line in answers[describe.INFO].splitlines() if line.startswith("Pid: ")), "")
    files, written, why = _configuration(pid)
    return describe.describe(path, answers, written, files, why)


def _configuration(pid: str) -> Tuple[Tuple[str, ...], Optional[config.Written], str]:
    """The configuration files of a process and what they say; or why they cannot be read."""
    if not pid.isdigit():
        return (), None, "it does not say which process it is"
    try:
        with open("/proc/%s/cmdline" % pid, encoding="utf-8", errors="replace") as file:
            words = file.read().split("\0")[:-1]
        if not words or os.path.basename(words[0]) != "haproxy":
            return (), None, "process %s of this machine is not the HAProxy that answers (a container?)" % pid
        files = _files(words[1:], pid)
        text = "\n".join(map(_read, files))
    except OSError as error:
        return (), None, "%s: %s" % (error.filename, error.strerror)
    if not files:
        return (), None, "its command line names no file"
    return tuple(files), config.parse(text), ""


def _files(words: List[str], pid: str) -> List[str]:
    """The files that ``-f`` names, those of a directory in their order."""
    named = [words[index + 1] for index, word in enumerate(words[:-1]) if word == "-f"]
    if "--" in words:
        named += words[words.index("--") + 1 :]
    found = []
    for name in named:
        path = name if os.path.isabs(name) else os.path.join(os.readlink("/proc/%s/cwd" % pid), name)
        if os.path.isdir(path):
            found += [os.path.join(path, each) for each in sorted(os.listdir(path)) if _is_read(each)]
        else:
            found.append(path)
    return found


def _is_read(name: str) -> bool:
    return name.endswith(".cfg") and not name.startswith(".")


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read(LONGEST)
