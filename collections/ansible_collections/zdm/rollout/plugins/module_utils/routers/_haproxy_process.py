# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HAProxys that run on this machine, and the files that they were started with.

What is told by ``/proc``: a process's name, its command line. A HAProxy whose files cannot be read (another user's, one
in a container) is not known here, which is an answer and no error.
"""

from __future__ import annotations

import os
from typing import Dict, List, Optional, Tuple

from . import _haproxy_config as config

PROC = "/proc"
#: Bytes; a configuration is not longer, and a device or a log that somebody named by mistake is.
LONGEST = 8 << 20


def configuration(pid: str, proc: str = PROC) -> Tuple[Tuple[str, ...], Optional[config.Written], str]:
    """The configuration files of a process and what they say; or why they cannot be read."""
    if not pid.isdigit():
        return (), None, "it does not say which process it is"
    try:
        with open("%s/%s/cmdline" % (proc, pid), encoding="utf-8", errors="replace") as file:
            words = file.read().split("\0")[:-1]
        if not words or os.path.basename(words[0]) != "haproxy":
            return (), None, "process %s of this machine is not the HAProxy that answers (a container?)" % pid
        files = _files(words[1:], "%s/%s/cwd" % (proc, pid))
        text = "\n".join(map(_read, files))
    except OSError as error:
        return (), None, "%s: %s" % (error.filename, error.strerror)
    if not files:
        return (), None, "its command line names no file"
    return tuple(files), config.parse(text), ""


def sockets(proc: str = PROC) -> Dict[str, str]:
    """The runtime sockets that the HAProxys of this machine are said to have, with their levels."""
    found: Dict[str, str] = {}
    for pid in sorted(filter(str.isdigit, os.listdir(proc)), key=int):
        written = configuration(pid, proc)[1]
        found.update(written.sockets if written else {})
    return found


def _files(words: List[str], directory: str) -> List[str]:
    """The files that ``-f`` names, those of a directory in their order."""
    named = [words[index + 1] for index, word in enumerate(words[:-1]) if word == "-f"]
    if "--" in words:
        named += words[words.index("--") + 1 :]
    found = []
    for name in named:
        path = name if os.path.isabs(name) else os.path.join(os.readlink(directory), name)
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
