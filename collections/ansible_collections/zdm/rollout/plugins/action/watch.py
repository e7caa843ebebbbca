# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the watch of a run, or have it open: see the documentation in plugins/modules/watch.py."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.zdm.rollout.plugins.plugin_utils import _owner, _state
from ansible_collections.zdm.rollout.plugins.plugin_utils._action import ZdmAction, inventory, reported
from ansible_collections.zdm.rollout.plugins.plugin_utils._launch import LaunchError, launch
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._request import Request, read_request


class ActionModule(ZdmAction):
    _supports_check_mode = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        if "desk" in self._task.args:
            opened = self.ask(self.arguments(desk=str)["desk"], {"ask": "open"})
            result.update(changed=False, **(reported(opened["outcome"]) if "outcome" in opened else opened))
            return result
        arguments = self.arguments(spec=str, release=str)
        try:
            request = read_request(arguments["spec"], arguments["release"], *inventory(task_vars or {}))
            result.update(changed=False, **started(request))
        except (SpecError, LaunchError) as error:
            raise AnsibleActionFail(str(error)) from None
        return result


def started(request: Request) -> dict[str, Any]:
    """A watch for this request, owned by the ansible-playbook process that this worker belongs to."""
    spec, fleet = request.spec, request.fleet
    run = _state.new_run()
    directory = _state.run_directory(spec.environment, spec.service, run)
    # Its own short directory: a Unix socket's path is limited to 107 bytes, and 0700 is what guards the desk.
    desk = str(Path(tempfile.mkdtemp(prefix="zdm-")) / "desk")
    owner = os.getppid()
    config = {
        "document": request.document,
        "release": request.release,
        "fleet": fleet.to_json(),
        "run": run,
        "directory": str(directory),
        "socket": desk,
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
        "deploy": request.deploy_tasks,
    }
