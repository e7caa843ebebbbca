# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reads like a type hint or an innocent call, parses on Python 3.8, and fails there when it runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Set, Tuple

GENERICS = {"dict", "frozenset", "list", "set", "tuple", "type"}
METHODS = {"removeprefix", "removesuffix"}


def failures(tree: ast.Module) -> Iterator[Tuple[int, str]]:
    """``(line, what it is)`` for each; annotations do not run where the file says ``from __future__``."""
    idle = _annotations(tree) if _postponed(tree) else set()
    for node in ast.walk(tree):
        if node in idle:
            continue
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in GENERICS:
            yield node.lineno, "%s[...] when it runs: take it from typing" % node.value.id
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and _is_none(node.left, node.right):
            yield node.lineno, "X | None when it runs: take Optional from typing"
        elif isinstance(node, ast.Attribute) and node.attr in METHODS:
            yield node.lineno, ".%s() came with Python 3.9" % node.attr


def _postponed(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom) and node.module == "__future__" and node.names[0].name == "annotations"
        for node in tree.body
    )


def _annotations(tree: ast.Module) -> Set[ast.AST]:
    roots = []
    for node in ast.walk(tree):
        roots.append(getattr(node, "annotation", None))
        roots.append(getattr(node, "returns", None))
    return {part for root in roots if isinstance(root, ast.AST) for part in ast.walk(root)}


def _is_none(*sides: ast.expr) -> bool:
    return any(isinstance(side, ast.Constant) and side.value is None for side in sides)
