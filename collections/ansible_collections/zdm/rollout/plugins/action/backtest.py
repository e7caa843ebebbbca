# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A spec's checks on records: see the documentation in plugins/modules/backtest.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.zdm.rollout.plugins.plugin_utils import _backtest, _generator, _records
from ansible_collections.zdm.rollout.plugins.plugin_utils._action import ZdmAction, plain
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._request import read_spec


class ActionModule(ZdmAction):
    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self.arguments(spec=str, records=str, generate=dict)
        try:
            result.update(changed=False, **plain(_tested(**arguments)))
        except (SpecError, _records.RecordsError, _backtest.NothingToTest) as error:
            result.update(failed=True, msg=str(error))
        return result


def _tested(spec: str, records: str, generate: dict[str, Any]) -> dict[str, Any]:
    if bool(records) == bool(generate):
        raise _records.RecordsError("records and generate: expected one of them, a file's path or a fault to put in")
    ticks = _generator.ticks(_generator.parse(generate)) if generate else _read(records)
    acts = _backtest.acts(read_spec(spec), ticks)
    return {
        "acts": [
            {
                "judge": act.judge,
                "after": act.after,
                "requests": act.leaked.requests,
                "failures": act.leaked.failures,
                "reason": act.reason,
            }
            for act in acts
        ],
        "timeline": [_backtest.summary(ticks), *map(str, acts)],
    }


def _read(path: str) -> list[_records.Tick]:
    try:
        return _records.read(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise _records.RecordsError(f"records {path} cannot be read: {error}") from None
