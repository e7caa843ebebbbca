# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack a support bundle: see the documentation in plugins/modules/bundle.py."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.release import __version__ as ansible_version

from ansible_collections.zdm.rollout.plugins.plugin_utils import _state
from ansible_collections.zdm.rollout.plugins.plugin_utils._action import ZdmAction
from ansible_collections.zdm.rollout.plugins.plugin_utils._build import release
from ansible_collections.zdm.rollout.plugins.plugin_utils._bundle import bundled, document, secrets
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._request import Request

#: So many of the last runs of the service are in it.
RUNS = 3


class ActionModule(ZdmAction):
    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self.arguments(spec=str, traffic=dict, agents=dict, path=str)
        try:
            request = self.request(task_vars or {}, {"spec": arguments["spec"], "release": "any"})
        except SpecError as error:
            raise AnsibleActionFail(str(error)) from None
        files = {**_told(request), **_runs(request)}
        for kind in ("traffic", "agents"):
            files.update({f"routers/{name}/{kind}.json": _json(found) for name, found in arguments[kind].items()})
        path = Path(arguments["path"] or f"zdm-bundle-{request.spec.service}-{_state.new_run()}.tar.gz").absolute()
        if not self._task.check_mode:
            _write(path, bundled(files, secrets(request.document.get("notify"))))
        result.update(changed=True, path=str(path), files=sorted(files), msg=f"{path}: {len(files)} files")
        return result


def _write(path: Path, data: bytes) -> None:
    """Readable by its owner only, from the first byte on."""
    try:
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(data)
    except OSError as error:
        raise AnsibleActionFail(f"path {path} cannot be written: {error.strerror}; give another one") from None


def _told(request: Request) -> dict[str, str]:
    """What it ran with, and what it was told."""
    versions = {"zdm": release(), "ansible-core": ansible_version, "python": platform.python_version()}
    return {
        "versions.json": _json(versions),
        "spec.yml": yaml.safe_dump(document(request.document), sort_keys=False),
        "fleet.json": _json(request.fleet.to_json()),
    }


def _runs(request: Request) -> dict[str, str]:
    """The files of the last runs on this controller."""
    runs = _state.runs(request.spec.environment, request.spec.service)[-RUNS:]
    return {
        f"runs/{run.name}/{file.name}": file.read_text(encoding="utf-8", errors="replace")
        for run in runs
        for file in sorted(run.iterdir())
        if file.is_file()
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, default=str) + "\n"
