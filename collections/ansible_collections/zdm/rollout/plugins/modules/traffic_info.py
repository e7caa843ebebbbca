#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a router does with a service now."""

from __future__ import annotations

DOCUMENTATION = r"""
module: traffic_info
short_description: Read what a router does with a service now, or describe what it has
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - Reads the split of a service, its members and their health from the running proxy, and the agent's record.
  - Without O(service) it describes what an HAProxy or nginx of your own configuration has, which of its backends (or
    upstreams) zdm can split,
    what it cannot promise there with the line of configuration that mends it, and the lines of inventory and spec for
    it. Of the configuration files only what is in RV(described) is read.
  - Nothing is changed by looking, and no agent is installed.
options:
  service:
    description:
      - The service as this router has to know it. The M(zdm.rollout.plan) action returns it for every router.
      - Without it the proxy is described.
    type: dict
    required: false
    suboptions:
      name:
        description: Name of the service.
        type: str
        required: true
      environment:
        description: Name of the environment.
        type: str
        required: true
      pools:
        description: The members of each pool, as a list of mappings with C(name) (at the proxy), C(address), C(port).
        type: dict
        required: true
      health:
        description: How a member is asked whether it is well, with C(path), C(port), C(expect), C(timeout) in seconds.
        type: dict
      options:
        description: The router's own part, C(zdm_router.services.<name>), for instance C(backend).
        type: dict
        default: {}
  backend:
    description: Without O(service) the backend to propose a service for; by default the only one that it could be.
    type: str
    default: ""
    version_added: 0.1.0
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

- name: What is there, and what would zdm need to be told?
  zdm.rollout.traffic_info:
    router:
      type: haproxy
      socket: /run/haproxy/admin.sock
  register: found
"""

RETURN = r"""
traffic:
  description: What is in force, read from the running proxy.
  returned: when O(service) is given
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
  returned: when O(service) is given
  type: list
  elements: str
history:
  description: The last rollouts on this router for people, a line each, the newest first.
  returned: when O(service) is given
  type: list
  elements: str
  sample: ["2026-03-01T09:12:44.120+00:00  2.10  promoted  blue to green, by ann@desk"]
record:
  description:
    - The agent's record of the service on this router; empty when no rollout has been there. Of whom to notify it has
      only the program or host.
  returned: when O(service) is given
  type: dict
guard:
  description: The guard that lives on this router now; V(resident), V(session) or V(none).
  returned: when O(service) is given
  type: str
  sample: none
described:
  description: What is there, see section 7 of the contracts.
  returned: when O(service) is not given
  type: dict
  contains:
    version:
      description: Of this description; V(1).
      type: int
    type:
      description: V(haproxy) or V(nginx).
      type: str
    mode:
      description: The mode that zdm has for it; V(servers).
      type: str
    socket:
      description: The runtime socket; empty for nginx.
      type: str
    level:
      description: Its level; V(user), V(operator), V(admin), or empty where it does not tell.
      type: str
    proxy:
      description: Name and version.
      type: str
    threads:
      description: Its threads, or nginx's workers.
      type: int
    processes:
      description: Its processes.
      type: int
    rings:
      description: Its rings.
      type: list
      elements: str
    log:
      description: Where zdm could read how long requests take, as C(zdm_router.log); null where there is no such place.
      type: dict
    files:
      description: The configuration files that were read.
      type: list
      elements: str
    unread:
      description: Why they were not; then what only they tell is null or empty.
      type: str
    state_file:
      description: The server-state file; empty for none, null where it is not known.
      type: str
    backends:
      description:
        - Each backend with C(name), C(mode), C(algorithm), C(servers), C(check), C(path), C(expect), C(vhost),
          C(retries), C(redispatch), C(table), C(sticky), C(around), C(from_state_file), C(options), C(used), C(named),
          C(limits), and C(fits), the mode that can split it as it is, or empty.
        - Each server has C(name), C(address), C(port), C(weight), C(configured), C(health), C(status), C(backup),
          C(resting), C(cookie), C(agent), C(slowstart), C(dns), C(check_port) and C(wraps).
      type: list
      elements: dict
    definition:
      description: What else C(zdm_router) needs to say.
      type: dict
    top:
      description: The largest weight.
      type: int
    limits:
      description: What zdm cannot promise, with C(what), C(mend), and C(stops) where nothing can be split before.
      type: list
      elements: dict
lines:
  description: The same for people, and the lines of inventory and spec to paste.
  returned: when O(service) is not given
  type: list
  elements: str
"""

import platform
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.zdm.rollout.plugins.module_utils import _guard_lock, _notify
from ansible_collections.zdm.rollout.plugins.module_utils._arguments import ROUTER, SERVICE, service_of
from ansible_collections.zdm.rollout.plugins.module_utils.adoption.text import made
from ansible_collections.zdm.rollout.plugins.module_utils.agent.description import described, rollouts
from ansible_collections.zdm.rollout.plugins.module_utils.agent.gate import Gate
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import RecordError, Store
from ansible_collections.zdm.rollout.plugins.module_utils.routers import describe_router, open_router
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import RouterError
from ansible_collections.zdm.rollout.plugins.module_utils.routers.rate import rate

OPTIONS: Dict[str, Any] = {
    "router": ROUTER,
    "service": {**SERVICE, "required": False},
    "backend": {"type": "str", "default": ""},
    "rate_over": {"type": "float", "default": 0.0},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    if not 0 <= module.params["rate_over"] <= 60:
        module.fail_json(msg="rate_over: %g, expected seconds from 0 to 60" % module.params["rate_over"])
    tell = _service if module.params["service"] else _proxy
    try:
        told = tell(module.params)
    except (RouterError, RecordError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **told)


def _service(params: Dict[str, Any]) -> Dict[str, Any]:
    service = service_of(params)
    router = open_router(params["router"])
    traffic = Gate().asked(service, router.read(service))
    counted = {"rate": rate(router, service, params["rate_over"])} if params["rate_over"] else {}
    store = Store.of(params["router"])
    record = store.load(service.environment, service.name)
    return {
        "traffic": traffic.to_json(),
        "record": _notify.without_secrets(record.to_json()) if record.service else {},
        "guard": _guard_lock.living(store.directory),
        "summary": described(record, traffic, _guard_lock.holder(store.directory)),
        "history": rollouts(record),
        **counted,
    }


def _proxy(params: Dict[str, Any]) -> Dict[str, Any]:
    found = describe_router(params["router"])
    router = platform.node() or "lb1"
    _proposal, told = made({router: found}, params["backend"], {router: params["router"]})
    return {"described": found.to_json(), "lines": told}


if __name__ == "__main__":
    main()
