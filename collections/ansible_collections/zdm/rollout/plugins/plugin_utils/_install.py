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

    ``found``: what zdm.rollout.agent_info said before.
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
    state = state_of(router)
    path, content = _path(state), build()
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


def words_if_present(python: str, state: str) -> str:
    """The shell command that starts the agent if it is there already, and ends at once if not.

    It is when it has the bytes of this controller's, and directory and file are the user's, for nobody else to write.
    """
    place, path = shlex.quote(state), shlex.quote(_path(state))
    tests = (
        "u=$(id -u)",
        f'[ "$(stat -c %u:%a {place} {path} | tr "\\n" ,)" = "$u:700,$u:700," ]',
        f'[ "$(sha256sum < {path})" = "{digest(build())}  -" ]',
    )
    return "/bin/sh -c " + shlex.quote(" && ".join((*tests, "exec " + _words(python, state))))


def state_of(router: Mapping[str, Any]) -> str:
    """The directory of the agent on a router."""
    return str(router.get("state") or DEFAULT_STATE)


def path_of(router: Mapping[str, Any]) -> str:
    """The agent's file on a router."""
    return _path(state_of(router))


def _path(state: str) -> str:
    return f"{state}/zdm-agent.pyz"


def _words(python: str, state: str) -> str:
    """The shell command that starts an agent for a controller."""
    return " ".join(shlex.quote(word) for word in (python, _path(state), "--state", state, "--stdio"))


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
