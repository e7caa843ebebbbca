# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand the way to a router's agent to the watch: see the documentation in plugins/modules/connect.py."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.zdm.rollout.plugins.plugin_utils._action import ZdmAction, plain
from ansible_collections.zdm.rollout.plugins.plugin_utils._install import InstallError, install
from ansible_collections.zdm.rollout.plugins.plugin_utils._transport import Unsupported, agent_command


class ActionModule(ZdmAction):
    _requires_connection = True
    _supports_check_mode = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Never fails its host: a router without a channel is refused by the watch, by name, with all others."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = self.arguments(desk=str, router=dict)
        name = variables["inventory_hostname"]
        request: dict[str, Any] = {"ask": "channel", "router": name}
        try:
            agent = install(self, arguments["router"], variables)
            argv, env = agent_command(self._connection, self._shell_of_connection(), agent.words)
            request.update(argv=argv, env=env)
            result.update(changed=agent.changed, agent=agent.path)
        except (InstallError, Unsupported, AnsibleConnectionFailure) as error:
            request["failure"] = str(error)
        except AnsibleError as error:
            request["failure"] = f"{type(error).__name__}: {error}"
        self.ask(arguments["desk"], request)
        result.setdefault("changed", False)
        result["msg"] = request.get("failure") or "the watch can reach the agent"
        return dict(plain(result))

    def _shell_of_connection(self) -> Any:
        return getattr(self._connection, "_shell", None)
