# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What zdm's action plugins share: arguments, errors as results, asking the watch, reading the inventory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ._desk import visit
from ._errand import ROLLOUT
from ._outcome import UNCHANGED
from ._request import Request, read_request
from ._rollout import PARKED


class ZdmAction(ActionBase):  # type: ignore[misc]
    """An action that runs on the controller and moves nothing by itself."""

    _supports_check_mode = True
    _requires_connection = False

    def arguments(self, **types: type) -> dict[str, Any]:
        """The task's arguments, checked: all are required; the error names the argument."""
        given = self._task.args
        unknown = sorted(set(given) - set(types))
        if unknown:
            raise AnsibleActionFail(f"{self._task.action}: {unknown[0]} is not one of {', '.join(sorted(types))}")
        for name, kind in types.items():
            if not isinstance(given.get(name), kind):
                raise AnsibleActionFail(f"{self._task.action}: {name} is {given.get(name)!r}, expected {kind.__name__}")
        return {name: plain(value) for name, value in given.items()}

    def optional(self, **types: type) -> dict[str, type]:
        """Those of these arguments that are given: they need not be."""
        return {name: kind for name, kind in types.items() if self._task.args.get(name) is not None}

    @staticmethod
    def request(task_vars: Mapping[str, Any], arguments: Mapping[str, Any]) -> Request:
        """What a task with ``spec``, ``release`` and perhaps ``verb`` and ``again`` asks for; SpecError."""
        verb = arguments.get("verb") or ROLLOUT
        again = bool(arguments.get("again"))
        return read_request(arguments["spec"], arguments["release"], *inventory(task_vars), verb, again)

    def ask(self, desk: str, request: Mapping[str, Any]) -> Any:
        """The watch's answer, its lines shown on the way; AnsibleActionFail when it declines or is gone."""
        display = Display()
        try:
            for message in visit(desk, request):
                if "say" in message:
                    display.display(message["say"])
                elif "refused" in message:
                    raise AnsibleActionFail(message["refused"]["text"])
                else:
                    return message["done"]
        except (OSError, ValueError) as error:
            raise AnsibleActionFail(f"the watch does not answer at {desk}: {error}") from None
        raise AnsibleActionFail(
            "the watch ended; the routers bring traffic back by themselves: run the status playbook"
        )


def reported(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """How a run came out, as a task result that also sets the statistic.

    The task does not fail for it: Ansible drops the statistics of a failed one. The playbook fails in its next task.
    """
    text = f"{outcome['service']} {outcome['release']}: {outcome['outcome']}"
    if outcome["outcome"] == UNCHANGED:
        text += f" ({outcome['reason']})"
    elif outcome["outcome"] == PARKED:
        text += f" ({outcome['reason']}) until {outcome['parked_until']}: the playbook rollout takes it up, with the"
        text += f" release {outcome['release']}, the playbook abort ends it; the journal is {outcome['journal']}"
    elif outcome["outcome"] != "promoted":
        text += f" ({outcome['reason']}); the journal is {outcome['journal']}"
    if outcome["unconfirmed"]:
        text += f"; NOT READ BACK: {', '.join(outcome['unconfirmed'])}: run the status playbook for them"
    statistics = {"data": {"zdm_outcome": dict(outcome)}, "per_host": False, "aggregate": False}
    return {"outcome": dict(outcome), "msg": text, "ansible_stats": statistics}


def plain(value: Any) -> Any:
    """A value without Ansible's tags and lazy containers: what JSON can hold."""
    return json.loads(json.dumps(value, default=str))


def inventory(task_vars: Mapping[str, Any]) -> tuple[dict[str, list[str]], dict[str, dict[str, Any]]]:
    """The groups, and of each host the variables that zdm looks at, templated."""
    groups = {name: [str(host) for host in hosts] for name, hosts in task_vars["groups"].items()}
    hosts = {host for members in groups.values() for host in members}
    wanted = ("zdm_router", "zdm_address", "ansible_host")
    return groups, {host: _some(host, task_vars["hostvars"][host], wanted) for host in sorted(hosts)}


def _some(host: str, variables: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    found = {}
    for name in names:
        try:
            if name in variables:
                found[name] = plain(variables[name])
        except AnsibleError as error:
            raise AnsibleActionFail(f"{name} of {host} in the inventory cannot be read: {error}") from None
    return found
