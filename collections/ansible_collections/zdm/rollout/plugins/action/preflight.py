# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse a play that would cut off a router: see the documentation in plugins/modules/preflight.py."""

from __future__ import annotations

from typing import Any

from ansible import constants

from ansible_collections.zdm.rollout.plugins.plugin_utils import _state
from ansible_collections.zdm.rollout.plugins.plugin_utils._action import ZdmAction

EXPECTED = (
    "expected -e zdm_spec=services/web.yml; where there is none yet the playbook adopt proposes one for a HAProxy or "
    "an nginx"
)


class ActionModule(ZdmAction):
    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        if not self.arguments(spec=str)["spec"]:
            return self._refused(result, f"zdm_spec is not given: {EXPECTED}")
        if task_vars.get("ansible_limit"):
            return self._refused(
                result,
                f"--limit {task_vars['ansible_limit']} would cut off routers, which then would not follow: "
                "run it without --limit; leave a router out by name and reason with routers_ignore in the spec",
            )
        if constants.DEFAULT_STRATEGY not in ("linear", "ansible.builtin.linear"):
            return self._refused(
                result,
                f"strategy {constants.DEFAULT_STRATEGY} does not keep the plays in step: "
                "run it with the strategy linear (unset ANSIBLE_STRATEGY, and strategy in ansible.cfg)",
            )
        who = {"by": _state.owner(), "id": _state.new_run()}
        result.update(changed=False, msg="nothing cuts off a router", **who)
        return result

    @staticmethod
    def _refused(result: dict[str, Any], text: str) -> dict[str, Any]:
        result.update(failed=True, msg=text)
        return result
