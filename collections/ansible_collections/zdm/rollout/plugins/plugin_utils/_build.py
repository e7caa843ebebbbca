# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent file: a zip of ``module_utils`` that Python runs, the same bytes for the same sources everywhere."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "module_utils"
SHEBANG = b"#!/usr/bin/env python3\n"
MAIN = "import sys\nfrom zdm.agent.__main__ import main\nsys.exit(main())\n"
#: The oldest instant a zip can name: what is in the archive must not depend on when it was made.
EPOCH = (1980, 1, 1, 0, 0, 0)


def build(sources: Path = SOURCES) -> bytes:
    """The agent's bytes: executable with Python 3.8 or newer, nothing but the standard library in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        _add(archive, "__main__.py", MAIN.encode())
        for path in sorted(sources.rglob("*.py")):
            _add(archive, "zdm/" + path.relative_to(sources).as_posix(), path.read_bytes())
    return SHEBANG + buffer.getvalue()


def digest(agent: bytes) -> str:
    """The name of these bytes: SHA-256, hexadecimal."""
    return hashlib.sha256(agent).hexdigest()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)
