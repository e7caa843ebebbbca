# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install the agent on a router's host: see the documentation in plugins/modules/agent.py."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.zdm.rollout.plugins.plugin_utils._action import ZdmAction, plain
from ansible_collections.zdm.rollout.plugins.plugin_utils._install import InstallError, install


class ActionModule(ZdmAction):
    _requires_connection = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """The agent that this controller has is the one on the host, or the task fails."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = self.arguments(router=dict, owner=str)
        try:
            agent = install(self, given["router"], task_vars or {}, given["owner"], self._task.check_mode)
        except InstallError as error:
            raise AnsibleActionFail(str(error)) from None
        told = {name: agent.found[name] for name in ("python", "guard", "records")}
        result.update(changed=agent.changed, agent=agent.path, **told)
        return dict(plain(result))
