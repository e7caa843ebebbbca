# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have the watch wait for what is under way at canary: see the documentation in plugins/modules/drain.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.zdm.rollout.plugins.plugin_utils._action import ZdmAction


class ActionModule(ZdmAction):
    _supports_check_mode = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        drained = self.ask(self.arguments(desk=str)["desk"], {"ask": "drain"})
        result.update(changed=False, **drained)
        return result
