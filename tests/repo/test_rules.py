# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house's own rules: a tree that keeps them is left alone, each way of breaking one is found where it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Dict

import pytest

from tools.rules import detached, house, portable

LICENCE = "# SPDX-License-Identifier: GPL-3.0-or-later\n"
UTILS = "plugins/module_utils"
CONTROLLER = "plugins/plugin_utils"

#: A small collection that keeps every rule.
KEPT = {
    UTILS + "/__init__.py": "",
    UTILS + "/_split.py": "from __future__ import annotations\nimport json\n\n\ndef f(x: list[int] | None): ...\n",
    UTILS + "/agent/__init__.py": "",
    UTILS + "/agent/lease.py": "from .. import _split\nfrom .._split import f\nimport os.path\n",
    CONTROLLER + "/_watch.py": "from ..module_utils.agent import lease\nfrom ._journal import Journal\n",
    CONTROLLER + "/_journal.py": "import yaml\nclass Journal: ...\n",
    CONTROLLER + "/_display.py": "from ansible.utils.display import Display\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty collection's directory."""
    directory = tmp_path / "collections/ansible_collections/zdm/rollout"
    directory.mkdir(parents=True)
    return directory


def grow(tree: Path, files: Dict[str, str]) -> None:
    for name, text in {**KEPT, **files}.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_a_tree_that_keeps_the_rules_is_left_alone(tree: Path) -> None:
    grow(tree, {})
    assert [*portable.check(tree), *detached.check(tree)] == []


NOT_PORTABLE = {
    "third party": ("import requests\n", 1, "imports requests"),
    "ansible": ("import os\nfrom ansible.module_utils.basic import AnsibleModule\n", 2, "imports ansible.module_utils"),
    "absolute to itself": (
        "from ansible_collections.zdm.rollout.plugins.module_utils import _split\n",
        1,
        "imports ansible_collections",
    ),
    "in a function": ("def f():\n    import yaml\n", 2, "imports yaml"),
    "out of the room": ("from ...plugin_utils import _journal\n", 1, "leaves module_utils"),
    "out of the collection": ("from ......x import y\n", 1, "leaves module_utils"),
    "computed name": ("import importlib\nimportlib.import_module('x')\n", 2, "computed name"),
    "dunder import": ("__import__('x')\n", 1, "computed name"),
    "newer statement": ("try: pass\nexcept* OSError: pass\n", 2, "not Python 3.8"),
    "later module": ("import zoneinfo\n", 1, "zoneinfo"),
    "later function": ("import random\nrandom.randbytes(1)\n", 2, "random.randbytes"),
    "later method": ("def f(x): return x.removeprefix('a')\n", 1, ".removeprefix()"),
    "generic that runs": ("from __future__ import annotations\nA = list[str]\n", 2, "list[...]"),
    "generic in a plain annotation": ("def f(x: list[str]): ...\n", 1, "list[...]"),
    "union that runs": ("from __future__ import annotations\nB = int | None\n", 2, "X | None"),
}


@pytest.mark.parametrize("source, line, text", NOT_PORTABLE.values(), ids=NOT_PORTABLE.keys())
def test_what_a_router_could_not_run_is_found(tree: Path, source: str, line: int, text: str) -> None:
    path = UTILS + "/agent/wrong.py"
    grow(tree, {path: source})
    found = [finding for finding in portable.check(tree) if text in finding.text]
    assert [(finding.path, finding.line) for finding in found][:1] == [(tree / path, line)]


def test_a_module_that_an_interpreter_cannot_import_is_found(tree: Path) -> None:
    grow(tree, {UTILS + "/wrong.py": "class A(1 / 0): ...\n"})
    found = list(portable.imported(tree, sorted((tree / UTILS).rglob("*.py")), Path(sys.executable)))
    assert [finding.path.name for finding in found] == ["wrong.py"]
    assert "ZeroDivisionError" in found[0].text


WAYS_TO_ANSIBLE = {
    "itself": {CONTROLLER + "/_watch.py": "import ansible\n"},
    "one step away": {CONTROLLER + "/_journal.py": "from ansible.errors import AnsibleError\n"},
    "a module of a package": {
        CONTROLLER + "/_journal.py": "from . import signals\n",
        CONTROLLER + "/signals/__init__.py": "from .http import ask\n",
        CONTROLLER + "/signals/http.py": "def ask():\n    from ansible.module_utils.urls import open_url\n",
    },
    "a submodule taken by name": {CONTROLLER + "/_journal.py": "from . import _display\n"},
    "an absolute import of ours": {
        CONTROLLER + "/_journal.py": "import ansible_collections.zdm.rollout.plugins.plugin_utils._display\n"
    },
    "a parent package": {
        CONTROLLER + "/_journal.py": "from .signals.http import ask\n",
        CONTROLLER + "/signals/__init__.py": "import ansible\n",
        CONTROLLER + "/signals/http.py": "",
    },
    "module_utils": {UTILS + "/_split.py": "import ansible\n"},
    "another collection": {CONTROLLER + "/_journal.py": "import ansible_collections.community.general\n"},
    "a computed name": {CONTROLLER + "/_journal.py": "import importlib\nimportlib.import_module('ansible')\n"},
}


@pytest.mark.parametrize("files", WAYS_TO_ANSIBLE.values(), ids=WAYS_TO_ANSIBLE.keys())
def test_a_watch_that_reaches_ansible_is_found_with_the_way_it_takes(tree: Path, files: Dict[str, str]) -> None:
    grow(tree, files)
    found = list(detached.check(tree))
    assert len(found) == 1
    assert found[0].text.endswith(CONTROLLER + "/_watch.py")


def test_a_tree_in_which_a_rule_would_look_at_nothing_is_found(tree: Path) -> None:
    found = [*portable.check(tree), *detached.check(tree)]
    assert [finding.text.split(": ")[1] for finding in found] == ["this rule looks at nothing"] * 2


@pytest.mark.parametrize(
    "text, reason",
    [
        (LICENCE + "x = 1\n" * 399, None),
        (LICENCE + "x = 1\n" * 400, "401 lines"),
        ("x = 1\n", "no licence"),
        ("", None),
    ],
    ids=["longest", "too long", "no licence", "empty"],
)
def test_length_and_licence_of_sources(tmp_path: Path, text: str, reason: str | None) -> None:
    path = tmp_path / "demo/app.py"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    found = [finding.text for finding in house.check(tmp_path)]
    assert len(found) == (reason is not None)
    assert all(reason in text for text in found if reason)
