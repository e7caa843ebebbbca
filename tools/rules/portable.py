# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``module_utils`` runs on any router's host: standard library, relative imports, Python 3.8, nothing else.

Three looks, from the cheapest: what the source states (imports and syntax), what of the standard library it uses
that came after 3.8 (vermin), and, where this machine has a Python 3.8, importing every module with it.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import List, Optional

from tools.rules import runtime
from tools.rules.finding import Finding
from tools.rules.imports import Collection

OLDEST = (3, 8)
ROOM = "plugins/module_utils"


def check(directory: Path) -> Iterator[Finding]:
    """All that is not portable in the collection at ``directory``."""
    room = directory / ROOM
    sources = sorted(room.rglob("*.py"))
    if not sources:
        yield Finding(room, 1, "no sources here: this rule looks at nothing")
        return
    yield from stated(directory, sources)
    yield from newer_features(sources)
    python = old_python()
    if python:
        yield from imported(directory, sources, python)


def stated(directory: Path, sources: List[Path]) -> Iterator[Finding]:
    """Syntax newer than 3.8, and imports that are neither relative within the room nor of the standard library."""
    collection = Collection(directory)
    room = "%s.%s" % (collection.prefix, ROOM.replace("/", "."))
    for path in sources:
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=OLDEST)
        except SyntaxError as error:
            yield Finding(path, error.lineno or 1, "not Python %d.%d: %s" % (*OLDEST, error.msg))
            continue
        for found in collection.imports(path, tree):
            if found.level and not (found.module + ".").startswith(room + "."):
                yield Finding(
                    path, found.line, "a relative import that leaves module_utils: only what is in it travels"
                )
            elif not found.level and found.top not in sys.stdlib_module_names:
                yield Finding(
                    path, found.line, "imports %s: only the standard library and relative imports" % found.module
                )
        for line, text in runtime.failures(tree):
            yield Finding(path, line, "not Python %d.%d: %s" % (*OLDEST, text))
        for line in collection.dynamic_imports(tree):
            yield Finding(path, line, "imports by a computed name: Ansible would not send that file along")


def newer_features(sources: List[Path]) -> Iterator[Finding]:
    """Names and features of the standard library that 3.8 does not have."""
    vermin = str(Path(sys.executable).parent / "vermin")
    options = ["-t=%d.%d-" % OLDEST, "--no-tips", "--violations", "--format", "parsable"]
    result = subprocess.run([vermin, *options, *map(str, sources)], capture_output=True, text=True, check=False)
    found = 0
    for line in result.stdout.splitlines():
        match = re.match(r"(?P<path>.+?):(?P<line>\d+):\d*:(?P<python2>[^:]*):(?P<python3>[^:]*):(?P<text>.+)", line)
        if match:
            found += 1
            yield Finding(Path(match["path"]), int(match["line"]), "not in Python %d.%d: %s" % (*OLDEST, match["text"]))
    if result.returncode != 0 and not found:
        raise RuntimeError("vermin ended with %d: %s" % (result.returncode, result.stdout + result.stderr))


def old_python() -> Optional[Path]:
    """A Python 3.8 of this machine that really starts, or None."""
    on_path = shutil.which("python%d.%d" % OLDEST)
    candidates = [Path(on_path)] if on_path else []
    candidates += sorted(Path.home().glob(".pyenv/versions/%d.%d.*/bin/python" % OLDEST))
    for candidate in candidates:
        if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def imported(directory: Path, sources: List[Path], python: Path) -> Iterator[Finding]:
    """Modules that ``python`` cannot import."""
    program = "import importlib, sys; sys.path.insert(0, sys.argv[1]); importlib.import_module(sys.argv[2])"
    home = directory.parents[2]
    for path in sources:
        module = ".".join(path.relative_to(home).with_suffix("").parts)
        command = [str(python), "-I", "-B", "-c", program, str(home), re.sub(r"\.__init__$", "", module)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            reason = result.stderr.strip().splitlines()[-1]
            yield Finding(path, 1, "Python %d.%d cannot import it: %s" % (*OLDEST, reason))
