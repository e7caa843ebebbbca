# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the pool that may be let go: see the documentation in plugins/modules/retire.py."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ansible_collections.zdm.rollout.plugins.plugin_utils._action import ZdmAction
from ansible_collections.zdm.rollout.plugins.plugin_utils._live import read_live
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._retire import retired


class ActionModule(ZdmAction):
    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self.arguments(spec=str, live=dict)
        try:
            request = self.request(task_vars or {}, {"spec": arguments["spec"], "release": "any"})
            live = read_live(arguments["live"])
            pool = retired(request.spec, request.fleet, live, datetime.now(timezone.utc))
        except SpecError as error:
            result.update(failed=True, msg=str(error))
            return result
        members = {known.host: known.member.name for known in request.fleet.pools[pool]}
        msg = f"{pool} has no traffic, and may be let go"
        found = {"pool": pool, "members": members, "tasks": request.retire_tasks, "drain": request.spec.drain_timeout}
        result.update(changed=False, msg=msg, **found)
        return result
