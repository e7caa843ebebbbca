# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent file: a zip of ``module_utils`` that Python runs, the same bytes for the same sources everywhere."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "module_utils"
SHEBANG = b"#!/usr/bin/env python3\n"
#: It reads itself by a handle: a guard goes on, and may import more, when a newer agent has taken the file's place.
MAIN = """\
import os, sys
sys.path[0] = "/proc/self/fd/%d" % os.open(sys.path[0], os.O_RDONLY | os.O_CLOEXEC)
from zdm.agent.__main__ import main
sys.exit(main(digest={digest!r}))
"""
#: The oldest instant a zip can name: what is in the archive must not depend on when it was made.
EPOCH = (1980, 1, 1, 0, 0, 0)


def build(sources: Path = SOURCES) -> bytes:
    """The agent's bytes: executable with Python 3.8 or newer, nothing but the standard library in it."""
    buffer = io.BytesIO()
    files = _files(sources)
    with zipfile.ZipFile(buffer, "w") as archive:
        _add(archive, "__main__.py", MAIN.format(digest=_digest_of(files)).encode())
        for name, data in files.items():
            _add(archive, name, data)
    return SHEBANG + buffer.getvalue()


def release() -> str:
    """The name of the sources here, by which an agent calls itself in its ``hello``."""
    return _digest_of(_files(SOURCES))


def digest(agent: bytes) -> str:
    """The name of these bytes: SHA-256, hexadecimal."""
    return hashlib.sha256(agent).hexdigest()


def _files(sources: Path) -> dict[str, bytes]:
    return {"zdm/" + path.relative_to(sources).as_posix(): path.read_bytes() for path in sorted(sources.rglob("*.py"))}


def _digest_of(files: Mapping[str, bytes]) -> str:
    parts = hashlib.sha256()
    for name, data in files.items():
        parts.update(b"%s %d " % (name.encode(), len(data)) + data)
    return parts.hexdigest()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)
