# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""End a run and say how it came out: see the documentation in plugins/modules/finish.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.zdm.rollout.plugins.plugin_utils._action import ZdmAction, reported
from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import BY_ABANDON, BY_DEPLOY


class ActionModule(ZdmAction):
    _supports_check_mode = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self.arguments(desk=str, deployed=dict)
        failed = sorted(host for host, done in arguments["deployed"].items() if not done)
        if failed:
            actor, reason = BY_DEPLOY, "the release did not get onto " + ", ".join(failed)
        else:
            actor, reason = BY_ABANDON, "the play ended before its last step"
        outcome = self.ask(arguments["desk"], {"ask": "finish", "actor": actor, "reason": reason})
        result.update(changed=False, **reported(outcome))
        return result
