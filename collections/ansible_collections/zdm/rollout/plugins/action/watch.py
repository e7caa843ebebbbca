# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the watch of a run, or have it open: see the documentation in plugins/modules/watch.py."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.zdm.rollout.plugins.action import connect, finish, step
from ansible_collections.zdm.rollout.plugins.plugin_utils import _owner, _state
from ansible_collections.zdm.rollout.plugins.plugin_utils._action import ZdmAction, reported
from ansible_collections.zdm.rollout.plugins.plugin_utils._freeze import refuse_frozen
from ansible_collections.zdm.rollout.plugins.plugin_utils._launch import LaunchError, launch
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._request import Request

#: Ansible loads an action when it first comes to it. All that a rollout needs later is loaded with this one, before
#: anything moves: the collection may be upgraded in the hours between, and parts of two releases do not go together.
LOADED = (connect, finish, step)


class ActionModule(ZdmAction):
    _supports_check_mode = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        if "desk" in self._task.args:
            opened = self.ask(self.arguments(desk=str)["desk"], {"ask": "open"})
            result.update(changed=False, **(reported(opened["outcome"]) if "outcome" in opened else opened))
            return result
        try:
            arguments = self.arguments(spec=str, release=str, **self.optional(verb=str, again=bool, unfreeze=str))
            request = self.request(task_vars or {}, arguments)
            result.update(changed=False, **started(request, arguments.get("unfreeze", "")))
        except (SpecError, LaunchError) as error:
            raise AnsibleActionFail(str(error)) from None
        return result


def started(request: Request, unfreeze: str) -> dict[str, Any]:
    """A watch for this request, owned by the ansible-playbook process that this worker belongs to."""
    spec, fleet = request.spec, request.fleet
    lifted = refuse_frozen(spec.freeze, request.errand, unfreeze, datetime.now(timezone.utc))
    run = _state.new_run()
    directory = _state.run_directory(spec.environment, spec.service, run)
    # Its own short directory: a Unix socket's path is limited to 107 bytes, and 0700 is what guards the desk.
    desk = str(Path(tempfile.mkdtemp(prefix="zdm-")) / "desk")
    owner = os.getppid()
    config = {
        "document": request.document,
        "errand": request.errand.to_json(),
        "release": request.release,
        "deploy": request.deploy_tasks,
        "fleet": fleet.to_json(),
        "run": run,
        "directory": str(directory),
        "socket": desk,
        "lifted": lifted,
        "owner": _state.owner(),
        "owner_pid": owner,
        "owner_started": _owner.start_time(owner),
    }
    launch(config, directory / "watch.log")
    members = {
        pool: {known.host: known.member.name for known in known_members} for pool, known_members in fleet.pools.items()
    }
    return {
        "desk": desk,
        "run": run,
        "directory": str(directory),
        "routers": list(fleet.routers),
        "members": members,
    }
