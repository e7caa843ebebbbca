# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the agent file to a router's host, and only when it differs from the one that is there."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..module_utils.agent.record import DEFAULT_STATE
from ._build import build, digest

LINK = "/usr/local/bin/zdm-agent"


class InstallError(Exception):
    """The agent could not be brought to its place; the text is the module's own."""


@dataclass(frozen=True)
class Agent:
    """The agent as installed: its path, the shell command that starts it for a controller, whether it is new."""

    path: str
    words: str
    changed: bool


def install(action: Any, router: Mapping[str, Any], task_vars: Mapping[str, Any]) -> Agent:
    """Install by the action's own connection and become. InstallError names what failed."""
    state = str(router.get("state") or DEFAULT_STATE)
    path = f"{state}/zdm-agent.pyz"
    content = build()
    found = _run(action, "zdm.rollout.agent_info", {"state": state}, task_vars)
    changed = found["digest"] != digest(content)
    if changed:
        try:
            _run(action, "ansible.builtin.file", {"path": state, "state": "directory", "mode": "0700"}, task_vars)
        except InstallError as error:
            way_out = "run it with --become, or set zdm_router.state to a directory of the login user"
            raise InstallError(f"{error}; {way_out}") from None
        _copy(action, content, path, task_vars)
        if found["root"]:
            _run(action, "ansible.builtin.file", {"src": path, "dest": LINK, "state": "link"}, task_vars)
    words = " ".join(shlex.quote(word) for word in (found["python"], path, "--state", state, "--stdio"))
    return Agent(path, words, changed)


def _run(action: Any, module: str, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = action._execute_module(
        module_name=module, module_args=dict(arguments), task_vars=task_vars
    )
    _check(module, result)
    return result


def _copy(action: Any, content: bytes, path: str, task_vars: Mapping[str, Any]) -> None:
    with TemporaryDirectory(prefix="zdm-") as directory:
        source = Path(directory) / "zdm-agent.pyz"
        source.write_bytes(content)
        task = action._task.copy()
        task.args = {"src": str(source), "dest": path, "mode": "0700"}
        copy = action._shared_loader_obj.action_loader.get(
            "ansible.builtin.copy",
            task=task,
            connection=action._connection,
            play_context=action._play_context,
            loader=action._loader,
            templar=action._templar,
            shared_loader_obj=action._shared_loader_obj,
        )
        _check("ansible.builtin.copy", copy.run(task_vars=task_vars))


def _check(module: str, result: Mapping[str, Any]) -> None:
    if result.get("failed") or result.get("unreachable"):
        raise InstallError(f"{module}: {result.get('msg') or result.get('module_stderr') or 'it failed'}")
