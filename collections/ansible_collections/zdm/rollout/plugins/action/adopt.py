# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe routers of somebody's own: see the documentation in plugins/modules/adopt.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.utils.display import Display

from ansible_collections.zdm.rollout.plugins.module_utils.adoption.description import Found
from ansible_collections.zdm.rollout.plugins.module_utils.adoption.hosts import Inventory
from ansible_collections.zdm.rollout.plugins.module_utils.adoption.text import made
from ansible_collections.zdm.rollout.plugins.plugin_utils._action import ZdmAction, inventory


class ActionModule(ZdmAction):
    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self.arguments(found=dict, **self.optional(backend=str))
        told = arguments["found"]
        unread = [f"{router}: {_why(each)}" for router, each in told.items() if not each.get("described")]
        groups, hosts = inventory(task_vars or {})
        members = {host: _address(host, hosts[host]) for host in hosts if host not in told}
        try:
            definitions = {name: _definition(name, hosts.get(name, {}).get("zdm_router")) for name in told}
            found = {
                router: Found.from_json(told[router]["described"]) for router in told if "described" in told[router]
            }
            if not found:
                raise ValueError("no router could be read: " + "; ".join(unread or ["there are none"]))
            proposal, lines = made(found, arguments.get("backend", ""), definitions, Inventory(members, groups))
        except ValueError as error:
            result.update(failed=True, msg=str(error))
            return result
        lines = [*(f"NOT READ {text}" for text in unread), *lines]
        for line in lines:  # as they stand: Ansible's own output would quote them
            Display().display(line)
        result.update(changed=False, lines=lines, backend=proposal.backend, open=list(proposal.open))
        result.update(inventory=proposal.inventory, spec=proposal.spec)
        return result


def _why(result: Mapping[str, Any]) -> str:
    return str(result.get("msg") or "it cannot be reached")


def _address(host: str, variables: Mapping[str, Any]) -> str:
    return str(variables.get("zdm_address") or variables.get("ansible_host") or host)


def _definition(router: str, written: Any) -> dict[str, Any]:
    """``zdm_router`` of a router; ``-e zdm_router='{…}'`` gives a text, cut at its first blank."""
    if written is not None and not isinstance(written, dict):
        raise ValueError(
            f"zdm_router of {router} is {written!r}: expected a mapping, such as "
            """-e '{"zdm_router": {"socket": "/run/haproxy/admin.sock"}}'"""
        )
    return dict(written or {})
