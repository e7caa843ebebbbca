#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a router does with a service now."""

from __future__ import annotations

DOCUMENTATION = r"""
module: traffic_info
short_description: Read what a router does with a service now
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - Reads the split of a service, its members and their health from the running proxy, and the agent's record.
  - Nothing is changed by looking, and no agent is installed.
options:
  rate_over:
    description:
      - Count for so many seconds, at most 60, and return the RV(rate) as well. V(0) does not, and takes no time.
    type: float
    default: 0
    version_added: 0.1.0
extends_documentation_fragment:
  - zdm.rollout.router
attributes:
  check_mode:
    support: full
    description: It changes nothing, so check mode is the same.
seealso:
  - module: zdm.rollout.traffic
"""

EXAMPLES = r"""
- name: What does the load balancer do with web now?
  zdm.rollout.traffic_info:
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
  register: live
"""

RETURN = r"""
traffic:
  description: What is in force, read from the running proxy.
  returned: success
  type: dict
  contains:
    split:
      description: Share of each pool in percent among the members that take traffic.
      type: dict
      sample: {blue: 95.0, green: 5.0}
    held:
      description: False where the proxy's weights give no share at all.
      type: bool
    members:
      description: The members as the proxy has them, with C(name), C(pool), C(health), C(weight) and C(base).
      type: list
      elements: dict
    scale:
      description: The numbers that this router splits by, whole weights up to C(top), one C(per) server or pool.
      type: dict
    durable:
      description: Whether the split survives a reload or restart of the proxy; C(yes), C(with_state_file) or C(no).
      type: str
    promises:
      description: What this proxy cannot promise.
      type: list
      elements: str
    warnings:
      description: What stands in the way of a split, or makes it less exact.
      type: list
      elements: str
rate:
  description: Requests and failed tries of each pool a second, counted over O(rate_over) seconds.
  returned: when O(rate_over) is not 0
  type: dict
  sample: {blue: {requests: 120.5, failures: 0.5}, green: {requests: 0.0, failures: 0.0}}
summary:
  description: The same for people, a line each, with what ends a rollout safely.
  returned: success
  type: list
  elements: str
history:
  description: The last rollouts on this router for people, a line each, the newest first.
  returned: success
  type: list
  elements: str
  sample: ["2026-03-01T09:12:44.120+00:00  2.10  promoted  blue to green, by ann@desk"]
record:
  description:
    - The agent's record of the service on this router; empty when no rollout has been there. Of whom to notify it has
      only the program or host.
  returned: success
  type: dict
guard:
  description: The guard that lives on this router now; V(resident), V(session) or V(none).
  returned: success
  type: str
  sample: none
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.zdm.rollout.plugins.module_utils import _guard_lock, _notify
from ansible_collections.zdm.rollout.plugins.module_utils._arguments import ROUTER, SERVICE, service_of
from ansible_collections.zdm.rollout.plugins.module_utils.agent.description import described, rollouts
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import RecordError, Store
from ansible_collections.zdm.rollout.plugins.module_utils.routers import open_router
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import RouterError
from ansible_collections.zdm.rollout.plugins.module_utils.routers.rate import rate


def main() -> None:
    module = AnsibleModule(
        argument_spec={"router": ROUTER, "service": SERVICE, "rate_over": {"type": "float", "default": 0.0}},
        supports_check_mode=True,
    )
    seconds = module.params["rate_over"]
    if not 0 <= seconds <= 60:
        module.fail_json(msg="rate_over: %g, expected seconds from 0 to 60" % seconds)
    try:
        service = service_of(module.params)
        router = open_router(module.params["router"])
        traffic = router.read(service)
        counted = {"rate": rate(router, service, seconds)} if seconds else {}
        store = Store.of(module.params["router"])
        record = store.load(service.environment, service.name)
    except (RouterError, RecordError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        traffic=traffic.to_json(),
        record=_notify.without_secrets(record.to_json()) if record.service else {},
        guard=_guard_lock.living(store.directory),
        summary=described(record, traffic, _guard_lock.holder(store.directory)),
        history=rollouts(record),
        **counted,
    )


if __name__ == "__main__":
    main()
