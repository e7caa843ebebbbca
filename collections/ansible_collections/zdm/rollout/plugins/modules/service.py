#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service
short_description: Make a service known to a managed router
version_added: 0.1.0
author:
  - the zdm authors (@zdm)
description:
  - Writes the pools of a service, their members and health checks, and the routes to them into the files of an Envoy,
    a HAProxy or an nginx that zdm manages, and waits until a running one has taken them.
  - An Envoy takes each file at once. A HAProxy or an nginx is reloaded, but only when its configuration is another one
    afterwards.
  - A split that is there is kept. Only a service without one gets it, with all traffic on O(initial).
  - Things of other services are left alone.
  - What the proxy refuses is an error with its reason; what was in force before still is, and its file is put back.
    HAProxy's and nginx's configuration is checked (C(haproxy -c), C(nginx -t)) before it takes effect.
  - Run again after files were broken, it repairs whatever is not in force.
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
options:
  router:
    description:
      - The router's definition, the variable C(zdm_router) of its host, of type V(envoy), V(haproxy) or
        V(nginx) and mode V(managed).
      - It need not run. The files are then made ready for its start.
    type: dict
    required: true
  service:
    description: The service as this router has to know it, C(services[host]) as returned by M(zdm.rollout.plan).
    type: dict
    required: true
  initial:
    description: The pool that gets all traffic of a service that has no split yet. Needed unless O(state=detached).
    type: str
  state:
    description:
      - V(detached) leaves a service of a HAProxy or an nginx to its operator. The split that is there stands in its
        configuration from then on, with nothing of zdm's that it would need.
      - V(present) takes it back, with that split.
    type: str
    default: present
    choices:
      - present
      - detached
seealso:
  - module: zdm.rollout.plan
  - module: zdm.rollout.traffic
"""

EXAMPLES = r"""
- name: Read the spec
  zdm.rollout.plan:
    spec: services/web.yml
    release: ""
    live: {}
  delegate_to: localhost
  run_once: true
  register: planned

- name: Make the service known
  zdm.rollout.service:
    router: "{{ zdm_router }}"
    service: "{{ planned.services[inventory_hostname] }}"
    initial: blue
"""

RETURN = r"""
changes:
  description: What was changed, or in check mode would be; files with their texts.
  returned: success
  type: list
  elements: dict
  contains:
    thing:
      description: The file, with a remark where it is as wanted but not in force.
      type: str
    before:
      description: Its text before; empty for a new file.
      type: str
    after:
      description: Its text after; empty for a removed file.
      type: str
traffic:
  description:
    - Members, their health and the split as the running proxy has them.
    - V(null) where it does not run, or has no listener for the service yet.
  returned: success
  type: dict
"""

import contextlib
from typing import Any, Dict, Optional, Tuple, Union

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.agent.record import RecordError, Store
from ..module_utils.routers import open_router
from ..module_utils.routers.api import RouterError, Service, Unreachable, Unsupported
from ..module_utils.routers.envoy import EnvoyManaged
from ..module_utils.routers.haproxy_managed import HaproxyManaged
from ..module_utils.routers.nginx_managed import NginxManaged


def _run(
    router: Dict[str, Any], definition: Dict[str, Any], initial: Optional[str], state: str, check: bool
) -> Dict[str, Any]:
    driver = open_router(router)
    if not isinstance(driver, (EnvoyManaged, HaproxyManaged, NginxManaged)):
        raise Unsupported(
            "zdm_router is %s/%s, whose configuration is its operator's own: expected envoy/managed, "
            "haproxy/managed or nginx/managed. There is nothing to make known to it" % _kind(router)
        )
    service = Service.from_json(definition)
    if state == "detached" and isinstance(driver, EnvoyManaged):
        raise Unsupported(
            "zdm_router is %s/%s, and only haproxy/managed and nginx/managed can be detached" % _kind(router)
        )
    # Even a lock would be a file that was not there before.
    with contextlib.nullcontext() if check else Store(router.get("state") or "/var/lib/zdm").applying():
        if not isinstance(driver, EnvoyManaged) and state == "detached":
            changes = driver.detach(service, check)
        else:
            changes = driver.define(service, str(initial), check)
    return {
        "changed": bool(changes),
        "changes": [{"thing": change.thing, "before": change.before, "after": change.after} for change in changes],
        "diff": [
            {
                "before_header": change.thing,
                "after_header": change.thing,
                "before": change.before,
                "after": change.after,
            }
            for change in changes
        ],
        "traffic": _traffic(driver, service),
    }


def _kind(router: Dict[str, Any]) -> Tuple[Any, Any]:
    return router.get("type"), router.get("mode")


def _traffic(driver: Union[EnvoyManaged, HaproxyManaged, NginxManaged], service: Service) -> Optional[Dict[str, Any]]:
    try:
        return driver.read(service).to_json()
    except (Unreachable, Unsupported):
        return None


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "router": {"type": "dict", "required": True},
            "service": {"type": "dict", "required": True},
            "initial": {"type": "str"},
            "state": {"type": "str", "default": "present", "choices": ["present", "detached"]},
        },
        required_if=[("state", "present", ["initial"])],
        supports_check_mode=True,
    )
    arguments = module.params
    try:
        result = _run(
            arguments["router"], arguments["service"], arguments["initial"], arguments["state"], module.check_mode
        )
    except (KeyError, TypeError) as error:
        module.fail_json(msg="service is not a definition as zdm.rollout.plan returns it: %r" % error)
    except (RouterError, RecordError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
