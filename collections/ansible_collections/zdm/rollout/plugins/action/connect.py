# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand the way to a router's agent to the watch: see the documentation in plugins/modules/connect.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.zdm.rollout.plugins.plugin_utils._action import ZdmAction, plain
from ansible_collections.zdm.rollout.plugins.plugin_utils._install import (
    InstallError,
    install,
    path_of,
    state_of,
    words_if_present,
)
from ansible_collections.zdm.rollout.plugins.plugin_utils._transport import (
    Unsupported,
    logs_in_alone,
    refuse,
    way,
    way_aside,
)


class ActionModule(ZdmAction):
    _requires_connection = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Never fails its host: a router without a channel is refused by the watch, by name, with all others."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self.arguments(desk=str, router=dict)
        if self._task.check_mode:
            no_channel, found = self._looked()
        else:
            no_channel, found = self._handed_over(arguments, task_vars or {})
        result.update({"changed": False, **found, "no_channel": no_channel})
        result["msg"] = no_channel or "the watch can reach the agent"
        return dict(plain(result))

    def _looked(self) -> tuple[str, dict[str, Any]]:
        """Why a watch could not reach an agent over this connection; empty when it could. Nothing is installed."""
        try:
            way(self._connection, self._shell_of_connection(), "true")
        except (Unsupported, AnsibleError) as error:
            return _said(error), {}
        return "", {}

    def _handed_over(self, arguments: Mapping[str, Any], variables: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Why there is no channel, or empty; and what the agent's installation found."""
        request: dict[str, Any] = {"ask": "channel", "router": variables["inventory_hostname"]}
        found: dict[str, Any] = {}
        try:
            refuse(self._connection)
            if self._at_once(arguments, variables):
                return "", {"changed": False, "agent": path_of(arguments["router"])}
            agent = install(self, arguments["router"], variables)
            found = {"changed": agent.changed, "agent": agent.path}
            request.update(way(self._connection, self._shell_of_connection(), agent.words))
        except (InstallError, Unsupported, AnsibleError) as error:
            request["failure"] = _said(error)
        self.ask(arguments["desk"], request)
        return request.get("failure", ""), found

    def _at_once(self, arguments: Mapping[str, Any], variables: Mapping[str, Any]) -> bool:
        """Whether the watch has reached an agent that is there already, without Ansible's own connection.

        It is not tried where the inventory does not name the Python, or only Ansible can log in.
        """
        python = str(self._templar.template(variables.get("ansible_python_interpreter")))
        if not python.startswith("/") or not logs_in_alone(self._connection):
            return False
        words = words_if_present(python, state_of(arguments["router"]))
        handed = way_aside(self._connection, self._shell_of_connection(), words)
        request = {"ask": "channel", "router": variables["inventory_hostname"], "open": True, **handed}
        return bool(self.ask(arguments["desk"], request))

    def _shell_of_connection(self) -> Any:
        return getattr(self._connection, "_shell", None)


def _said(error: Exception) -> str:
    own = isinstance(error, (InstallError, Unsupported, AnsibleConnectionFailure))
    return str(error) if own else f"{type(error).__name__}: {error}"
