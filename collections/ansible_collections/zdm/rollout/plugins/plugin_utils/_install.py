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
    """The agent as installed: its path, the shell command that starts it for a controller, whether it is new.

    ``found``: what zdm.rollout.agent_info said before, where it was asked.
    """

    path: str
    words: str
    changed: bool
    found: Mapping[str, Any]


def install(
    action: Any, router: Mapping[str, Any], task_vars: Mapping[str, Any], owner: str = "", check: bool = False
) -> Agent:
    """Install by the action's own connection and become. InstallError names what failed.

    ``owner``: the user whose the agent is to be, where it is not the one who installs it. ``check``: only look.
    """
    state = str(router.get("state") or DEFAULT_STATE)
    path = f"{state}/zdm-agent.pyz"
    content = build()
    found = _run(action, "zdm.rollout.agent_info", {"state": state}, task_vars)
    # What root runs must not be what another user can change.
    if found["root"] and found["owner"] not in ("", "root", owner):
        theirs = f"{state} belongs to {found['owner']}, whose guard minds this router"
        raise InstallError(f"{theirs}: become that user for it (ansible_become_user: {found['owner']}), and not root")
    changed = found["digest"] != digest(content)
    if changed and not check:
        owned = {"owner": owner} if owner else {}
        try:
            directory = {"path": state, "state": "directory", "mode": "0700", **owned}
            _run(action, "ansible.builtin.file", directory, task_vars)
        except InstallError as error:
            way_out = "run it with --become, or set zdm_router.state to a directory of the login user"
            raise InstallError(f"{error}; {way_out}") from None
        _copy(action, content, {"dest": path, "mode": "0700", **owned}, task_vars)
        if found["root"] and owner in ("", "root"):
            _run(action, "ansible.builtin.file", {"src": path, "dest": LINK, "state": "link"}, task_vars)
    return Agent(path, _words(found["python"], state), changed, found)


def present(action: Any, router: Mapping[str, Any], task_vars: Mapping[str, Any]) -> Agent | None:
    """The agent where it is there already, found by one command instead of a module; None where that cannot be told.

    It is told where the inventory names the Python, and directory and file are this user's, for nobody else to write.
    """
    state = str(router.get("state") or DEFAULT_STATE)
    path, python = f"{state}/zdm-agent.pyz", str(action._templar.template(task_vars.get("ansible_python_interpreter")))
    if not python.startswith("/"):
        return None
    places = " ".join(shlex.quote(place) for place in (state, path))
    answer = action._low_level_execute_command(
        f"id -u && stat -c '%u %a' {places} && sha256sum < {shlex.quote(path)}", sudoable=True
    )
    user, *rest = str(answer.get("stdout", "")).split("\n")
    if answer.get("rc") != 0 or rest[:3] != [f"{user} 700"] * 2 + [f"{digest(build())}  -"]:
        return None
    return Agent(path, _words(python, state), False, {})


def _words(python: str, state: str) -> str:
    """The shell command that starts an agent for a controller."""
    return " ".join(shlex.quote(word) for word in (python, f"{state}/zdm-agent.pyz", "--state", state, "--stdio"))


def _run(action: Any, module: str, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = action._execute_module(
        module_name=module, module_args=dict(arguments), task_vars=task_vars
    )
    _check(module, result)
    return result


def _copy(action: Any, content: bytes, place: Mapping[str, Any], task_vars: Mapping[str, Any]) -> None:
    with TemporaryDirectory(prefix="zdm-") as directory:
        source = Path(directory) / "zdm-agent.pyz"
        source.write_bytes(content)
        task = action._task.copy()
        task.args = {"src": str(source), **place}
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
        raise InstallError(f"{module}: {_reason(result)}")


def _reason(result: Mapping[str, Any]) -> str:
    """Why a module failed. Of one that did not run Ansible says only that; sudo or Python said why, at the end."""
    text = str(result.get("msg") or "it failed")
    said = [line.strip() for line in str(result.get("module_stderr") or "").splitlines() if line.strip()]
    return ": ".join([text.splitlines()[0], said[-1]]) if said else text
