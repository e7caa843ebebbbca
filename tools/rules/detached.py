# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch outlives ansible-playbook: nothing that it can reach imports Ansible.

Followed from the watch's own file through every import that stays within the collection.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Dict, List

from tools.rules.finding import Finding
from tools.rules.imports import Collection

START = "plugins/plugin_utils/_watch.py"
FORBIDDEN = {"ansible", "ansible_collections"}


def check(directory: Path) -> Iterator[Finding]:
    """All imports of Ansible that the watch of the collection at ``directory`` can reach."""
    collection = Collection(directory)
    start = directory / START
    if not start.is_file():
        yield Finding(start, 1, "the watch is not here: this rule looks at nothing")
        return
    ways: Dict[Path, List[Path]] = {start: [start]}
    pending = [start]
    while pending:
        path = pending.pop(0)
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        way = " <- ".join(str(step.relative_to(directory)) for step in reversed(ways[path]))
        for found in collection.imports(path, tree):
            ours = found.module == collection.prefix or found.module.startswith(collection.prefix + ".")
            if found.top in FORBIDDEN and not ours:
                yield Finding(path, found.line, "imports %s, but the watch reaches this file: %s" % (found.module, way))
            for target in collection.files(found):
                if target not in ways:
                    ways[target] = [*ways[path], target]
                    pending.append(target)
        for line in collection.dynamic_imports(tree):
            yield Finding(path, line, "imports by a computed name, but the watch reaches this file: %s" % way)
