# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The spec's file as a document: YAML, read so that the spec's reader sees what was written.

Rules of this room: bytes in, plain values or SpecError out; nothing of a particular key.
YAML 1.1 takes ``1:30`` for the number 90, and of a key that stands twice the last one; both would pass unseen. The key
``on`` it takes for a truth.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from ._problem import Problem, SpecError
from ._rules import problem

INT, FLOAT, BOOL = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool"
SCALARS = (INT, FLOAT, BOOL, "tag:yaml.org,2002:null", "tag:yaml.org,2002:timestamp")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader; what is no number, date or truth after all stays the text that it is."""

    def plain(self, node: yaml.ScalarNode) -> Any:
        """The value of a plain scalar, or its text: a clock (``1:30``), a day that is none (``2026-02-30``)."""
        clock = ":" in node.value and node.tag in (INT, FLOAT)
        if clock or self.resolve(yaml.ScalarNode, node.value, (True, False)) != node.tag:  # type: ignore[no-untyped-call]
            return node.value
        try:
            return yaml.SafeLoader.yaml_constructors[node.tag](self, node)
        except ValueError:
            return node.value


for tag in SCALARS:
    _Loader.add_constructor(tag, _Loader.plain)


def load(text: bytes, name: str) -> Any:
    """The document that ``text`` is; SpecError, naming the file, where it is no YAML, or has a key twice."""
    try:
        root = yaml.compose(text, Loader=_Loader)
        if root:
            _keep_keys(root, set())
        found = list(_twice(root, "", set())) if root else []
        if not found:
            return _Loader("").construct_document(root) if root else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        found = [_no_yaml(name, f"{error.problem}, line {line}")]
    except yaml.YAMLError as error:
        found = [_no_yaml(name, " ".join(str(error).split()))]
    except RecursionError:
        found = [_no_yaml(name, "it is nested too deep")]
    raise SpecError(found)


def _no_yaml(name: str, reason: str) -> Problem:
    return problem("yaml.syntax", "zdm_spec", name, reason=reason)


def _keep_keys(node: yaml.Node, visited: set[int]) -> None:
    """Let a key that YAML takes for a truth, such as ``on``, be the word that was written."""
    if id(node) in visited:
        return
    visited.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _keep_keys(item, visited)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.tag == BOOL:
                key.tag = "tag:yaml.org,2002:str"
            _keep_keys(value, visited)


def _twice(node: yaml.Node, path: str, visited: set[int]) -> Iterator[Problem]:
    """A problem for each key that its mapping has already. An alias leads to a node that was visited."""
    if id(node) in visited:
        return
    visited.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _twice(item, f"{path}[{index}]", visited)
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            name = str(key.value)
            at = f"{path}.{name}" if path else name
            if (key.tag, name) in seen:
                # The key and not its value, which may be a secret.
                yield problem("yaml.twice", at, name, line=key.start_mark.line + 1)
            seen.add((key.tag, name))
            yield from _twice(value, at, visited)
