#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a split about on a router, outside of a rollout."""

from __future__ import annotations

DOCUMENTATION = r"""
module: traffic
short_description: Bring a split about on a router, outside of a rollout
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - Sets the share of each pool of a service, raising before lowering, and reads it back from the running proxy.
  - It is the same function that a rollout uses, under the same lock. While a rollout holds the service it refuses
    any other split than the one in force, and names the owner.
  - No traffic is sent to a pool that is not healthy now.
extends_documentation_fragment:
  - zdm.rollout.router
options:
  split:
    description: Share of each pool in percent; the sum is 100.
    type: dict
    required: true
  by:
    description: Who wants this, for the record.
    type: str
    default: a play
attributes:
  check_mode:
    support: full
    description: Shows what would be changed, and changes nothing.
  diff_mode:
    support: full
    description: Shows each file or weight before and after.
seealso:
  - module: zdm.rollout.traffic_info
"""

EXAMPLES = r"""
- name: Half and half
  zdm.rollout.traffic:
    router:
      type: haproxy
      mode: servers
      socket: /run/haproxy/admin.sock
    service:
      name: web
      environment: prod
      pools:
        blue:
          - {name: vm1-blue, address: 192.0.2.11, port: 8081}
        green:
          - {name: vm1-green, address: 192.0.2.11, port: 8082}
      options:
        backend: web
    split:
      blue: 50
      green: 50
"""

RETURN = r"""
traffic:
  description: What is in force afterwards (in check mode what is now), as of M(zdm.rollout.traffic_info).
  returned: success
  type: dict
actions:
  description: What was changed, or in check mode would be, with C(thing), C(before), C(after).
  returned: success
  type: list
  elements: dict
  sample: [{thing: weight of server web/vm1-green, before: "0", after: "128"}]
"""

import datetime

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.zdm.rollout.plugins.module_utils import _split
from ansible_collections.zdm.rollout.plugins.module_utils._arguments import ROUTER, SERVICE, service_of
from ansible_collections.zdm.rollout.plugins.module_utils._difference import differences
from ansible_collections.zdm.rollout.plugins.module_utils.agent.apply import Order, apply
from ansible_collections.zdm.rollout.plugins.module_utils.agent.gate import Gate
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import LeaseError, Place
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import RecordError, Store
from ansible_collections.zdm.rollout.plugins.module_utils.routers import open_router
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import RouterError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "router": ROUTER,
            "service": SERVICE,
            "split": {"type": "dict", "required": True},
            "by": {"type": "str", "default": "a play"},
        },
        supports_check_mode=True,
    )
    router = module.params["router"]
    try:
        service = service_of(module.params)
        split = _split.read(module.params["split"], service.pools)
        order = Order(
            environment=service.environment,
            name=service.name,
            event=Place(split=split, by=module.params["by"]),
            at=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"),
            service=service,
            router=router,
        )
        applied = apply(Store.of(router), open_router(router), Gate(), order, check=module.check_mode)
    except (RouterError, RecordError, LeaseError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(traffic=applied.traffic.to_json(), **differences(applied.changes))


if __name__ == "__main__":
    main()
