# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan without a watch: see the documentation in plugins/modules/plan.py."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.zdm.rollout.plugins.plugin_utils._action import ZdmAction, plain
from ansible_collections.zdm.rollout.plugins.plugin_utils._freeze import refuse_frozen
from ansible_collections.zdm.rollout.plugins.plugin_utils._live import read_live
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import plan
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan_text import timeline
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._request import Request
from ansible_collections.zdm.rollout.plugins.plugin_utils._undo import Serves


class ActionModule(ZdmAction):
    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        more = {"no_channel": dict} if self._task.args.get("live") else {}
        arguments = self.arguments(spec=str, release=str, live=dict, **more, **self.optional(verb=str, again=bool))
        try:
            request = self.request(task_vars or {}, arguments)
            planned = _planned(request, arguments["live"], arguments["no_channel"]) if more else {}
            result.update(changed=False, **_described(request), **planned)
        except Serves as serves:
            result.update(_described(request), changed=False, plan={}, timeline=[str(serves)])
        except SpecError as error:
            result.update(failed=True, msg=str(error))
        return result


def _described(request: Request) -> dict[str, Any]:
    """What the plays have to know before anything is read: the routers, and the service as each must know it."""
    fleet, spec = request.fleet, request.spec
    return {
        "service": spec.service,
        "environment": spec.environment,
        "routers": list(fleet.routers),
        "services": {name: fleet.service_for(name, spec).to_json() for name in fleet.routers},
        "deploy": request.deploy_tasks,
    }


def _planned(request: Request, live: dict[str, Any], no_channel: dict[str, str]) -> dict[str, Any]:
    missing = "; ".join(f"{name}: {why}" for name, why in no_channel.items() if why)
    if missing:
        # In the words of the watch, which would refuse the rollout for it.
        raise AnsibleActionFail(f"no channel to {missing}")
    made = plan(request.spec, request.fleet, read_live(live), request.errand)
    first = made.to_do[0]
    split = {made.stable: 100.0 - first.weight, made.canary: first.weight}
    told = [f"  warning: {text}" for text in _frozen(request)]
    return dict(plain({"plan": made.to_json(), "timeline": timeline(made, request.spec) + told, "first_split": split}))


def _frozen(request: Request) -> list[str]:
    """That a rollout would be refused now. Who plans may look all the same."""
    try:
        refuse_frozen(request.spec.freeze, request.errand, "", datetime.now(timezone.utc))
    except SpecError as error:
        return [f"it would not start now: {error}"]
    return []
