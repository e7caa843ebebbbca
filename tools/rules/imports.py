# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The imports that a source file states, and the files of a collection that they lead to.

Every import counts wherever it stands: in a function, in a ``try``, under ``TYPE_CHECKING``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

#: How a program imports by a name that it computes; nothing that follows stated imports sees that.
DYNAMIC = {"__import__", "import_module"}


@dataclass(frozen=True)
class Import:
    """``module`` is the absolute dotted name, whichever way it was written; ``name`` what ``from`` takes out of it.

    ``level`` is the number of dots it was written with; ``module`` is "" where they lead out of the collection.
    """

    line: int
    module: str
    name: Optional[str]
    level: int

    @property
    def top(self) -> str:
        return self.module.split(".")[0]


class Collection:
    """The sources of one collection; ``directory`` is ``.../ansible_collections/<namespace>/<name>``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.prefix = "ansible_collections.%s.%s" % (directory.parent.name, directory.name)

    def imports(self, path: Path, tree: ast.AST) -> Iterator[Import]:
        """All imports that ``path``, parsed as ``tree``, states."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(node.lineno, alias.name, None, 0)
            elif isinstance(node, ast.ImportFrom):
                module = self._absolute(path, node.level, node.module)
                for alias in node.names:
                    yield Import(node.lineno, module, alias.name, node.level)

    def dynamic_imports(self, tree: ast.AST) -> Iterator[int]:
        """The lines that import by a computed name."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
                if called in DYNAMIC:
                    yield node.lineno

    def files(self, found: Import) -> List[Path]:
        """The files of the collection that Python runs for an import, parent packages first."""
        names = [found.module] if found.name is None else [found.module, "%s.%s" % (found.module, found.name)]
        files: List[Path] = []
        for name in names:
            if name == self.prefix or not name.startswith(self.prefix + "."):
                continue
            parts = name[len(self.prefix) + 1 :].split(".")
            for depth in range(1, len(parts) + 1):
                stem = self.directory.joinpath(*parts[:depth])
                files += [path for path in (stem / "__init__.py", stem.with_suffix(".py")) if path.is_file()]
        return list(dict.fromkeys(files))

    def _absolute(self, path: Path, level: int, module: Optional[str]) -> str:
        if level == 0:
            return module or ""
        package = [*self.prefix.split("."), *path.relative_to(self.directory).parts[:-1]]
        if level > len(package):
            return ""
        return ".".join(package[: len(package) - level + 1] + ([module] if module else []))
